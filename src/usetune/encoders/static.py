"""A static encoder: a vector for each token, and their sum for a text.

As in model2vec (van Dongen and Tulkens, 2024, github.com/MinishLab/model2vec): no
token sees the others. `usetune.distil` makes one of any encoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune._utils.arrays import ArraySpec, read_arrays, write_arrays
from usetune._utils.checks import check_at_least
from usetune.devices import float32_policy
from usetune.encoders.folder import new_folder
from usetune.encoders.strings import BATCH_BYTES
from usetune.encoders.use.embedding import TokenEmbedding, known_tokens
from usetune.encoders.use.pieces import PieceEncoder
from usetune.similarity import unit_length

TABLE = "table.npz"


@keras.saving.register_keras_serializable("usetune")
class StaticEncoder(PieceEncoder):
    """Strings (batch,) → float32 embeddings (batch, dim) of unit length.

    A text is the sum of its tokens' vectors, and of one that every text has. How much
    a token weighs is the length of its vector. It is built with zeros for weights;
    `usetune.distil` and `usetune.load_encoder` fill them in.

    Args:
        sentencepiece: see `UniversalSentenceEncoder`; here each word between spaces is
            cut into tokens by itself.
        vocabulary: see `UniversalSentenceEncoder`.
        dim: components of an embedding, at least 1.
    """

    # No token is held while a batch is computed, and words are shared within it.
    batch_bytes = 16 * BATCH_BYTES
    has_ends = False

    def __init__(
        self,
        sentencepiece: bytes,
        vocabulary: Iterable[int] | None = None,
        dim: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_at_least("dim", dim)
        self.dim = dim
        self._set_sentencepiece(sentencepiece)
        with float32_policy():
            self.embedding = TokenEmbedding(dim, vocabulary, name="embedding")
            self.start = _Vector(dim, name="start")
        self.embedding.build((None,))
        self.built = True

    def _settings(self) -> dict[str, Any]:
        return {"dim": self.dim}

    def _tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        words = tf.strings.split(texts)
        tokens = self.tokenizer.tokenize(words.values)
        return words.with_values(tokens).merge_dims(1, 2)

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → float32 tensor (batch, dim) of unit length.

        Raises:
            tf.errors.InvalidArgumentError: if this encoder is compact and meets a
                token without a row; the message holds the words.
        """
        self._check_sentencepiece()
        words = tf.strings.split(texts)
        # Each distinct word is cut and summed once.
        distinct, index = tf.unique(words.values)  # (distinct,), (words,)
        tokens = self.tokenizer.tokenize(distinct)
        ids, place = tf.unique(tokens.values)
        rows = self.embedding(ids, tokens, distinct)
        of_word = _sums(rows, place, tokens)  # (distinct, dim)
        return unit_length(_sums(of_word, index, words) + self.start.vector)

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: SentencePiece and vocabulary."""
        return {"kind": "static", **super().configuration}

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save the table whole: 4 bytes a component and token, 131 MB of 256.

        Args:
            filepath: the folder to create.
            overwrite: see `Encoder.save`.

        Raises:
            FileExistsError: as `Encoder.save` does.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5.
        """
        arrays = {
            "table": self.embedding.table.numpy(),
            "start": self.start.vector.numpy(),
        }
        if self.embedding.vocabulary is not None:
            arrays["vocabulary"] = self.embedding.tokens()
        with new_folder(filepath, "static", self.dim, overwrite) as folder:
            folder.mkdir()
            write_arrays(folder / TABLE, arrays)
            (folder / "sentencepiece.model").write_bytes(self.sentencepiece)


def load_static(folder: Path) -> StaticEncoder:
    """The encoder that `StaticEncoder.save` wrote.

    Raises:
        OSError: if a file is missing.
        ValueError: if a file is damaged.
    """
    path = folder / TABLE
    specs = {
        "table": ArraySpec("float32", ("tokens", "dim"), finite=True),
        "start": ArraySpec("float32", ("dim",), finite=True),
        "vocabulary": ArraySpec("int64", ("tokens",), optional=True),
    }
    arrays = read_arrays(path, specs)
    vocabulary, table = arrays.get("vocabulary"), arrays["table"]
    tokens = known_tokens(path, vocabulary)
    if len(tokens) != len(table) or not table.shape[1]:
        raise ValueError(
            f"{path}: table must have a row for each of {len(tokens)} tokens. "
            f"Received: shape {table.shape}"
        )
    sentencepiece = (folder / "sentencepiece.model").read_bytes()
    encoder = StaticEncoder(sentencepiece, vocabulary, table.shape[1])
    # In parts: TensorFlow's allocator would keep the room of a second table.
    parts = (np.array_split(array, 128) for array in (tokens, table))
    encoder.embedding.assign_known(zip(*parts, strict=True))
    encoder.start.vector.assign(arrays["start"])
    return encoder


class _Vector(keras.layers.Layer):
    """A vector (dim,) that is trained."""

    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vector = self.add_weight((dim,), initializer="zeros", name="vector")
        self.built = True


def _sums(rows: tf.Tensor, index: tf.Tensor, of: tf.RaggedTensor) -> tf.Tensor:
    """Sum of the rows of each list: index (items,) of rows (n, dim) → (lists, dim)."""
    # Gathers and adds at once, so that no item's row is ever stored.
    return tf.sparse.segment_sum(
        rows, index, of.value_rowids(), num_segments=of.nrows()
    )
