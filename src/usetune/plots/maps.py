"""Maps of embeddings: two dimensions, and pictures of them by group."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from usetune.plots.drawing import (
    COLORS,
    add_legend,
    axes,
    finite,
    shown,
    write,
)
from usetune.plots.labels import label_points

METHODS = ("pca", "tsne")
# So many colours can be told apart.
_MOST_GROUPS = 10
_LABEL_WIDTH = 32
# The fewest points for which t-SNE's perplexity is at least 1.
_FEWEST = 4


def map_2d(embeddings: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Points in the plane that keep something of the distances of embeddings.

    "pca" projects on the two directions of the largest variance; each is turned so
    that its largest component is positive, so equal embeddings give equal points.
    "tsne" keeps neighbours together, and says nothing about the distance of groups
    (van der Maaten and Hinton, "Visualizing data using t-SNE", 2008, section 3). Its
    perplexity, about the number of neighbours that count, is 30, or a third of the
    other points where that is less.

    Args:
        embeddings: float array (n, dim), n at least 4, dim at least 2.
        method: "pca" or "tsne".
        seed: of t-SNE, which starts from "pca": it rarely matters.

    Returns:
        float array (n, 2), centred.

    Raises:
        ValueError: if the method is none of these, the shape does not fit, or a number
            is not finite.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}. Received: {method!r}")
    embeddings = finite("embeddings", embeddings).astype(np.float64)
    if embeddings.ndim != 2 or len(embeddings) < _FEWEST or embeddings.shape[1] < 2:
        raise ValueError(
            f"embeddings must have the shape (n, dim), n at least {_FEWEST}, dim at "
            f"least 2. Received: {embeddings.shape}"
        )
    if method == "pca":
        return PCA(2, svd_solver="full").fit_transform(embeddings)
    perplexity = min(30, (len(embeddings) - 1) / 3)
    return _centred(
        TSNE(2, perplexity=perplexity, random_state=seed).fit_transform(embeddings)
    )


def plot_map(
    points: np.ndarray,
    groups: Sequence,
    texts: Sequence[str] | None = None,
    max_labels: int = 10,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw points in the colours of their groups, with a few of their texts.

    Args:
        points: float array (n, 2), as of `map_2d`.
        groups: n names, at most 10 different ones.
        texts: n, what the points are. Default: none is written.
        max_labels: how many texts to write, at most, of points far from each other.
        title: above the picture.
        ax: where to draw. Default: a new figure, with a legend beside it.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if the sizes do not fit, a group is missing, there are too many, or
            a number is not finite.
    """
    points = finite("points", points)
    ax = axes(ax, 8, 5.5)
    rows = [] if texts is None else spread(points, max_labels)
    _legend(ax, _draw(ax, points, groups, texts, title))
    _write_texts(ax, points, texts, rows)
    return ax


def plot_map_comparison(
    base: np.ndarray,
    tuned: np.ndarray,
    groups: Sequence,
    texts: Sequence[str] | None = None,
    max_labels: int = 10,
    titles: tuple[str, str] = ("base", "tuned"),
) -> np.ndarray:
    """Draw two maps of the same texts side by side, the same texts written in both.

    The right map is turned and mirrored as a whole to lie as the left one does: its
    distances stay as they are.

    Args:
        base: float array (n, 2), drawn on the left.
        tuned: float array (n, 2), drawn on the right.
        groups: see `plot_map`.
        texts: see `plot_map`.
        max_labels: how many texts to write, at most, of points far from each other on
            the left.
        titles: above the two maps.

    Returns:
        Array of the two Axes.

    Raises:
        ValueError: if the sizes do not fit, a group is missing, there are too many, or
            a number is not finite.
    """
    base, tuned = finite("base", base), finite("tuned", tuned)
    if base.shape != tuned.shape:
        raise ValueError(
            "base and tuned must be maps of the same texts. "
            f"Received: shapes {base.shape} and {tuned.shape}"
        )
    _, pair = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    rows = [] if texts is None else spread(base, max_labels)
    turn, _ = orthogonal_procrustes(_centred(tuned), _centred(base))
    maps = base, _centred(tuned) @ turn
    for ax, points, title in zip(pair, maps, titles, strict=True):
        drawn = _draw(ax, points, groups, texts, title)
    _legend(pair[1], drawn)
    for ax, points in zip(pair, maps, strict=True):
        _write_texts(ax, points, texts, rows)
    return pair


def spread(points: np.ndarray, count: int) -> list[int]:
    """Rows of points far from each other: each is the farthest from those before it.

    Args:
        points: float array (n, 2).
        count: how many, at most; equal points count once.

    Returns:
        Row numbers. The first is the point farthest from the mean.
    """
    points = np.asarray(points)
    distances = np.linalg.norm(_centred(points), axis=1)
    rows: list[int] = []
    while len(rows) < count and distances.max() > 0:
        rows.append(int(distances.argmax()))
        own = cdist(points, points[rows[-1:]])[:, 0]
        distances = own if len(rows) == 1 else np.minimum(distances, own)
    return rows


def _draw(
    ax: Axes,
    points: np.ndarray,
    groups: Sequence,
    texts: Sequence[str] | None,
    title: str,
) -> list[PathCollection]:
    """Draw a map without its legend; the dots of each group."""
    numbers, names = pd.factorize(pd.Series(groups, dtype=object), sort=True)
    fitting = [len(groups), len(groups if texts is None else texts)]
    if np.shape(points) != (len(groups), 2) or fitting[0] != fitting[1]:
        raise ValueError(
            "points must be (n, 2), with n groups and n texts. Received: "
            f"{np.shape(points)}, {fitting[0]} groups, {fitting[1]} texts"
        )
    if len(names) > _MOST_GROUPS or (numbers < 0).any():
        raise ValueError(
            f"groups must be at most {_MOST_GROUPS} names, and none missing. "
            f"Received: {len(names)} names, {(numbers < 0).sum()} missing"
        )
    # Small dots for many points, so that they do not hide each other.
    size = float(np.clip(6000 / len(points), 8, 40))
    dots = []
    for number, name in enumerate(names):
        x, y = points[numbers == number].T
        color = COLORS[number]
        dots.append(ax.scatter(x, y, size, color, alpha=0.7, lw=0, label=name))
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[])
    write(ax, title=title)
    return dots


def _write_texts(
    ax: Axes, points: np.ndarray, texts: Sequence[str] | None, rows: Sequence[int]
) -> None:
    """Circle a few points of a map, and write what they are."""
    if texts is None or not rows:
        return
    chosen, labels = points[rows], shown(texts)
    ax.plot(*chosen.T, "o", ms=5, mfc="none", mec="black", mew=0.8)
    short = (
        textwrap.shorten(labels[row], _LABEL_WIDTH, placeholder=" …") for row in rows
    )
    label_points(ax, chosen, short, ["black"] * len(rows))


def _legend(ax: Axes, dots: list[PathCollection]) -> None:
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "frameon": False}
    for handle in add_legend(ax, dots, **beside).legend_handles:
        plt.setp(handle, sizes=[40], alpha=1)


def _centred(points: np.ndarray) -> np.ndarray:
    return points - points.mean(axis=0)
