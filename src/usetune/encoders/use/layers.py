"""The layers of the Universal Sentence Encoder, on one flat run of tokens."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

_LAYER_NORM_EPSILON = 1e-12
# oneDNN keeps memory for each shape that a product has had: shapes come in steps.
_ROWS_STEP = 32


def pad_rows(x: tf.Tensor, value: Any = 0) -> tf.Tensor:
    """Append rows of ``value`` until their number is a multiple of 32."""
    missing = -tf.shape(x)[0] % _ROWS_STEP
    paddings = [[0, missing]] + [[0, 0]] * (len(x.shape) - 1)
    return tf.pad(x, paddings, constant_values=value)


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
    """The layers above the sentence sum: (batch, 512) → (batch, 512) in (-1, 1).

    Four layers without biases, in two blocks of two. A skip connection, which is linear
    and trained as well, leads around each block and is added before the activation of
    its last layer.
    """

    def __init__(self, width: int = 320, dim: int = 512, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = dim

        def dense(units: int, name: str) -> keras.layers.Dense:
            return keras.layers.Dense(units, use_bias=False, name=name)

        # In the order that the weights are stored and trained in.
        self.dense_1 = dense(width, "dense_1")
        self.dense_2 = dense(width, "dense_2")
        self.dense_3 = dense(dim, "dense_3")
        self.dense_4 = dense(dim, "dense_4")
        self.skip_2 = dense(width, "skip_2")
        self.skip_4 = dense(dim, "skip_4")

    def build(self, input_shape: Any) -> None:
        """Create the weights for an input (batch, dim)."""
        width = self.dense_1.units
        self.dense_1.build((None, self.dim))
        self.dense_2.build((None, width))
        self.dense_3.build((None, width))
        self.dense_4.build((None, self.dim))
        self.skip_2.build((None, self.dim))
        self.skip_4.build((None, width))
        self.built = True

    def call(self, sentence: tf.Tensor) -> tf.Tensor:
        """Sentence vectors (batch, 512) → (batch, 512)."""
        hidden = self.dense_2(tf.nn.relu(self.dense_1(sentence)))
        middle = tf.nn.relu(hidden + self.skip_2(sentence))  # (batch, width)
        hidden = self.dense_4(tf.nn.relu(self.dense_3(middle)))
        return tf.tanh(hidden + self.skip_4(middle))
