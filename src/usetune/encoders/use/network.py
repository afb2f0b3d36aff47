"""What the multilingual Universal Sentence Encoder computes, from strings to vectors.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval" (2019,
arXiv:1907.04307), the convolutional variant. The tokens of a batch are one flat run,
the number of its text beside each token, so nothing is padded.

What depends on a token alone, up to the products of the first convolution, is computed
once for each distinct token of the batch and gathered; what depends on an n-gram, up to
the products of the second convolution, once for each distinct n-gram. This is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune.devices import float32_policy, product_policy
from usetune.encoders.strings import BATCH_BYTES
from usetune.encoders.use import weights
from usetune.encoders.use.embedding import TokenEmbedding
from usetune.encoders.use.instructions import has_tiles
from usetune.encoders.use.layers import FeedForward, NormalizedSum
from usetune.encoders.use.long_texts import parts, tokenize_long
from usetune.encoders.use.ngrams import NgramConvolution, TokenTables
from usetune.encoders.use.pieces import PieceEncoder
from usetune.encoders.use.products import pad_rows, product
from usetune.encoders.use.run_products import (
    RunProducts,
    TensorFlowProducts,
    TileProducts,
)
from usetune.encoders.use.runs import embed_runs
from usetune.similarity import unit_length

# (tokens of the n-gram, how many of them lie left of its centre)
_NGRAMS = ((2, 0), (3, 1), (5, 2))
# Tokens that the two convolutions of an n-gram see, at most, to either side.
_CONTEXT = 2 * max(max(left, order - 1 - left) for order, left in _NGRAMS)
# A batch of fewer UTF-8 bytes is sooner computed by TensorFlow alone.
_FEW_BYTES = 32_768


class Network(PieceEncoder):
    """Tokenizer and layers; `UniversalSentenceEncoder` says what the arguments are."""

    def __init__(
        self,
        sentencepiece: bytes,
        vocabulary: Iterable[int] | None = None,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dim = weights.DIM
        self.precision = precision
        if not _has_gpu():
            # One table serves many texts, which are computed in smaller runs.
            self.batch_bytes = 8 * BATCH_BYTES
        policy = product_policy(precision)
        self._set_sentencepiece(sentencepiece)
        with float32_policy():
            self.embedding = TokenEmbedding(self.dim, vocabulary, name="embedding")
            self.ngrams = [
                NgramConvolution(order, left, policy, name=f"ngram_{order}")
                for order, left in _NGRAMS
            ]
            self.normalization = NormalizedSum(name="normalization")
            self.projection = keras.layers.Dense(
                self.dim, name="projection", dtype=policy
            )
            self.feed_forward = FeedForward(policy, name="feed_forward")
        self.build((None,))

    def _settings(self) -> dict[str, Any]:
        return {"precision": self.precision}

    def _training_settings(self) -> dict[str, Any]:
        # bfloat16 is for encoding.
        return {}

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
        self._check_sentencepiece()
        tokens = self.tokenizer.tokenize(texts)
        lengths = tokens.row_lengths()
        text_ids = tf.repeat(tf.range(tf.size(lengths)), lengths)  # (tokens,)
        tables, index = self._tables(tokens, texts)
        channels = self._channels(tables, index, text_ids)
        length = tf.cast(lengths, tf.float32)[:, None]
        total = self.normalization(*tables[:2], index, channels, text_ids, length)
        return self._embed_sum(total, length)

    def _tables(
        self, tokens: tf.RaggedTensor, texts: tf.Tensor
    ) -> tuple[TokenTables, tf.Tensor]:
        """What depends on single tokens (batch, None); each one's row, (tokens,)."""
        distinct, index = tf.unique(tokens.values)  # (distinct,), (tokens,)
        embedded = pad_rows(self.embedding(distinct, tokens, texts))  # (rows, 512)
        ngrams = [ngram.tables(embedded, tf.size(distinct)) for ngram in self.ngrams]
        moments = self.normalization.moments(embedded)
        return TokenTables(embedded, moments, ngrams), index

    def _channels(
        self, tables: TokenTables, index: tf.Tensor, text_ids: tf.Tensor
    ) -> list[tf.Tensor]:
        """What the convolutions give, (tokens, channels) each."""
        return [
            ngram(own, index, text_ids)
            for ngram, own in zip(self.ngrams, tables.ngrams, strict=True)
        ]

    def _forward(self, texts: tf.Tensor) -> tf.Tensor:
        """`call`; of many texts on a processor with one table, and texts in runs.

        Args:
            texts: (batch,), not empty. Alike ones beside each other share n-grams.
        """
        if _has_gpu() or tf.reduce_sum(tf.strings.length(texts)) < _FEW_BYTES:
            return super()._forward(texts)
        tables, index, splits = self._look_up(texts)
        index, splits = np.asarray(index), np.asarray(splits)
        products = self._run_products()
        return embed_runs(
            tables, index, splits, self.ngrams, self.normalization, products
        )

    def _run_products(self) -> RunProducts:
        if not has_tiles():
            return TensorFlowProducts(self._finish)
        return TileProducts(
            self.ngrams, self.projection, self.feed_forward, self.precision
        )

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def _look_up(self, texts: tf.Tensor) -> tuple[TokenTables, tf.Tensor, tf.Tensor]:
        """Texts (batch,) → tables, the row of each token, where each text starts."""
        self._check_sentencepiece()
        tokens = self.tokenizer.tokenize(texts)
        return *self._tables(tokens, texts), tokens.row_splits

    @tf.function(autograph=False, reduce_retracing=True)
    def _finish(self, total: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """`_embed_sum` as a graph, for runs of any number of texts."""
        return self._embed_sum(total, length)

    def _embed_sum(self, total: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Sums of features (batch, features) and numbers of tokens → embeddings."""
        # The projection is linear, so it is applied to the sum instead of each token.
        own = self.projection
        projected = tf.cast(product(total, own.kernel, own.compute_dtype), tf.float32)
        sentence = (projected + length * own.bias) / tf.sqrt(length)
        return unit_length(self.feed_forward(sentence))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([1], tf.string),
        ],
        autograph=False,
    )
    def _sum_of_part(
        self, tokens: tf.Tensor, start: tf.Tensor, stop: tf.Tensor, texts: tf.Tensor
    ) -> tf.Tensor:
        """Sum of the features of ``tokens[start:stop]``, (1, features)."""
        part = tf.RaggedTensor.from_row_lengths(tokens, [tf.size(tokens)])
        tables, index = self._tables(part, texts)
        text_ids = tf.zeros_like(index)
        channels = self._channels(tables, index, text_ids)
        own = tf.nest.map_structure(
            lambda x: x[start:stop], (index, channels, text_ids)
        )
        length = tf.cast([[stop - start]], tf.float32)
        return self.normalization(*tables[:2], *own, length)

    def _embed_long(self, text: bytes) -> np.ndarray:
        tokens = tokenize_long(self.tokenizer, text)
        beginning = [text[:80].decode(errors="ignore")]
        total = np.zeros((1, self.projection.kernel.shape[0]))
        for part, start, stop in parts(tokens, _CONTEXT):
            total += self._sum_of_part(part, start, stop, beginning)
        length = tf.constant([[len(tokens)]], tf.float32)
        return self._embed_sum(tf.constant(total, tf.float32), length)[0].numpy()


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))
