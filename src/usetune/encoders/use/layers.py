"""The layers of the Universal Sentence Encoder, on one flat run of tokens."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune.encoders.use import weights

_LAYER_NORM_EPSILON = 1e-12
# oneDNN keeps memory for each shape that a product has had: shapes come in steps.
_ROWS_STEP = 32


def pad_rows(x: tf.Tensor, value: Any = 0) -> tf.Tensor:
    """Append rows of ``value`` until their number is a multiple of 32."""
    missing = -tf.shape(x)[0] % _ROWS_STEP
    paddings = [[0, missing]] + [[0, 0]] * (len(x.shape) - 1)
    return tf.pad(x, paddings, constant_values=value)


class TokenEmbedding(keras.layers.Layer):
    """Token ids → rows of the embedding table.

    Args:
        dim: components of a row.
        vocabulary: ascending token ids that have a row; None for all.
    """

    def __init__(
        self, dim: int, vocabulary: Sequence[int] | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.vocabulary = None if vocabulary is None else tuple(vocabulary)
        # -1 marks a token without a row.
        self._row_of_token = np.full(weights.VOCABULARY_SIZE, -1, dtype=np.int32)
        if vocabulary is None:
            self._row_of_token[:] = np.arange(weights.VOCABULARY_SIZE)
        else:
            self._row_of_token[list(vocabulary)] = np.arange(len(vocabulary))

    def build(self, input_shape: Any) -> None:
        """Create the table, (rows, dim)."""
        rows = np.count_nonzero(self._row_of_token >= 0)
        self.table = self.add_weight(
            shape=(rows, self.dim), initializer="zeros", name="table"
        )
        self.built = True

    def rows(self, tokens: np.ndarray) -> np.ndarray:
        """Row of the table for each token id; -1 where there is none."""
        return self._row_of_token[tokens]

    def tokens(self) -> np.ndarray:
        """Token ids that have a row, ascending."""
        return np.flatnonzero(self._row_of_token >= 0)

    def lookup(self, tokens: np.ndarray) -> tf.Tensor:
        """Rows of known tokens (n,) → (n, dim)."""
        return tf.gather(self.table.value, self.rows(tokens))

    def call(
        self, distinct: tf.Tensor, tokens: tf.RaggedTensor, texts: tf.Tensor
    ) -> tf.Tensor:
        """Distinct token ids (distinct,) of texts (batch,) → (distinct, dim)."""
        if self.vocabulary is None:
            return tf.gather(self.table.value, distinct)
        unknown = tf.gather(self._row_of_token, tokens.values) < 0
        unseen = tf.gather(texts, tf.unique(tokens.value_rowids()[unknown]).y)
        known = tf.debugging.Assert(
            tf.size(unseen) == 0,
            ["compact() was not told of the tokens in these texts:", unseen],
        )
        # Eagerly, the assertion has been made and is None.
        with tf.control_dependencies([known] if known is not None else []):
            return tf.gather(self.table.value, tf.gather(self._row_of_token, distinct))


class NormalizedSum(keras.layers.LayerNormalization):
    """Layer normalization of each token's features, summed over each text.

    The features are the embedding and the channels side by side. They are summed part
    by part, as joining them would only move memory.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(epsilon=_LAYER_NORM_EPSILON, **kwargs)

    def call(
        self,
        embedded: tf.Tensor,
        index: tf.Tensor,
        channels: list[tf.Tensor],
        text_ids: tf.Tensor,
        length: tf.Tensor,
    ) -> tf.Tensor:
        """Features of the tokens → (batch, features).

        Args:
            embedded: embeddings of the distinct tokens, (distinct, dim).
            index: row of ``embedded`` for each token, (tokens,).
            channels: further features of each token, tensors (tokens, channels).
            text_ids: number of the text of each token, (tokens,). Tokens of numbers
                from ``batch`` on are left out.
            length: tokens of each text, (batch, 1).
        """
        width = self.gamma.shape[0]

        def mean(function: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
            sums = [tf.reduce_sum(function(part), axis=1) for part in channels]
            own = tf.gather(tf.reduce_sum(function(embedded), axis=1), index)
            return tf.add_n([own, *sums]) / width

        average = mean(tf.identity)  # (tokens,)
        variance = tf.nn.relu(mean(tf.square) - tf.square(average))
        scale = tf.math.rsqrt(variance + self.epsilon)
        sums = [
            tf.math.segment_sum(part * scale[:, None], text_ids)
            for part in (tf.gather(embedded, index), *channels)
        ]
        shift = tf.math.segment_sum(average * scale, text_ids)
        total = (tf.concat(sums, axis=1) - shift[:, None])[: tf.shape(length)[0]]
        return total * self.gamma + length * self.beta


class NgramConvolution(keras.layers.Layer):
    """Two residual convolutions over the n-grams of each text.

    Args:
        order: tokens of an n-gram.
        left: how many of them lie left of the centre.
        channels: width of the output.
    """

    def __init__(
        self, order: int, left: int, channels: int = 256, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.order, self.left, self.channels = order, left, channels
        self.projection = keras.layers.Dense(channels, name="projection")
        self.normalization = keras.layers.LayerNormalization(
            epsilon=_LAYER_NORM_EPSILON, name="normalization"
        )
        self.convolutions = [
            keras.layers.Dense(channels, activation="relu", name=f"convolution_{i}")
            for i in (1, 2)
        ]

    def build(self, input_shape: Any) -> None:
        """Create the weights for an input (tokens, dim)."""
        self.projection.build(input_shape)
        self.normalization.build((None, self.channels))
        for convolution in self.convolutions:
            convolution.build((None, self.order * self.channels))
        self.built = True

    def call(
        self, embedded: tf.Tensor, index: tf.Tensor, text_ids: tf.Tensor
    ) -> tf.Tensor:
        """Embeddings of the distinct tokens (distinct, dim) → (tokens, channels).

        Args:
            embedded: (distinct, dim).
            index: row of ``embedded`` for each token, (tokens,).
            text_ids: number of the text of each token, (tokens,).
        """
        first, second = self.convolutions
        x = self.normalization(self.projection(embedded))  # (distinct, channels)
        # The first convolution, one product for each distinct token and position.
        kernels = tf.reshape(first.kernel, (self.order, self.channels, self.channels))
        products = tf.unstack(tf.matmul(_zero_row(x)[None], kernels))
        neighbours = self._neighbours(index, text_ids, tf.shape(x)[0])
        sums = tf.add_n(list(map(tf.gather, products, neighbours)))
        x = tf.gather(x, index) + tf.nn.relu(sums + first.bias)  # (tokens, channels)
        # The second one, on the n-gram around each token.
        size = tf.size(index)
        neighbours = self._neighbours(tf.range(size), text_ids, size)
        windows = tf.gather(_zero_row(x), tf.stack(neighbours, axis=1))
        return x + second(tf.reshape(windows, (size, self.order * self.channels)))

    def _neighbours(
        self, index: tf.Tensor, text_ids: tf.Tensor, outside: tf.Tensor
    ) -> list[tf.Tensor]:
        """For each position of the n-gram, the index there of every token, (tokens,).

        Positions beyond either end of a text get the index ``outside``.
        """
        ends = [[self.left, self.order - 1 - self.left]]
        index = tf.pad(index, ends)
        ids = tf.pad(text_ids, ends, constant_values=-1)
        size = tf.size(text_ids)
        return [
            tf.where(
                ids[shift : shift + size] == text_ids,
                index[shift : shift + size],
                outside,
            )
            for shift in range(self.order)
        ]


def _zero_row(x: tf.Tensor) -> tf.Tensor:
    """Append a row of zeros, for positions beyond the ends of a text."""
    return tf.pad(x, [[0, 1], [0, 0]])


class FeedForward(keras.layers.Layer):
    """The layers above the sentence sum: (batch, 512) → (batch, 512) in (-1, 1)."""

    def __init__(self, width: int = 320, dim: int = 512, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = dim

        def dense(units: int, name: str) -> keras.layers.Dense:
            return keras.layers.Dense(units, use_bias=False, name=name)

        self.layers = [dense(width, "d0"), dense(width, "d1"), dense(dim, "d2")]
        self.layers += [dense(dim, "d3"), dense(width, "p1"), dense(dim, "p3")]

    def build(self, input_shape: Any) -> None:
        """Create the weights for an input (batch, dim)."""
        d0, d1, d2, d3, p1, p3 = self.layers
        for layer, inputs in (
            (d0, self.dim),
            (d1, d0.units),
            (d2, d1.units),
            (d3, d2.units),
            (p1, self.dim),
            (p3, d1.units),
        ):
            layer.build((None, inputs))
        self.built = True

    def call(self, sentence: tf.Tensor) -> tf.Tensor:
        """Sentence vectors (batch, 512) → (batch, 512)."""
        d0, d1, d2, d3, p1, p3 = self.layers
        y0 = tf.nn.relu(d0(sentence))
        y1 = tf.nn.relu(d1(y0) + p1(sentence))
        y2 = tf.nn.relu(d2(y1))
        return tf.tanh(d3(y2) + p3(y1))
