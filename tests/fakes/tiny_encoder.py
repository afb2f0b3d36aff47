"""A quick trainable encoder, for tests of what does not depend on the real one."""

import keras
import numpy as np
import tensorflow as tf

from usetune import Encoder

_BUCKETS = 512


class TinyEncoder(Encoder):
    """Words are hashed, embedded, averaged, and projected."""

    def __init__(self, dim=16, seed=0):
        super().__init__(name="tiny")
        self.dim = dim
        self.resources = []
        generator = np.random.default_rng(seed)
        self.embedding = keras.layers.Dense(dim, use_bias=False, name="embedding")
        self.projection = keras.layers.Dense(dim, name="projection")
        self.embedding.build((None, _BUCKETS))
        self.projection.build((None, dim))
        self.built = True
        self.set_weights(
            [generator.normal(size=v.shape) / 4 for v in self.trainable_variables]
        )

    def call(self, texts):
        words = tf.strings.split(texts)
        buckets = tf.strings.to_hash_bucket_fast(words.values, _BUCKETS)
        totals = tf.math.unsorted_segment_sum(
            self.embedding(tf.one_hot(buckets, _BUCKETS)),
            words.value_rowids(),
            words.nrows(),
        )
        return tf.math.l2_normalize(self.projection(totals), axis=1)

    def copy(self):
        copy = TinyEncoder(self.dim)
        copy.set_weights(self.get_weights())
        return copy.freeze_layers(self.frozen_layers())

    def compact(self, texts):
        return self.copy()

    def expand(self, base):
        return self
