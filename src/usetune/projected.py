"""An encoder behind a linear map: fewer dimensions, or a direction taken out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from usetune.encoder import Encoder
from usetune.folder import new_folder


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
        if (
            matrix.ndim != 2
            or matrix.shape[0] != encoder.dim
            or not 1 <= matrix.shape[1] <= encoder.dim
            or not np.isfinite(matrix).all()
        ):
            raise ValueError(
                f"matrix must be finite, of shape ({encoder.dim}, 1 to {encoder.dim}). "
                f"Received: shape {matrix.shape}"
            )
        self.encoder = encoder
        self.matrix = matrix
        self.dim = matrix.shape[1]
        self.resources = encoder.resources
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → float32 tensor (batch, dim) of unit length."""
        return tf.math.l2_normalize(self.encoder(texts) @ self.matrix, axis=1)

    def truncate(self, dim: int) -> ProjectedEncoder:
        """The first ``dim`` components, see `Encoder.truncate`; one map, not two."""
        return ProjectedEncoder(self.encoder, self.matrix @ first_components(self, dim))

    @property
    def projections(self) -> list[np.ndarray]:
        """The matrices of the encoder behind, and this one's."""
        return [*self.encoder.projections, self.matrix]

    def compact(self, texts: Sequence[str]) -> ProjectedEncoder:
        """A copy of the encoder as small as ``texts`` allow, behind the same map."""
        return ProjectedEncoder(self.encoder.compact(texts), self.matrix)

    def expand(self, base: ProjectedEncoder) -> ProjectedEncoder:
        """The full encoder with the weights of this compact one, see `Encoder.expand`.

        Args:
            base: the projected encoder that `compact` was called on.
        """
        return ProjectedEncoder(self.encoder.expand(base.encoder), self.matrix)

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: the matrix's SHA-256, and the encoder behind."""
        matrix = np.ascontiguousarray(self.matrix)
        return {
            "kind": "projected",
            "shape": list(matrix.shape),
            "matrix": hashlib.sha256(matrix).hexdigest(),
            "encoder": self.encoder.configuration,
        }

    def copy(self) -> ProjectedEncoder:
        """An independent encoder with the same weights and map."""
        return ProjectedEncoder(self.encoder.copy(), self.matrix)

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save the encoder behind it as a folder in a folder, and the matrix beside it.

        Args:
            filepath: see `Encoder.save`.
            overwrite: see `Encoder.save`.

        Raises:
            FileExistsError: as `Encoder.save` does.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5.
        """
        inside = type(self.encoder).__name__
        options = {"overwrite": overwrite, "inside": inside}
        with new_folder(filepath, self, "projected", **options) as folder:
            self.encoder.save(folder / "encoder")
            np.save(folder / "matrix.npy", self.matrix)


def first_components(encoder: Encoder, dim: int) -> np.ndarray:
    """The matrix (encoder.dim, dim) that keeps the first ``dim`` components.

    Raises:
        ValueError: if ``dim`` is not an integer from 1 to the encoder's.
    """
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        raise ValueError(f"dim must be an integer. Received: {dim!r}")
    if not 1 <= dim <= encoder.dim:
        raise ValueError(f"dim must be from 1 to {encoder.dim}. Received: {dim}")
    return np.eye(encoder.dim, dim, dtype=np.float32)


def principal_rotation(encoder: Encoder, texts: Sequence[str]) -> ProjectedEncoder:
    """An encoder with its axes turned, so that the first components carry most.

    The new axes are the right singular vectors of the embeddings of ``texts``, largest
    singular value first. Of all ways to turn the axes this one loses the least of the
    embeddings' squared length where they are cut to their first components (Eckart and
    Young, 1936). All cosines stay as they are until then, so the embeddings are not
    centred, as in principal component analysis they would be.

    Args:
        encoder: what is turned; it is shared, not copied.
        texts: of the domain, at least as many different ones as the encoder has
            dimensions, without those that are measured on later.

    Raises:
        ValueError: if there are too few different texts.
    """
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < encoder.dim:
        raise ValueError(
            f"texts must hold at least {encoder.dim} different ones, as many as "
            f"dimensions. Received: {len(distinct)}"
        )
    embeddings = encoder.encode(distinct).astype(np.float64)
    # The singular vectors are the eigenvectors of the small product, smallest first.
    _, axes = np.linalg.eigh(embeddings.T @ embeddings)
    axes = axes[:, ::-1]
    # A singular vector has no sign of its own: its largest number is made positive.
    largest = np.abs(axes).argmax(axis=0)
    return ProjectedEncoder(encoder, axes * np.sign(axes[largest, range(encoder.dim)]))


def remove_direction(encoder: Encoder, direction: np.ndarray) -> ProjectedEncoder:
    """An encoder whose embeddings have nothing of one direction.

    The embeddings are projected onto what is orthogonal to the direction, for every
    text, and divided by their length again (Bolukbasi et al., section 6, step 2a,
    with all words neutral; nothing is equalised).

    It hides a bias rather than removing it: texts that shared the bias still lie
    together along other directions (Gonen and Goldberg, "Lipstick on a Pig", 2019,
    arXiv:1903.03862). Look at `usetune.probe_accuracy` before relying on it.

    Args:
        encoder: it is shared, not copied.
        direction: float array (encoder.dim,), of any length but zero.

    Raises:
        ValueError: if ``direction`` has another shape, is zero or not finite.
    """
    direction = np.asarray(direction, np.float64)
    length = np.linalg.norm(direction)
    if direction.shape != (encoder.dim,) or not 0 < length < np.inf:
        raise ValueError(
            f"direction must be finite and not zero, of shape ({encoder.dim},). "
            f"Received: shape {direction.shape}, length {length}"
        )
    direction = direction / length
    return ProjectedEncoder(
        encoder, np.eye(encoder.dim) - np.outer(direction, direction)
    )
