"""An embedding table of SentencePiece's tokens, whole or in part."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune.encoders.use import weights
from usetune.encoders.use.table import StoredRows, Table, in_parts

# Token ids (n,) and their rows (n, dim), part by part.
Parts = Iterable[tuple[np.ndarray, np.ndarray]]

_UNKNOWN = "compact() was not told of the tokens in these texts:"


def known_tokens(path: str | Path, vocabulary: np.ndarray | None) -> np.ndarray:
    """Token ids that have a row, of a vocabulary read from a file; None for all.

    Raises:
        ValueError: naming the file, if they are no ascending ids of tokens.
    """
    known = np.arange(weights.VOCABULARY_SIZE)
    if vocabulary is None:
        return known
    if not np.array_equal(vocabulary, known[np.isin(known, vocabulary)]):
        raise ValueError(f"{path}: vocabulary must be ascending ids of tokens")
    return vocabulary


class TokenEmbedding(keras.layers.Layer):
    """Token ids → rows of the embedding table.

    Args:
        dim: components of a row.
        vocabulary: ascending token ids that have a row; None for all.
    """

    def __init__(
        self, dim: int, vocabulary: Iterable[int] | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.vocabulary = None if vocabulary is None else tuple(map(int, vocabulary))
        # -1 marks a token without a row.
        self._row_of_token = np.full(weights.VOCABULARY_SIZE, -1, dtype=np.int32)
        if self.vocabulary is None:
            self._row_of_token[:] = np.arange(weights.VOCABULARY_SIZE)
        else:
            self._row_of_token[list(self.vocabulary)] = np.arange(len(self.vocabulary))

    def build(self, input_shape: Any) -> None:
        """Create the table, (rows, dim)."""
        self.table = Table(len(self.tokens()), self.dim)
        self.built = True

    def save_own_variables(self, store: Any) -> None:
        """Put the tokens beside their rows into a file of weights."""
        super().save_own_variables(store)
        store["tokens"] = self.tokens()

    def load_own_variables(self, store: Any) -> None:
        """Take the rows from a file of weights.

        Raises:
            ValueError: if they belong to other tokens.
        """
        # Keras tries a layer that has failed once more, with nothing.
        stored = store["tokens"] if "tokens" in store.keys() else []
        if not np.array_equal(stored, self.tokens()):
            raise ValueError(
                "the weights belong to another vocabulary than the "
                f"{len(self.tokens())} tokens of this encoder; one that compact() made "
                "of the same texts takes them"
            )
        self.table.assign(store["0"])

    def rows(self, tokens: np.ndarray) -> np.ndarray:
        """Row of the table for each token id; -1 where there is none."""
        return self._row_of_token[tokens]

    def tokens(self) -> np.ndarray:
        """Token ids that have a row, ascending."""
        return np.flatnonzero(self._row_of_token >= 0)

    def check_known(self, tokens: np.ndarray, text: bytes) -> None:
        """Refuse a text with a token that has no row, as a call does.

        Args:
            tokens: of the text, (n,).
            text: the text, or how it begins.
        """
        if (self.rows(tokens) < 0).any():
            beginning = text.decode(errors="ignore")
            message = f"{_UNKNOWN} {beginning!r}"
            raise tf.errors.InvalidArgumentError(None, None, message)

    def lookup(self, tokens: np.ndarray) -> tf.Tensor:
        """Rows of known tokens (n,) → (n, dim)."""
        return self.table.read(self.rows(tokens))

    def fill(self, stored: StoredRows) -> None:
        """Take the rows of the tokens here from those stored for all token ids."""
        if self.vocabulary is None:
            self.table.fill(stored)
        else:
            for tokens in in_parts(self.tokens()):
                self.assign(tokens, stored.read(tokens))

    def take(self, other: "TokenEmbedding") -> None:
        """Take all rows of another one, whose tokens have one here, too."""
        stored = other.table.stored
        if stored is not None and self.vocabulary == other.vocabulary:
            self.table.fill(stored)
            return
        for tokens in in_parts(other.tokens()):
            self.assign(tokens, other.lookup(tokens))

    def assign(self, tokens: np.ndarray, rows: Any) -> None:
        """Write rows (n, dim) of known tokens (n,)."""
        self.table.update(self.rows(tokens), rows)

    def assign_known(self, parts: Parts) -> None:
        """Write the rows of those tokens that have one here."""
        for tokens, rows in parts:
            known = self.rows(tokens) >= 0
            self.assign(tokens[known], rows[known])

    def difference(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Known tokens (n,) and their rows (n, dim) that are not those given."""
        changed_tokens, changed_rows = [], []
        for tokens, rows in parts:
            known = self.rows(tokens) >= 0
            tokens, rows = tokens[known], rows[known]
            current = self.lookup(tokens).numpy()
            changed = np.any(current != rows, axis=1)
            changed_tokens.append(tokens[changed])
            changed_rows.append(current[changed])
        return np.concatenate(changed_tokens), np.concatenate(changed_rows)

    def call(
        self, distinct: tf.Tensor, tokens: tf.RaggedTensor, texts: tf.Tensor
    ) -> tf.Tensor:
        """Distinct token ids (distinct,) of texts (batch,) → (distinct, dim)."""
        if self.vocabulary is None:
            return tf.gather(self.table.value, distinct)
        unknown = tf.gather(self._row_of_token, tokens.values) < 0
        unseen = tf.gather(texts, tf.unique(tokens.value_rowids()[unknown]).y)
        known = tf.debugging.Assert(tf.size(unseen) == 0, [_UNKNOWN, unseen])
        # Eagerly, the assertion has been made and is None.
        with tf.control_dependencies([known] if known is not None else []):
            return tf.gather(self.table.value, tf.gather(self._row_of_token, distinct))
