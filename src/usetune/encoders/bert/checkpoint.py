"""Reading BERT checkpoints, in Hugging Face's layout.

sentence-transformers reads and writes such folders as well.
"""

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import tensorflow as tf

from usetune._utils.extras import require
from usetune._utils.paths import expand
from usetune.encoders.bert.model import POOLINGS, TransformerEncoder
from usetune.encoders.bert.network import ACTIVATIONS, as_stored, stored_names
from usetune.encoders.bert.tokenizer import SPECIAL, WordPieceTokenizer

# What is downloaded of a repository.
FILES = ["*.json", "vocab.txt", "model.safetensors"]
# Fields of config.json that must be there.
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)


def load_transformer(
    folder: str | Path,
    pooling: str | None = None,
    max_length: int | None = None,
    files: Collection[str] | None = None,
) -> TransformerEncoder:
    """Load a BERT checkpoint: config.json, model.safetensors and the tokenizer.

    Args:
        folder: where they lie.
        pooling: see `TransformerEncoder`. Default: what the checkpoint says, or "mean".
        max_length: see `TransformerEncoder`. Default: what the checkpoint says, or the
            positions of the model.
        files: names of the files that may be read. Default: all that there are.

    Raises:
        ValueError: if the checkpoint is damaged or of another architecture, or an
            argument is not allowed.
        OSError: if a file is missing.
        ImportError: if a package of the extra ``usetune[bert]`` is not installed.
    """
    for package in ("keras_hub", "safetensors"):
        require(package, "bert", "a BERT checkpoint")
    folder = expand(folder)
    try:
        return _read(folder, pooling, max_length, files)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error


def _read(
    folder: Path,
    pooling: str | None,
    max_length: int | None,
    files: Collection[str] | None,
) -> TransformerEncoder:
    def optional(name: str, kind: type = dict) -> Any:
        is_there = (folder / name).exists() and (files is None or name in files)
        return _read_json(folder / name, kind) if is_there else kind()

    config = _read_json(folder / "config.json")
    _check_config(config)
    _check_size(config, folder / "model.safetensors")
    if optional("config_sentence_transformers.json").get("default_prompt_name"):
        raise ValueError("a prompt put before each text is not supported")
    pooling_folder = _pooling_folder(optional("modules.json", list))
    sentences = optional("sentence_bert_config.json")
    settings = optional("tokenizer_config.json")
    if max_length is None:
        positions = config["max_position_embeddings"]
        stored = sentences.get("max_seq_length") or settings.get("model_max_length")
        max_length = min(stored or positions, positions)
    encoder = TransformerEncoder(
        config,
        _read_tokenizer(
            folder / "vocab.txt",
            optional("tokenizer.json"),
            settings,
            bool(sentences.get("do_lower_case")),
        ),
        pooling or _pooling(optional(f"{pooling_folder}/config.json")),
        max_length,
    )
    _read_weights(encoder, folder / "model.safetensors")
    return encoder


def _read_json(path: Path, kind: type = dict) -> Any:
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
    if not isinstance(content, kind):
        raise ValueError(f"{path.name} must hold a {kind.__name__}")
    return content


def _check_config(config: dict[str, Any]) -> None:
    """Refuse what `build_network` does not compute."""
    for field, allowed, default in (
        ("model_type", ["bert"], None),
        ("hidden_act", list(ACTIVATIONS), "gelu"),
        ("position_embedding_type", ["absolute"], "absolute"),
        ("is_decoder", [False], False),
    ):
        value = config.get(field, default)
        if value not in allowed:
            raise ValueError(
                f"config.json: {field} must be one of {allowed}. Received: {value!r}"
            )
    missing = [field for field in _SIZES if not isinstance(config.get(field), int)]
    if missing:
        raise ValueError(f"config.json must have the numbers {missing}")


def _check_size(config: dict[str, Any], weights: Path) -> None:
    """Refuse to make a network that the weights cannot fill, whatever its size."""
    rows = config["vocab_size"] + config["max_position_embeddings"]
    in_layer = 4 * config["hidden_size"] + 2 * config["intermediate_size"]
    rows += config["num_hidden_layers"] * in_layer
    needed, found = rows * config["hidden_size"], weights.stat().st_size
    if needed > found:
        raise ValueError(
            f"{weights.name} is damaged or another's: config.json describes {needed:,} "
            f"numbers, and it has {found:,} bytes"
        )


def _pooling_folder(modules: list[dict[str, Any]]) -> str:
    """Refuse modules beside transformer, pooling and normalisation."""
    path = "1_Pooling"
    for module in modules:
        kind = module["type"].rpartition(".")[2]
        if kind == "Pooling":
            path = module["path"]
        elif kind not in ("Transformer", "Normalize"):
            raise ValueError(f"modules.json: the module {kind} is not supported")
    return path


def _pooling(settings: dict[str, Any]) -> str:
    # Before version 6, sentence-transformers wrote a flag for each mode.
    flags = [flag for flag, value in settings.items() if value is True]
    modes = settings.get("pooling_mode") or [
        flag.removeprefix("pooling_mode_") for flag in flags if "pooling_mode_" in flag
    ]
    modes = [modes] if isinstance(modes, str) else modes or ["mean"]
    names = [re.sub("_tokens?$", "", mode) for mode in modes]
    if names == ["mean_sqrt_len"]:
        # The root of the length is gone once the embedding has unit length.
        return "mean"
    if len(names) > 1 or names[0] not in POOLINGS:
        raise ValueError(f"pooling must be one of {POOLINGS}. Received: {names}")
    return names[0]


def _read_tokenizer(
    path: Path, content: dict[str, Any], settings: dict[str, Any], lowercase: bool
) -> WordPieceTokenizer:
    """The tokenizer of tokenizer.json or, if that is empty, of vocab.txt."""
    stored: dict[str, Any] = {}
    if content:
        stored, model = content.get("normalizer") or {}, content.get("model") or {}
        kinds = [stored.get("type"), model.get("type")]
        added = [token["content"] for token in content.get("added_tokens", [])]
        if kinds != ["BertNormalizer", "WordPiece"] or not {*added} <= {*SPECIAL}:
            raise ValueError(
                f"tokenizer.json must be BERT's, with no tokens but {list(SPECIAL)} "
                f"added. Received: {kinds} with {added}"
            )
        vocabulary = sorted(model["vocab"], key=model["vocab"].get)
        if [model["vocab"][piece] for piece in vocabulary] != [*range(len(vocabulary))]:
            raise ValueError("tokenizer.json must number its vocabulary without gaps")
    else:
        kind = settings.get("tokenizer_class", "BertTokenizer")
        if kind not in ("BertTokenizer", "BertTokenizerFast"):
            raise ValueError(f"the tokenizer must be a BertTokenizer. Received: {kind}")
        with open(path, encoding="utf-8") as file:
            vocabulary = [line.rstrip("\n") for line in file]

    def setting(name: str, name_in_json: str, default: bool) -> bool:
        values = (settings.get(name), stored.get(name_in_json), default)
        return next(value for value in values if value is not None)

    uncased = setting("do_lower_case", "lowercase", True)
    return WordPieceTokenizer(
        vocabulary,
        lowercase=uncased or lowercase,
        strip_accents=setting("strip_accents", "strip_accents", uncased),
        split_chinese=setting("tokenize_chinese_chars", "handle_chinese_chars", True),
    )


def _read_weights(encoder: TransformerEncoder, path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    variables = stored_names(encoder.network)
    try:
        with safe_open(path, "tf") as file:
            keys = {_stored_name(key): key for key in file.keys()}
            # Heads and the pooler are not used; other layers would be another model.
            layers = {
                name for name in keys if name.startswith(("embeddings.", "encoder."))
            }
            layers.discard("embeddings.position_ids")
            wrong = sorted(layers ^ variables.keys())
            if wrong:
                raise ValueError(f"{path.name} does not fit config.json: {wrong[:3]}")
            for name, variable in variables.items():
                value = tf.cast(file.get_tensor(keys[name]), variable.dtype)
                wanted = as_stored(variable, encoder.dim).shape
                if value.shape != wanted:
                    raise ValueError(
                        f"{path.name}: {name} must have the shape {wanted}. "
                        f"Received: {value.shape}"
                    )
                if variable.name == "kernel":
                    value = tf.transpose(value)
                variable.assign(tf.reshape(value, variable.shape))
    except SafetensorError as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error


def _stored_name(key: str) -> str:
    """A weight's name without a head's prefix, and without TensorFlow's old names."""
    name = key.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
    return name.replace("LayerNorm.beta", "LayerNorm.bias")
