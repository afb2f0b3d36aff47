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
from usetune.encoders.use.run_products import RunProducts, TensorFlowProducts
from usetune.encoders.use.runs import embed_runs
from usetune.encoders.use.tile_products import TileProducts
from usetune.similarity import unit_length

# (tokens of the n-gram, how many of them lie left of its centre)
_NGRAMS = ((2, 0), (3, 1), (5, 2))
# Tokens that the two convolutions of an n-gram see, at most, to either side.
_CONTEXT = 2 * max(max(left, order - 1 - left) for order, left in _NGRAMS)
# A batch of fewer UTF-8 bytes is sooner computed by TensorFlow alone.
_FEW_BYTES = 32_768
# Arguments of functions that compute texts from their distinct tokens.
_ROWS = tf.TensorSpec((None, weights.DIM), tf.float32)
_INDEX = tf.TensorSpec((None,), tf.int32)
_SPLITS = tf.TensorSpec((None,), tf.int64)


class Network(PieceEncoder):
    """Tokenizer and layers; `UniversalSentenceEncoder` says what the arguments are."""

    pads = False

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
            self.batch_bytes = 5 * BATCH_BYTES
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
        distinct, index = tf.unique(tokens.values)  # (distinct,), (tokens,)
        rows = self.embedding(distinct, tokens, texts)
        return self._embed(rows, index, tokens.row_splits)

    # Traced once for `encode`, for training and for its validation.
    @tf.function(input_signature=[_ROWS, _INDEX, _SPLITS], autograph=False)
    def _embed(self, rows: tf.Tensor, index: tf.Tensor, splits: tf.Tensor) -> tf.Tensor:
        """Embeddings of texts.

        Args:
            rows: of the embedding table, of the distinct tokens, (distinct, 512).
            index: which of them each token has, (tokens,).
            splits: where each text starts among the tokens, and the last ends,
                (batch + 1,).
        """
        lengths = splits[1:] - splits[:-1]  # (batch,)
        text_ids = tf.repeat(tf.range(tf.size(lengths)), lengths)  # (tokens,)
        tables = self._tables(rows)
        channels = self._channels(tables, index, text_ids)
        length = tf.cast(lengths, tf.float32)[:, None]
        total = self.normalization(*tables[:2], index, channels, text_ids, length)
        return self._embed_sum(total, length)

    def _tables(self, rows: tf.Tensor) -> TokenTables:
        """What depends on distinct tokens alone, of their rows (distinct, 512)."""
        embedded = pad_rows(rows)
        ngrams = [ngram.tables(embedded, tf.shape(rows)[0]) for ngram in self.ngrams]
        return TokenTables(embedded, self.normalization.moments(embedded), ngrams)

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
        if _has_gpu():
            return super()._forward(texts)
        distinct, index, splits = map(np.asarray, self._cut(texts))
        if (self.embedding.rows(distinct) < 0).any():
            return super()._forward(texts)  # which names the texts
        # `call` would ask for the whole table.
        rows = self.embedding.lookup(distinct)  # (distinct, 512)
        if tf.reduce_sum(tf.strings.length(texts)) < _FEW_BYTES:
            return self._embed(rows, index, splits)
        layers = self.ngrams, self.normalization, self._run_products()
        return embed_runs(np.asarray(rows), index, splits, *layers)

    def _run_products(self) -> RunProducts:
        if not has_tiles():
            return TensorFlowProducts(self._token_tables, self._finish)
        return TileProducts(
            self.ngrams, self.projection, self.feed_forward, self.precision
        )

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def _cut(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Texts (batch,) → distinct tokens, which each is, where each text starts."""
        self._check_sentencepiece()
        tokens = self.tokenizer.tokenize(texts)
        return *tf.unique(tokens.values), tokens.row_splits

    @tf.function(input_signature=[_ROWS], autograph=False)
    def _token_tables(self, rows: tf.Tensor) -> TokenTables:
        return self._tables(rows)

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
            _ROWS,
            _INDEX,
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,
    )
    def _sum_of_part(
        self, rows: tf.Tensor, index: tf.Tensor, start: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        """Sum of the features of the tokens from start to stop, (1, features)."""
        tables, text_ids = self._tables(rows), tf.zeros_like(index)
        channels = self._channels(tables, index, text_ids)
        own = tf.nest.map_structure(
            lambda x: x[start:stop], (index, channels, text_ids)
        )
        length = tf.cast([[stop - start]], tf.float32)
        return self.normalization(*tables[:2], *own, length)

    def _embed_long(self, text: bytes) -> np.ndarray:
        tokens = tokenize_long(self.tokenizer, text)
        self.embedding.check_known(tokens, text[:80])
        total = np.zeros((1, self.projection.kernel.shape[0]))
        for part, start, stop in parts(tokens, _CONTEXT):
            distinct, index = np.unique(part, return_inverse=True)
            rows = self.embedding.lookup(distinct)
            total += self._sum_of_part(rows, index.astype(np.int32), start, stop)
        length = tf.constant([[len(tokens)]], tf.float32)
        return self._embed_sum(tf.constant(total, tf.float32), length)[0].numpy()


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))
