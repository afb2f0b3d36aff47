"""An encoder behind a linear map: fewer dimensions, or a direction taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from usetune.encoders.base import Encoder, ProjectedEncoder


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
    return ProjectedEncoder(encoder, principal_axes(encoder.encode(distinct)))


def principal_axes(embeddings: np.ndarray) -> np.ndarray:
    """The right singular vectors of embeddings, see `principal_rotation`.

    Args:
        embeddings: float array (n, dim).

    Returns:
        float64 array (dim, dim), the axes as columns, largest singular value first.
    """
    embeddings = embeddings.astype(np.float64)
    # The singular vectors are the eigenvectors of the small product, smallest first.
    _, axes = np.linalg.eigh(embeddings.T @ embeddings)
    axes = axes[:, ::-1]
    # A singular vector has no sign of its own: its largest number is made positive.
    largest = np.abs(axes).argmax(axis=0)
    return axes * np.sign(axes[largest, range(len(axes))])


def remove_direction(encoder: Encoder, direction: np.ndarray) -> ProjectedEncoder:
    """An encoder whose embeddings have nothing of one direction.

    The embeddings are projected onto what is orthogonal to the direction, for every
    text, and divided by their length again (Bolukbasi et al., section 6, step 2a,
    with all words neutral; nothing is equalised).

    It hides a bias rather than removing it: texts that shared the bias still lie
    together along other directions (Gonen and Goldberg, "Lipstick on a Pig", 2019,
    arXiv:1903.03862). Look at `usetune.bias.probe_accuracy` before relying on it.

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
