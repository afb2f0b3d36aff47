"""Convolutions over n-grams, each product made once for each distinct n-gram."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from usetune.encoders.use.layers import LAYER_NORM_EPSILON
from usetune.encoders.use.products import pad_rows, product


class NgramTables(NamedTuple):
    """What a convolution of n-grams is looked up in, a row for each distinct input.

    Attributes:
        own: what it adds to, (rows, channels).
        products: for each position of the n-gram, the product of own and the kernel
            of the position, (order, rows, channels), of the dtype of products.
    """

    own: tf.Tensor
    products: tf.Tensor


class TokenTables(NamedTuple):
    """What depends on a token alone, a row for each distinct token, padded.

    Attributes:
        embedded: (rows, 512).
        moments: of each row of these, see `NormalizedSum.moments`, (rows, 2).
        ngrams: of each n-gram's layers.
    """

    embedded: tf.Tensor
    moments: tf.Tensor
    ngrams: list[NgramTables]


class NgramConvolution(keras.layers.Layer):
    """Two residual convolutions over the n-grams of each text.

    Args:
        order: tokens of an n-gram.
        left: how many of them lie left of the centre.
        policy: dtype policy of the products; all else is float32.
        channels: width of the output.
    """

    def __init__(
        self, order: int, left: int, policy: str, channels: int = 256, **kwargs: Any
    ) -> None:
        # Products come and go as they are.
        super().__init__(autocast=False, **kwargs)
        self.order, self.left, self.channels = order, left, channels
        self.projection = keras.layers.Dense(channels, name="projection", dtype=policy)
        self.normalization = keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, name="normalization"
        )
        self.convolutions = [
            keras.layers.Dense(
                channels, activation="relu", name=f"convolution_{i}", dtype=policy
            )
            for i in (1, 2)
        ]

    def build(self, input_shape: Any) -> None:
        """Create the weights for an input (tokens, dim)."""
        self.projection.build(input_shape)
        self.normalization.build((None, self.channels))
        for convolution in self.convolutions:
            convolution.build((None, self.order * self.channels))
        self.built = True

    def tables(self, embedded: tf.Tensor, size: tf.Tensor) -> NgramTables:
        """What depends on a token alone, up to the products of the first convolution.

        Args:
            embedded: embeddings of the distinct tokens, padded, (rows, dim).
            size: how many of the rows are tokens.
        """
        x = self.normalization(self.projection(embedded))[:size]
        return self._tables(pad_rows(x), self.convolutions[0])

    def call(
        self, tables: NgramTables, index: tf.Tensor, text_ids: tf.Tensor
    ) -> tf.Tensor:
        """Both convolutions, each product made once for each distinct n-gram.

        Args:
            tables: see `tables`; the row behind those of the tokens is zero.
            index: row of the tables for each token, (tokens,).
            text_ids: number of the text of each token, ascending, (tokens,).

        Returns:
            (tokens, channels).
        """
        first, second = self.convolutions
        rows = tf.shape(tables.own)[0]
        neighbours = self._neighbours(index, text_ids, rows - 1)
        one, number = _distinct(neighbours, rows)
        ngrams = tf.gather(neighbours, one, axis=1)  # (order, distinct)
        x = pad_rows(self._residual(tables, ngrams, first.bias))
        neighbours = self._neighbours(number, text_ids, tf.shape(x)[0] - 1)
        return self._residual(self.second_tables(x), neighbours, second.bias)

    def second_tables(self, x: tf.Tensor) -> NgramTables:
        """What the first convolution gives for n-grams, (rows, channels) → tables."""
        return self._tables(x, self.convolutions[1])

    def _tables(self, x: tf.Tensor, convolution: keras.layers.Dense) -> NgramTables:
        """The tables of a convolution of ``x``, (rows, channels)."""
        shape = (self.order, self.channels, self.channels)
        kernels = tf.reshape(convolution.kernel, shape)
        return NgramTables(x, product(x[None], kernels, convolution.compute_dtype))

    def _residual(
        self, tables: NgramTables, ngrams: tf.Tensor, bias: tf.Tensor
    ) -> tf.Tensor:
        """One convolution of n-grams (order, n) of its tables' rows → (n, channels)."""
        own = tf.gather(tables.own, ngrams[self.left])
        rows = tf.range(self.order)[:, None] * tf.shape(tables.own)[0] + ngrams
        products = tf.gather(tf.reshape(tables.products, (-1, self.channels)), rows)
        sums = tf.add_n(tf.unstack(tf.cast(products, own.dtype), self.order))
        return own + tf.nn.relu(sums + bias)

    def _neighbours(
        self, index: tf.Tensor, text_ids: tf.Tensor, outside: tf.Tensor
    ) -> tf.Tensor:
        """For each position of the n-gram, the index there of each, (order, tokens).

        Positions beyond either end of a text get the index ``outside``.
        """
        ends = [[self.left, self.order - 1 - self.left]]
        positions = tf.range(self.order)[:, None] + tf.range(tf.size(index))
        ids = tf.gather(tf.pad(text_ids, ends, constant_values=-1), positions)
        index = tf.gather(tf.pad(index, ends), positions)
        return tf.where(ids == text_ids, index, outside)


def _distinct(neighbours: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Number the n-grams, equal ones alike.

    Args:
        neighbours: for each position of the n-gram a number below ``rows``, int32
            (order, tokens).
        rows: at most 2**18.

    Returns:
        A token that has each distinct n-gram, (distinct,); and the number of every
        token's n-gram, (tokens,).
    """
    number, *rest = tf.unstack(tf.cast(neighbours, tf.int64))
    rows = tf.cast(rows, tf.int64)
    # As many as surely fit into 63 bits.
    while rest:
        for column in rest[:2]:
            number = number * rows + column
        distinct, number = tf.unique(number, tf.int64)
        rest = rest[2:]
    number = tf.cast(number, tf.int32)
    tokens = tf.range(tf.size(number))
    return tf.math.unsorted_segment_min(tokens, number, tf.size(distinct)), number
