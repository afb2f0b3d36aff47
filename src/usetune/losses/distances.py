"""Distances and cosines of embeddings, with finite gradients where texts are equal."""

import math
from typing import Any

from keras import ops

from usetune.similarity import cosine_similarity, unit_length

DISTANCES = ("cosine", "euclidean", "manhattan")


def largest_distance(distance: str, dim: int) -> float:
    """The largest distance that two unit vectors can have.

    No margin above it can ever be met.

    Args:
        distance: "cosine" (one minus the cosine), "euclidean" or "manhattan".
        dim: components of the vectors.
    """
    return 2 * math.sqrt(dim) if distance == "manhattan" else 2.0


def products(x: Any, y: Any) -> Any:
    """All dot products of vectors with groups of vectors.

    Args:
        x: (batch, dim).
        y: (other, group, dim).

    Returns:
        (batch, other, group).
    """
    return ops.einsum("id,jkd->ijk", x, y)


def distance_between(distance: str, x: Any, y: Any) -> Any:
    """Distance of vectors over the last axis; leading axes broadcast.

    Args:
        distance: "cosine" (one minus the cosine), "euclidean" or "manhattan".
        x: (..., dim), of any length.
        y: (..., dim).

    Returns:
        (...); equal vectors pass no gradient.
    """
    if distance == "cosine":
        return 1 - cosine_similarity(x, y)
    if distance == "manhattan":
        return ops.sum(ops.abs(x - y), axis=-1)
    return _root(ops.sum(ops.square(x - y), axis=-1))


def distances_within(distance: str, x: Any) -> Any:
    """Distance of each vector to each other one of a batch.

    Args:
        distance: as in `distance_between`; "manhattan" takes batch² · dim floats of
            memory, the others batch².
        x: (batch, dim), of any length.

    Returns:
        (batch, batch).
    """
    if distance == "manhattan":
        return distance_between(distance, x[:, None], x)
    if distance == "cosine":
        x = unit_length(x)
        return 1 - ops.matmul(x, ops.transpose(x))
    product = ops.matmul(x, ops.transpose(x))
    square = ops.diagonal(product)
    return _root(square[:, None] - 2 * product + square)


def _root(square: Any) -> Any:
    """Square root, 0 where rounding went below; at 0 the slope is 0, not infinite."""
    positive = square > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, square, 1.0)), 0.0)
