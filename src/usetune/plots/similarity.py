"""Heatmaps of similarities: arrays in, matplotlib Axes out."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from usetune.plots.drawing import as_text, axes, finite, shown, write
from usetune.similarity import unit_length

# Cells carry their value up to so many labels.
_MOST_ANNOTATED = 15
# Inches of a side: a larger picture takes gigabytes when it is drawn.
_LONGEST = 100.0


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
        labels: n names, in any script: fonts with the characters are looked for, first
            that of the extra ``fonts``, then among those that are installed.
        features: float array (n, dim), of any length.
        rotation: of the labels below, in degrees.
        title: above the heatmap.
        ax: where to draw. Default: a new figure, sized to the number of labels up to
            277, where it has 100 inches.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if ``labels`` and ``features`` do not fit, or a number is not
            finite.

    Warns:
        UserWarning: naming the characters that no font has.
    """
    features = finite("features", features)
    if features.ndim != 2 or len(labels) != len(features):
        raise ValueError(
            f"features must be (labels, dim) with {len(labels)} labels. "
            f"Received: shape {features.shape}"
        )
    ax = axes(ax, _side(labels), _side(labels))
    unit = np.asarray(unit_length(features))
    cosines = unit @ unit.T
    names, few = shown(labels), len(labels) <= _MOST_ANNOTATED
    sns.heatmap(
        cosines,
        # seaborn would read formulas in labels; they are written below.
        xticklabels=False,
        yticklabels=False,
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
    places, settings = np.arange(len(names)) + 0.5, as_text(names)
    ax.set_xticks(places, names, rotation=rotation, **settings)
    ax.set_yticks(places, names, rotation=0, **settings)
    write(ax, title=title)
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
    _, pair = plt.subplots(1, 2, figsize=(2 * side, side), layout="constrained")
    for ax, features, title in zip(pair, (base, tuned), titles, strict=True):
        plot_similarity(labels, features, rotation, title, ax)
    return pair


def _side(labels: Sequence[str]) -> float:
    """Inches of a heatmap's side that keep the labels readable."""
    return min(3 + 0.35 * len(labels), _LONGEST)
