"""BERT checkpoints as encoders: a transformer, and pooling over its tokens.

Devlin et al., "BERT" (2019, arXiv:1810.04805), section 3, pooled as by Reimers and
Gurevych, "Sentence-BERT" (2019, arXiv:1908.10084), section 3. A checkpoint is a folder
in Hugging Face's layout, which sentence-transformers reads and writes as well.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from keras import ops

from usetune.encoder import Encoder, utf8
from usetune.files import replacing

POOLINGS = ("mean", "cls", "max")
# oneDNN keeps memory for each shape that a product has had: shapes come in steps.
_TEXTS_STEP = 8
_TOKENS_STEP = 4
# Texts that are tokenized at a time to find those that are cut.
_CHUNK = 1024

# One character for each special token, of those that Unicode keeps out of texts, so
# that normalisation and splitting leave special tokens in a text whole.
_SPECIAL = {
    "[PAD]": "\ufdd0",
    "[UNK]": "\ufdd1",
    "[CLS]": "\ufdd2",
    "[SEP]": "\ufdd3",
    "[MASK]": "\ufdd4",
}
_CHARACTERS_PER_WORD = 100
_PUNCTUATION = r"!-/:-@\[-`{-~\p{P}"
_CHINESE = (
    r"\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
    r"\x{2B740}-\x{2B81F}\x{2B920}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}"
)

_ACTIVATIONS = {
    "gelu": keras.activations.gelu,
    "gelu_new": partial(keras.activations.gelu, approximate=True),
    "relu": keras.activations.relu,
}
# Fields of config.json that must be there.
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)
# What the layers of a block are called in a checkpoint.
_LAYERS = {
    "self_attention_layer/query": "attention.self.query",
    "self_attention_layer/key": "attention.self.key",
    "self_attention_layer/value": "attention.self.value",
    "self_attention_layer/attention_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.output.LayerNorm",
    "feedforward_intermediate_dense": "intermediate.dense",
    "feedforward_output_dense": "output.dense",
    "feedforward_layer_norm": "output.LayerNorm",
}


class WordPieceTokenizer:
    """BERT's tokenizer in the graph: Devlin et al. (2019), section 3.

    Agrees with Hugging Face's ``tokenizers`` but for some 570 characters that its
    older tables of Unicode class otherwise.

    Args:
        vocabulary: the pieces, by token id.
        lowercase: lower-case texts.
        strip_accents: decompose characters and drop their marks.
        split_chinese: each Chinese character is a word.

    Raises:
        ValueError: if a special token is not in the vocabulary.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool,
        strip_accents: bool,
        split_chinese: bool,
    ) -> None:
        self.vocabulary = list(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.split_chinese = split_chinese
        self.id_of = {piece: number for number, piece in enumerate(vocabulary)}
        missing = [token for token in _SPECIAL if token not in self.id_of]
        if missing:
            raise ValueError(f"the vocabulary lacks {missing}")
        self._wordpiece = tf_text.FastWordpieceTokenizer(
            # Of equal pieces the last counts. No word has a line break in it.
            [
                _SPECIAL.get(piece, piece)
                if self.id_of[piece] == number
                else f"\n{number}"
                for number, piece in enumerate(vocabulary)
            ],
            unknown_token=_SPECIAL["[UNK]"],
            token_out_type=tf.int32,
            max_bytes_per_word=4 * _CHARACTERS_PER_WORD,
            no_pretokenization=True,
        )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """String tensor (batch,) → int32 token ids (batch, None), no [CLS], [SEP]."""
        words = tf.strings.split(self._spaced(texts))
        too_long = tf.strings.length(words.values, "UTF8_CHAR") > _CHARACTERS_PER_WORD
        words = words.with_values(tf.where(too_long, _SPECIAL["[UNK]"], words.values))
        return self._wordpiece.tokenize(words).merge_dims(1, 2)

    def _spaced(self, texts: tf.Tensor) -> tf.Tensor:
        """Normalise texts, and put spaces between their words."""
        replace = tf.strings.regex_replace
        special = "".join(_SPECIAL.values())
        texts = replace(texts, f"[{special}]", "")
        for token, character in _SPECIAL.items():
            texts = replace(texts, rf"\[{token[1:-1]}\]", character)
        texts = replace(texts, r"[\t\n\r\p{Z}]", " ")
        texts = replace(texts, r"[\p{C}\x{FFFD}]", "")
        if self.strip_accents:
            texts = replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
        if self.lowercase:
            # Σ is σ at the end of a word, too, and ASCII goes first, as the next
            # step would make a Turkish ı of I where that is the system's language.
            texts = tf.strings.lower(replace(texts, "Σ", "σ"))
            texts = tf.strings.lower(texts, encoding="utf-8")
        chinese = _CHINESE if self.split_chinese else ""
        return replace(texts, f"[{_PUNCTUATION}{chinese}{special}]", r" \0 ")


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
        self.network = _network(config)
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
        return tf.math.l2_normalize(pooled[:batch], axis=1)

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """`Encoder.encode`, which also warns of texts longer than ``max_length``."""
        embeddings = super().encode(texts, batch_size)
        self._warn_of_cut(texts)
        return embeddings

    def compact(self, texts: Sequence[str]) -> TransformerEncoder:
        """An independent copy; nothing is left out.

        Args:
            texts: it warns of those longer than ``max_length``.
        """
        self._warn_of_cut(texts)
        return self.copy()

    def _warn_of_cut(self, texts: Sequence[str]) -> None:
        room = self.max_length - 2
        # A token has at least one byte, so that few texts have to be tokenized here.
        count = Counter(text for text in utf8(texts) if len(text) > room)
        long, cut = list(count), 0
        for start in range(0, len(long), _CHUNK):
            part = long[start : start + _CHUNK]
            lengths = self.tokenizer(tf.constant(part)).row_lengths().numpy()
            cut += sum(count[part[row]] for row in np.flatnonzero(lengths > room))
        if cut:
            warnings.warn(
                f"{cut} of {len(texts)} texts are longer than max_length="
                f"{self.max_length} tokens; what lies behind is not read",
                stacklevel=3,
            )

    def expand(self, base: Encoder) -> TransformerEncoder:
        """This encoder: `compact` left nothing out."""
        return self

    def copy(self) -> TransformerEncoder:
        """An independent encoder with the same weights."""
        copy = TransformerEncoder(
            self.config, self.tokenizer, self.pooling, self.max_length
        )
        for source, target in zip(self.variables, copy.variables, strict=True):
            target.assign(source.value)
        return copy

    def save(self, filepath: str | Path) -> None:
        """Save as a checkpoint folder.

        `usetune.load_encoder` reads it back, and so does sentence-transformers.

        Args:
            filepath: the folder to create.

        Raises:
            FileExistsError: if ``filepath`` exists.
        """
        from safetensors.numpy import save_file

        if Path(filepath).exists():
            raise FileExistsError(f"save() creates a new folder; {filepath} exists")
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
            "modules.json": [
                {
                    "idx": number,
                    "name": str(number),
                    "path": path,
                    "type": f"sentence_transformers.models.{kind}",
                }
                for number, (kind, path) in enumerate(modules)
            ],
            "1_Pooling/config.json": {
                "word_embedding_dimension": self.dim,
                "pooling_mode_cls_token": self.pooling == "cls",
                "pooling_mode_max_tokens": self.pooling == "max",
                "pooling_mode_mean_tokens": self.pooling == "mean",
            },
            "sentence_bert_config.json": {"max_seq_length": self.max_length},
        }
        weights = {
            name: _as_stored(variable, self.dim).numpy()
            for name, variable in _stored_names(self.network).items()
        }
        with replacing(filepath) as folder:
            (folder / "1_Pooling").mkdir(parents=True)
            for name, content in settings.items():
                (folder / name).write_text(json.dumps(content, indent=2))
            vocabulary = "".join(f"{piece}\n" for piece in self.tokenizer.vocabulary)
            (folder / "vocab.txt").write_text(vocabulary, "utf-8", newline="\n")
            # transformers refuses files that do not say whose layout they have.
            save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _network(config: dict[str, Any]) -> keras.Model:
    """Token ids and mask (batch, tokens) → last layer's states (batch, tokens, dim).

    The layers have the names of their weights in a checkpoint.
    """
    import keras_hub

    dim, epsilon = config["hidden_size"], config.get("layer_norm_eps", 1e-12)
    tokens = keras.Input((None,), dtype="int32")
    mask = keras.Input((None,), dtype="bool")
    x = keras.layers.Embedding(
        config["vocab_size"], dim, "zeros", name="embeddings.word_embeddings"
    )(tokens)
    x += keras_hub.layers.PositionEmbedding(
        config["max_position_embeddings"],
        initializer="zeros",
        name="embeddings.position_embeddings",
    )(x)
    x += keras.layers.Embedding(
        config.get("type_vocab_size", 2),
        dim,
        "zeros",
        name="embeddings.token_type_embeddings",
    )(ops.zeros_like(tokens))
    x = keras.layers.LayerNormalization(epsilon=epsilon, name="embeddings.LayerNorm")(x)
    for number in range(config["num_hidden_layers"]):
        x = keras_hub.layers.TransformerEncoder(
            intermediate_dim=config["intermediate_size"],
            num_heads=config["num_attention_heads"],
            activation=_ACTIVATIONS[config.get("hidden_act", "gelu")],
            layer_norm_epsilon=epsilon,
            kernel_initializer="zeros",
            name=f"encoder.layer.{number}",
        )(x, padding_mask=mask)
    return keras.Model([tokens, mask], x)


def _stored_names(network: keras.Model) -> dict[str, keras.Variable]:
    """The variables by their names in a checkpoint."""
    names = {}
    for variable in network.variables:
        layer, *inner, kind = variable.path.split("/")
        if inner:
            layer += "." + _LAYERS["/".join(inner)]
        suffix = "bias" if kind in ("bias", "beta") else "weight"
        names[f"{layer}.{suffix}"] = variable
    return names


def _as_stored(variable: keras.Variable, dim: int) -> tf.Tensor:
    """A variable in the layout of a checkpoint: kernels (outputs, inputs), no heads."""
    value = variable.value
    if variable.name == "kernel":
        return tf.transpose(
            tf.reshape(value, (dim, -1)) if value.shape.rank == 3 else value
        )
    return value if variable.name == "embeddings" else tf.reshape(value, [-1])


def load_transformer(
    handle: str, pooling: str | None = None, max_length: int | None = None
) -> TransformerEncoder:
    """Load a BERT checkpoint: config.json, model.safetensors and the tokenizer.

    Args:
        handle: a folder, or an id of the Hugging Face Hub, ``owner/model``, which is
            downloaded into that library's cache once.
        pooling: see `TransformerEncoder`. Default: what the checkpoint says, or "mean".
        max_length: see `TransformerEncoder`. Default: what the checkpoint says, or the
            positions of the model.

    Raises:
        ValueError: if the checkpoint is damaged or of another architecture, or an
            argument is not allowed.
        OSError: if a file is missing, or the download fails.
        ImportError: if a package of the extra ``usetune[bert]`` is not installed.
    """
    try:
        import huggingface_hub  # noqa: F401
        import keras_hub  # noqa: F401
        import safetensors  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"a BERT checkpoint needs the extra usetune[bert], that is keras-hub, "
            f"safetensors and huggingface-hub: pip install usetune[bert] ({error})"
        ) from error
    folder = Path(handle) if handle and Path(handle).is_dir() else _download(handle)
    try:
        return _read(folder, pooling, max_length)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error


def _download(name: str) -> Path:
    import huggingface_hub

    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise FileNotFoundError(f"{name!r} is neither a folder nor owner/model")
    files = ["*.json", "vocab.txt", "model.safetensors"]
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=files))
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name!r} is not a folder, and could not be downloaded from the Hugging "
            f"Face Hub: {error}"
        ) from error


def _read(
    folder: Path, pooling: str | None, max_length: int | None
) -> TransformerEncoder:
    config = _read_json(folder / "config.json")
    _check_config(config)
    pooling_folder = _pooling_folder(folder)
    sentences = _read_json(folder / "sentence_bert_config.json", optional=True)
    settings = _read_json(folder / "tokenizer_config.json", optional=True)
    if max_length is None:
        positions = config["max_position_embeddings"]
        stored = sentences.get("max_seq_length") or settings.get("model_max_length")
        max_length = min(stored or positions, positions)
    encoder = TransformerEncoder(
        config,
        _read_tokenizer(folder, settings, bool(sentences.get("do_lower_case"))),
        pooling or _read_pooling(folder / pooling_folder / "config.json"),
        max_length,
    )
    _read_weights(encoder, folder / "model.safetensors")
    return encoder


def _read_json(path: Path, optional: bool = False, kind: type = dict) -> Any:
    if optional and not path.exists():
        return kind()
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
    if not isinstance(content, kind):
        raise ValueError(f"{path.name} must hold a {kind.__name__}")
    return content


def _check_config(config: dict[str, Any]) -> None:
    """Refuse what `_network` does not compute."""
    for field, allowed, default in (
        ("model_type", ["bert"], None),
        ("hidden_act", list(_ACTIVATIONS), "gelu"),
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


def _pooling_folder(folder: Path) -> str:
    """Refuse modules beside transformer, pooling and normalisation."""
    path = "1_Pooling"
    for module in _read_json(folder / "modules.json", True, list):
        kind = module["type"].rpartition(".")[2]
        if kind == "Pooling":
            path = module["path"]
        elif kind not in ("Transformer", "Normalize"):
            raise ValueError(f"modules.json: the module {kind} is not supported")
    settings = _read_json(folder / "config_sentence_transformers.json", optional=True)
    if settings.get("default_prompt_name"):
        raise ValueError("a prompt put before each text is not supported")
    return path


def _read_pooling(path: Path) -> str:
    settings = _read_json(path, optional=True)
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
    folder: Path, settings: dict[str, Any], lowercase: bool
) -> WordPieceTokenizer:
    """The tokenizer of tokenizer.json or, without one, of vocab.txt."""
    stored: dict[str, Any] = {}
    if (folder / "tokenizer.json").exists():
        content = _read_json(folder / "tokenizer.json")
        stored, model = content.get("normalizer") or {}, content.get("model") or {}
        kinds = [stored.get("type"), model.get("type")]
        added = [token["content"] for token in content.get("added_tokens", [])]
        if kinds != ["BertNormalizer", "WordPiece"] or not {*added} <= {*_SPECIAL}:
            raise ValueError(
                f"tokenizer.json must be BERT's, with no tokens but {list(_SPECIAL)} "
                f"added. Received: {kinds} with {added}"
            )
        vocabulary = sorted(model["vocab"], key=model["vocab"].get)
        if [model["vocab"][piece] for piece in vocabulary] != [*range(len(vocabulary))]:
            raise ValueError("tokenizer.json must number its vocabulary without gaps")
    else:
        kind = settings.get("tokenizer_class", "BertTokenizer")
        if kind not in ("BertTokenizer", "BertTokenizerFast"):
            raise ValueError(f"the tokenizer must be a BertTokenizer. Received: {kind}")
        with open(folder / "vocab.txt", encoding="utf-8") as file:
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

    variables = _stored_names(encoder.network)
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
                wanted = _as_stored(variable, encoder.dim).shape
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
