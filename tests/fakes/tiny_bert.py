"""A quick BERT with random weights."""

import numpy as np
import pytest

from usetune.encoders.bert.model import TransformerEncoder
from usetune.encoders.bert.tokenizer import WordPieceTokenizer

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefghijklmnopqrstuvwxyz,.é",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyzé"),
    "one",
    "two",
    "three",
]
CONFIG = {
    "model_type": "bert",
    "vocab_size": 70,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 21,
}


def tiny_bert(lowercase=True, pooling="mean", max_length=21):
    """An encoder of two layers; skips the test where usetune[bert] is missing."""
    for package in ("keras_hub", "safetensors", "huggingface_hub"):
        pytest.importorskip(package)
    tokenizer = WordPieceTokenizer(VOCABULARY, lowercase, True, True)
    encoder = TransformerEncoder(CONFIG, tokenizer, pooling, max_length)
    random = np.random.default_rng(0)
    for variable in encoder.variables:
        variable.assign(random.normal(variable.name == "gamma", 0.5, variable.shape))
    return encoder
