"""Heatmaps of similarities: arrays in, matplotlib Axes out."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from usetune.similarity import cosine_similarity

# Cells carry their value up to so many labels.
_MOST_ANNOTATED = 15


def plot_similarity(
    labels: Sequence[str],
    features: np.ndarray,
    rotation: float = 90,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the cosine similarity of all pairs of embeddings as a heatmap.

    The colours run from 0 to 1, so that pictures can be compared; a negative cosine
    has the colour of 0. Up to 15 labels, each cell carries its value.

    Args:
        labels: n names.
        features: float array (n, dim), of any length.
        rotation: of the labels below, in degrees.
        title: above the heatmap.
        ax: where to draw. Default: a new figure, sized to the number of labels.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if ``labels`` and ``features`` do not fit.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(labels) != len(features):
        raise ValueError(
            f"features must be (labels, dim) with {len(labels)} labels. "
            f"Received: shape {features.shape}"
        )
    if ax is None:
        side = _side(labels)
        _, ax = plt.subplots(figsize=(side, side), layout="constrained")
    cosines = np.asarray(cosine_similarity(features[:, None], features[None]))
    few = len(labels) <= _MOST_ANNOTATED
    sns.heatmap(
        cosines,
        xticklabels=list(labels),
        yticklabels=list(labels),
        vmin=0,
        vmax=1,
        cmap="YlOrRd",
        square=True,
        # Adding zero turns -0.00 into 0.00.
        annot=cosines.round(2) + 0.0 if few else None,
        fmt=".2f",
        annot_kws={"size": 8},
        cbar_kws={"label": "cosine similarity", "fraction": 0.046, "pad": 0.03},
        ax=ax,
    )
    ax.tick_params(axis="x", rotation=rotation)
    ax.tick_params(axis="y", rotation=0)
    ax.set_title(title)
    return ax


def plot_similarity_comparison(
    labels: Sequence[str],
    base: np.ndarray,
    tuned: np.ndarray,
    rotation: float = 90,
    titles: tuple[str, str] = ("base", "tuned"),
) -> np.ndarray:
    """Draw two heatmaps side by side, on one colour scale.

    Args:
        labels: n names.
        base: float array (n, dim), drawn on the left.
        tuned: float array (n, dim), drawn on the right.
        rotation: of the labels below, in degrees.
        titles: above the two heatmaps.

    Returns:
        Array of the two Axes.

    Raises:
        ValueError: if ``labels`` and the arrays do not fit.
    """
    side = _side(labels)
    _, axes = plt.subplots(1, 2, figsize=(2 * side, side), layout="constrained")
    for ax, features, title in zip(axes, (base, tuned), titles, strict=True):
        plot_similarity(labels, features, rotation, title, ax)
    return axes


def _side(labels: Sequence[str]) -> float:
    """Inches of a heatmap's side that keep the labels readable."""
    return 3 + 0.35 * len(labels)
