"""The layers that reduce tokens to one vector of each text, and those above it."""

from typing import Any

import keras
import tensorflow as tf

LAYER_NORM_EPSILON = 1e-12


class NormalizedSum(keras.layers.LayerNormalization):
    """Layer normalization of each token's features, summed over each text.

    The features are the embedding and the channels side by side. They are summed part
    by part, as joining them would only move memory.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(epsilon=LAYER_NORM_EPSILON, **kwargs)

    def moments(self, features: tf.Tensor) -> tf.Tensor:
        """Sum and sum of squares of each row of (rows, features), (rows, 2)."""
        sums = [tf.reduce_sum(x, axis=1) for x in (features, tf.square(features))]
        return tf.stack(sums, axis=1)

    def call(
        self,
        embedded: tf.Tensor,
        moments: tf.Tensor,
        index: tf.Tensor,
        channels: list[tf.Tensor],
        text_ids: tf.Tensor,
        length: tf.Tensor,
    ) -> tf.Tensor:
        """Features of the tokens → (batch, features).

        Args:
            embedded: embeddings of the distinct tokens, (distinct, dim).
            moments: of ``embedded``, (distinct, 2).
            index: row of ``embedded`` for each token, (tokens,).
            channels: further features of each token, tensors (tokens, channels).
            text_ids: number of the text of each token, (tokens,).
            length: tokens of each text, (batch, 1).
        """
        sums = [tf.gather(moments, index), *map(self.moments, channels)]
        average, square = tf.unstack(tf.add_n(sums) / self.gamma.shape[0], axis=1)
        variance = tf.nn.relu(square - tf.square(average))
        scale = tf.math.rsqrt(variance + self.epsilon)
        parts = [
            tf.math.segment_sum(part * scale[:, None], text_ids)
            for part in (tf.gather(embedded, index), *channels)
        ]
        shift = tf.math.segment_sum(average * scale, text_ids)
        total = tf.concat(parts, axis=1) - shift[:, None]
        return total * self.gamma + length * self.beta


class FeedForward(keras.layers.Layer):
    """The layers above the sentence sum: (batch, 512) → (batch, 512) in (-1, 1).

    Four layers without biases, in two blocks of two. A skip connection, which is linear
    and trained as well, leads around each block and is added before the activation of
    its last layer.

    Args:
        policy: dtype policy of the products; all else is float32.
        width: of the first block.
        dim: of the input and the output.
    """

    def __init__(
        self, policy: str, width: int = 320, dim: int = 512, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim

        def dense(units: int, name: str) -> keras.layers.Dense:
            return keras.layers.Dense(units, use_bias=False, name=name, dtype=policy)

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
        middle = _sum(hidden, self.skip_2(sentence))  # (batch, width)
        middle = tf.nn.relu(middle)
        hidden = self.dense_4(tf.nn.relu(self.dense_3(middle)))
        return tf.tanh(_sum(hidden, self.skip_4(middle)))


def _sum(*products: tf.Tensor) -> tf.Tensor:
    return tf.add_n([tf.cast(x, tf.float32) for x in products])
