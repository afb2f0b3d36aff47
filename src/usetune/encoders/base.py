"""The contract of every sentence encoder here: strings in, unit vectors out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune._utils.arrays import write_arrays
from usetune._utils.checks import check_between
from usetune.encoders.assets import asset_digests
from usetune.encoders.folder import MATRIX, new_folder
from usetune.encoders.modules import add_projection
from usetune.encoders.text_model import TextModel
from usetune.similarity import unit_length


class Encoder(TextModel):
    """A trainable sentence encoder.

    A subclass sets `dim` and `resources`, and implements `copy` and ``call``: string
    tensor (batch,) → float32 tensor (batch, dim) of unit length, differentiable in
    ``trainable_variables``. One that can be trained in a smaller form implements
    `compact` and `expand`.
    """

    def compact(self, texts: Sequence[str]) -> Encoder:
        """An independent copy to train on ``texts``, as small as stays exact.

        Args:
            texts: every text that the copy will meet.

        Returns:
            An encoder equal to this one on ``texts``; `expand` undoes it. Here, it is
            a whole copy.
        """
        return self.copy()

    def expand(self, base: Encoder) -> Encoder:
        """The full encoder with the weights of this `compact` one.

        Args:
            base: the encoder that `compact` was called on; it is left as it is.

        Returns:
            An encoder independent of ``base``. Here, it is this one, as `compact` left
            nothing out.
        """
        return self

    @property
    def projections(self) -> list[np.ndarray]:
        """What `ProjectedEncoder` multiplies embeddings by; these are no weights."""
        return []

    @property
    def configuration(self) -> dict[str, Any]:
        """What decides about embeddings beside the weights, of the types of JSON.

        It is the same once the encoder was saved and loaded again. Code is not in it:
        of an encoder without files of its own, it is the width and the digests of
        `resources`' files.

        Raises:
            OSError: if such a file cannot be read any more.
        """
        assets = asset_digests(self.resources)
        return {"kind": "saved_model", "dim": self.dim, "assets": assets}

    def truncate(self, dim: int) -> Encoder:
        """This encoder with the first ``dim`` components of its embeddings.

        They are divided by their length again. It shares the weights of this encoder.
        An encoder tuned with `usetune.losses.Matryoshka` has its best components first
        (Kusupati et al., "Matryoshka Representation Learning", 2022, section 3).

        Args:
            dim: how many, from 1 to the encoder's own.

        Raises:
            ValueError: if ``dim`` is something else.
        """
        check_between("dim", dim, 1, self.dim)
        return ProjectedEncoder(self, np.eye(self.dim, dim))

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save as a folder that `usetune.load_encoder` reads back, also elsewhere.

        usetune.json in it lists every file with its SHA-256. An encoder that has no
        files of its own is saved as its `export`, and comes back as a
        `SavedModelEncoder`. An interrupted save leaves nothing behind, and an older
        folder as it was.

        Args:
            filepath: the folder to create.
            overwrite: replace a folder that `save` wrote, with its README.md if it has
                one. Nothing else is ever deleted.

        Raises:
            FileExistsError: if ``filepath`` exists and is not an empty folder; with
                ``overwrite``, if it is not a folder that `save` wrote, or holds files
                that its usetune.json does not list.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5.
        """
        with new_folder(filepath, "saved_model", self.dim, overwrite) as folder:
            self.export(folder)


@keras.saving.register_keras_serializable("usetune")
class ProjectedEncoder(Encoder):
    """Strings (batch,) → float32 embeddings (batch, dim) of unit length.

    The embeddings of another encoder are multiplied by a matrix and divided by their
    length. The matrix is not trained; the encoder behind it is.

    Args:
        encoder: what is projected; it is shared, not copied.
        matrix: float array (encoder.dim, dim), with 1 ≤ dim ≤ encoder.dim.

    Attributes:
        encoder: as given.
        matrix: as given, float32.

    Raises:
        ValueError: if the matrix has another shape or a number that is not finite.
    """

    def __init__(self, encoder: Encoder, matrix: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        matrix = np.asarray(matrix, np.float32)
        fits = matrix.ndim == 2 and len(matrix) == encoder.dim >= matrix.shape[1] > 0
        if not fits or not np.isfinite(matrix).all():
            raise ValueError(
                f"matrix must be finite, of shape ({encoder.dim}, 1 to {encoder.dim}). "
                f"Received: shape {matrix.shape}"
            )
        self.encoder, self.matrix = encoder, matrix
        self.dim = matrix.shape[1]
        self.resources = encoder.resources
        self.batch_bytes, self.pads = encoder.batch_bytes, encoder.pads
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → float32 tensor (batch, dim) of unit length."""
        return unit_length(self.encoder(texts) @ self.matrix)

    def _forward(self, texts: tf.Tensor) -> tf.Tensor:
        return unit_length(self.encoder._forward(texts) @ self.matrix)

    def truncate(self, dim: int) -> ProjectedEncoder:
        """The first ``dim`` components, see `Encoder.truncate`; one map, not two."""
        cut = self.matrix @ super().truncate(dim).matrix
        return ProjectedEncoder(self.encoder, cut)

    @property
    def projections(self) -> list[np.ndarray]:
        """The matrices of the encoder behind, and this one's."""
        return [*self.encoder.projections, self.matrix]

    def compact(self, texts: Sequence[str]) -> ProjectedEncoder:
        """A copy of the encoder as small as ``texts`` allow, behind the same map."""
        return self._around(self.encoder.compact(texts))

    def expand(self, base: ProjectedEncoder) -> ProjectedEncoder:
        """The full encoder with the weights of this compact one, see `Encoder.expand`.

        Args:
            base: the projected encoder that `compact` was called on.
        """
        return self._around(self.encoder.expand(base.encoder))

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: the matrix's SHA-256, and the encoder behind."""
        return {
            "kind": "projected",
            "shape": list(self.matrix.shape),
            "matrix": hashlib.sha256(self.matrix.tobytes()).hexdigest(),
            "encoder": self.encoder.configuration,
        }

    def _embed_long(self, text: bytes) -> np.ndarray:
        return unit_length(self.encoder._embed_long(text) @ self.matrix)

    def _check_texts(self, texts: list[bytes]) -> None:
        self.encoder._check_texts(texts)

    def _check_embeddings(
        self, embeddings: np.ndarray, texts: Sequence[bytes] = ()
    ) -> None:
        self.encoder._check_embeddings(embeddings, texts)

    def get_config(self) -> dict[str, Any]:
        """The encoder behind and the matrix, see `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "matrix": base64.b64encode(self.matrix.tobytes()).decode(),
            "dim": self.dim,
        }

    @staticmethod
    def _arguments(config: dict[str, Any]) -> dict[str, Any]:
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        matrix = np.frombuffer(base64.b64decode(config["matrix"]), np.float32)
        matrix = matrix.reshape(encoder.dim, config.pop("dim"))
        return {**config, "encoder": encoder, "matrix": matrix}

    def __reduce__(self) -> tuple[Any, ...]:
        return ProjectedEncoder, (self.encoder, self.matrix)

    def copy(self) -> ProjectedEncoder:
        """An independent encoder with the same weights and map."""
        return self._around(self.encoder.copy())

    def __deepcopy__(self, memo: dict[int, Any]) -> ProjectedEncoder:
        # What else is copied may hold the encoder behind, too.
        return self._around(deepcopy(self.encoder, memo))

    def _around(self, encoder: Encoder) -> ProjectedEncoder:
        """The same map around a copy of the encoder behind, frozen as this one is."""
        projected = ProjectedEncoder(encoder, self.matrix)
        return projected.freeze_layers(self.frozen_layers())

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save the encoder behind it as a folder in a folder, and the matrix beside it.

        If that is a BERT encoder, sentence-transformers reads the whole back.

        Args:
            filepath: see `Encoder.save`.
            overwrite: see `Encoder.save`.

        Raises:
            FileExistsError: as `Encoder.save` does.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5.
        """
        own = {"inside": type(self.encoder).__name__}
        with new_folder(filepath, "projected", self.dim, overwrite, **own) as folder:
            self.encoder.save(folder / "encoder")
            write_arrays(folder / MATRIX, {"matrix": self.matrix})
            add_projection(folder, self.matrix)
