"""BERT as an encoder: a transformer, and pooling over its tokens.

Devlin et al., "BERT" (2019, arXiv:1810.04805), section 3, pooled as by Reimers and
Gurevych, "Sentence-BERT" (2019, arXiv:1908.10084), section 3.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune._utils.text import utf8
from usetune._utils.warn import warn
from usetune.encoders.base import Encoder
from usetune.encoders.bert.network import as_stored, build_network, stored_names
from usetune.encoders.bert.tokenizer import WordPieceTokenizer
from usetune.encoders.folder import new_folder
from usetune.encoders.modules import write_modules
from usetune.similarity import unit_length

POOLINGS = ("mean", "cls", "max")
# oneDNN keeps memory for each shape that a product has had: shapes come in steps.
_TEXTS_STEP = 8
_TOKENS_STEP = 4
# Texts that are tokenized at a time to find those that are cut.
_CHUNK = 1024


@keras.saving.register_keras_serializable("usetune")
class TransformerEncoder(Encoder):
    """Strings (batch,) → float32 embeddings (batch, dim) of unit length.

    It is built with zeros for weights; `load_transformer` fills them in. There is no
    dropout, in training neither: one seed gives one result, and a text that a step
    embeds twice, as cached losses do, has one embedding.

    Args:
        config: the fields of a checkpoint's config.json.
        tokenizer: shared with copies of this encoder.
        pooling: what the embedding is of the last layer's tokens, [CLS] and [SEP]
            among them: their "mean", their "max", or "cls", that of [CLS].
        max_length: tokens of a text that are read, with [CLS] and [SEP]: at least 3,
            at most the positions of the model. `encode` and `compact` warn of texts
            that are longer.

    Raises:
        ValueError: if ``pooling`` or ``max_length`` is something else, or the
            vocabulary does not belong to the config.
    """

    def __init__(
        self,
        config: dict[str, Any],
        tokenizer: WordPieceTokenizer,
        pooling: str,
        max_length: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise ValueError(
                f"pooling must be one of {POOLINGS}. Received: {pooling!r}"
            )
        positions = config["max_position_embeddings"]
        if not isinstance(max_length, int) or not 3 <= max_length <= positions:
            raise ValueError(
                f"max_length must be an integer in [3, {positions}]. "
                f"Received: {max_length!r}"
            )
        if len(tokenizer.vocabulary) > config["vocab_size"]:
            raise ValueError(
                f"the vocabulary must have at most {config['vocab_size']} pieces. "
                f"Received: {len(tokenizer.vocabulary)}"
            )
        self.config = config
        self.dim = config["hidden_size"]
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.max_length = max_length
        self.resources = []
        self.network = build_network(config)
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → float32 tensor (batch, dim) of unit length."""
        batch = tf.shape(texts)[0]
        missing = tf.where(batch < _TEXTS_STEP, 0, -batch % _TEXTS_STEP)
        texts = tf.concat([texts, tf.fill([missing], "")], axis=0)
        tokens = self.tokenizer(texts)[:, : self.max_length - 2]
        ends = tf.ones([tf.shape(texts)[0], 1], tf.int32)
        first, last = self.tokenizer.id_of["[CLS]"], self.tokenizer.id_of["[SEP]"]
        tokens = tf.concat([first * ends, tokens, last * ends], axis=1)
        longest = tf.cast(tokens.bounding_shape(1), tf.int32)
        missing = tf.minimum(
            -longest % _TOKENS_STEP, self.config["max_position_embeddings"] - longest
        )
        padding = self.tokenizer.id_of["[PAD]"]
        padded = tf.pad(
            tokens.to_tensor(padding), [[0, 0], [0, missing]], constant_values=padding
        )
        mask = tf.sequence_mask(tokens.row_lengths(), longest + missing)
        states = self.network([padded, mask])  # (batch, tokens, dim)
        is_token = mask[:, :, None]
        if self.pooling == "cls":
            pooled = states[:, 0]
        elif self.pooling == "max":
            # Less than any state, and within float16.
            pooled = tf.reduce_max(tf.where(is_token, states, -6e4), axis=1)
        else:
            # The sum has the direction of the mean.
            pooled = tf.reduce_sum(tf.where(is_token, states, 0.0), axis=1)
        return unit_length(pooled[:batch])

    def encode(
        self, texts: Sequence[str] | str, batch_size: int = 64, **options: Any
    ) -> np.ndarray:
        """`Encoder.encode`, which also warns of texts longer than ``max_length``."""
        return super().encode(texts, batch_size, **options)

    def compact(self, texts: Sequence[str]) -> Encoder:
        """A copy, see `Encoder.compact`; it warns of texts as `encode` does."""
        self._check_texts(utf8(texts))
        return super().compact(texts)

    def _check_texts(self, texts: list[bytes]) -> None:
        room = self.max_length - 2
        # A token has at least one byte: few texts are tokenized here and in `call`.
        count = Counter(text for text in texts if len(text) > room)
        long, cut = list(count), 0
        for start in range(0, len(long), _CHUNK):
            part = long[start : start + _CHUNK]
            lengths = self.tokenizer(tf.constant(part)).row_lengths().numpy()
            cut += sum(count[part[row]] for row in np.flatnonzero(lengths > room))
        if cut:
            warn(
                f"{cut} of {len(texts)} texts are longer than max_length="
                f"{self.max_length} tokens; what lies behind is not read"
            )

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: config.json, the tokenizer, and the pooling."""
        return {
            "kind": "bert",
            "config": self.config,
            **self.tokenizer.get_config(),
            "pooling": self.pooling,
            "max_length": self.max_length,
        }

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, see `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "config": self.config,
            "tokenizer": self.tokenizer.get_config(),
            "pooling": self.pooling,
            "max_length": self.max_length,
        }

    @staticmethod
    def _arguments(config: dict[str, Any]) -> dict[str, Any]:
        return {**config, "tokenizer": WordPieceTokenizer(**config["tokenizer"])}

    def copy(self) -> TransformerEncoder:
        """An independent encoder with the same weights."""
        copy = TransformerEncoder(
            self.config, self.tokenizer, self.pooling, self.max_length
        )
        for source, target in zip(self.variables, copy.variables, strict=True):
            target.assign(source.value)
        return copy.freeze_layers(self.frozen_layers())

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save as a checkpoint folder, with usetune.json beside the checkpoint's files.

        `usetune.load_encoder` reads it back, and so does sentence-transformers.

        Args:
            filepath: the folder to create.
            overwrite: see `Encoder.save`.

        Raises:
            FileExistsError: as `Encoder.save` does.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5.
        """
        from safetensors.numpy import save_file

        modules = (
            ("Transformer", ""),
            ("Pooling", "1_Pooling"),
            ("Normalize", "2_Normalize"),
        )
        settings = {
            "config.json": self.config,
            "tokenizer_config.json": {
                "tokenizer_class": "BertTokenizer",
                "do_lower_case": self.tokenizer.lowercase,
                "strip_accents": self.tokenizer.strip_accents,
                "tokenize_chinese_chars": self.tokenizer.split_chinese,
                "model_max_length": self.max_length,
            },
            "1_Pooling/config.json": {
                "word_embedding_dimension": self.dim,
                "pooling_mode_cls_token": self.pooling == "cls",
                "pooling_mode_max_tokens": self.pooling == "max",
                "pooling_mode_mean_tokens": self.pooling == "mean",
            },
            "sentence_bert_config.json": {"max_seq_length": self.max_length},
        }
        weights = {
            name: as_stored(variable, self.dim).numpy()
            for name, variable in stored_names(self.network).items()
        }
        options = {"pooling": self.pooling, "max_length": self.max_length}
        with new_folder(filepath, "bert", self.dim, overwrite, **options) as folder:
            (folder / "1_Pooling").mkdir(parents=True)
            write_modules(folder, modules)
            for name, content in settings.items():
                (folder / name).write_text(json.dumps(content, indent=2))
            vocabulary = "".join(f"{piece}\n" for piece in self.tokenizer.vocabulary)
            (folder / "vocab.txt").write_text(vocabulary, "utf-8", newline="\n")
            # transformers refuses files that do not say whose layout they have.
            save_file(weights, folder / "model.safetensors", {"format": "pt"})
