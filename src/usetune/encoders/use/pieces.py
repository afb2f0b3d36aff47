"""Encoders whose tokens are SentencePiece's: copied, cut down, and in Keras' files."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from usetune._utils.text import utf8
from usetune.encoders.base import Encoder
from usetune.encoders.use.embedding import TokenEmbedding
from usetune.encoders.use.tokenizer import known_model, sentencepiece_tokenizer


class PieceEncoder(Encoder):
    """An encoder with a table of tokens, whole or of those of some texts.

    A subclass takes a SentencePiece model (b"" if the weights of a .keras file are
    loaded next, which bring it) and a vocabulary first, and its other arguments by
    their names.

    Attributes:
        sentencepiece: the SentencePiece model.
        tokenizer: of that model.
        embedding: the table.
    """

    embedding: TokenEmbedding
    # Whether the start and the end of a text have tokens.
    has_ends = True

    def _set_sentencepiece(self, model: bytes) -> None:
        self.sentencepiece = model
        self.resources = []
        if model:
            self.tokenizer = sentencepiece_tokenizer(model, self.has_ends)
            self.resources = [self.tokenizer]

    def _check_sentencepiece(self) -> None:
        if not self.sentencepiece:
            raise ValueError(
                "a configuration of another process has no SentencePiece model: load "
                "its weights, as keras.models.load_model does"
            )

    def _settings(self) -> dict[str, Any]:
        """The arguments of `__init__` beside SentencePiece and vocabulary."""
        raise NotImplementedError

    def _training_settings(self) -> dict[str, Any]:
        """The same, of a copy to train."""
        return self._settings()

    def _tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Strings (batch,) → token ids (batch, None)."""
        return self.tokenizer.tokenize(texts)

    def compact(self, texts: Sequence[str]) -> Self:
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
        tokens = self._tokenize(tf.constant(encoded, tf.string))
        unseen = self.embedding.rows(tokens.values.numpy()) < 0
        if unseen.any():
            number = tokens.value_rowids().numpy()[unseen][0]
            raise ValueError(
                "a compact encoder has no rows for other texts. "
                f"Received: texts[{number}] = {encoded[number].decode()!r:.80}"
            )
        vocabulary = np.unique(tokens.values)
        copy = self._made(vocabulary, self._training_settings())
        copy.embedding.assign(vocabulary, self.embedding.lookup(vocabulary))
        copy._assign_others(self)
        return copy.freeze_layers(self.frozen_layers())

    def expand(self, base: Self) -> Self:
        """``base`` with the other weights and the rows of this one, in a copy."""
        return self._assembled(base, self)

    def copy(self) -> Self:
        """An independent encoder with the same vocabulary, settings and weights."""
        return self._assembled(self)

    def _assembled(self, *sources: Self) -> Self:
        """The first source's settings, the rows of each in turn, own other weights."""
        # Models are cycles of references: dead ones keep their tables until now.
        gc.collect()
        first = sources[0]
        copy = self._made(first.embedding.vocabulary, first._settings())
        for source in sources:
            copy.embedding.take(source.embedding)
        copy._assign_others(self)
        return copy.freeze_layers(self.frozen_layers())

    def _made(
        self, vocabulary: Iterable[int] | None, settings: Mapping[str, Any]
    ) -> Self:
        make: Callable[..., Self] = type(self)
        return make(self.sentencepiece, vocabulary, **settings)

    def _assign_others(self, source: Self) -> None:
        """Take every weight but the table from an encoder with the same settings."""
        for own, other in zip(self._others(), source._others(), strict=True):
            own.assign(other.value)

    def _others(self) -> list[keras.Variable]:
        return [v for v in self.variables if v is not self.embedding.table]

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: SentencePiece, vocabulary, settings."""
        vocabulary = self.embedding.vocabulary
        return {
            "dim": self.dim,
            "sentencepiece": hashlib.sha256(self.sentencepiece).hexdigest(),
            "vocabulary": vocabulary and list(vocabulary),
            **self._settings(),
        }

    def get_config(self) -> dict[str, Any]:
        """SentencePiece, vocabulary, settings: `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "sentencepiece": hashlib.sha256(self.sentencepiece).hexdigest(),
            "vocabulary": self.embedding.vocabulary,
            **self._settings(),
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
