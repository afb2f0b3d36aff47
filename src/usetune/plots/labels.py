"""Texts beside points, where they hide the least."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from usetune.plots.drawing import as_text

# Where a label may stand about its point, nearest places first: directions, and
# distances in points.
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (6, 14, 22)


def label_points(
    ax: Axes, points: np.ndarray, texts: Iterable[str], colors: Iterable[Any]
) -> None:
    """Write a text beside each point, where it hides the least.

    Texts avoid each other and the legend before all, then the edge, then what was
    drawn. So the picture must be complete but for the texts, and of its final size.

    Args:
        ax: the picture.
        points: float array (n, 2), in its data.
        texts: n, as `shown` gives them.
        colors: n, of the texts.
    """
    texts, legend = list(texts), ax.get_legend()
    figure = ax.figure.canvas.figure
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    frame, marks = ax.get_window_extent().get_points(), _drawn(ax)
    taken = [legend.get_window_extent().get_points()] if legend else []
    settings = as_text(texts)
    for point, text, color in zip(points, texts, colors, strict=True):
        label = ax.annotate(
            text,
            tuple(point),
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            color=color,
            bbox={"facecolor": "white", "alpha": 0.6, "lw": 0, "pad": 0.5},
            # A line to the point, where the text does not stand right beside it.
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "lw": 0.6,
                "shrinkA": 0,
                # It ends before the dot, and is gone at the nearest distance.
                "shrinkB": _DISTANCES[0] + 2,
            },
            **settings,
        )
        extent = label.get_window_extent().get_points()
        half = np.ptp(extent, axis=0) / 2
        offsets = [
            np.array(side) * (half + distance * scale / np.hypot(*side))
            for distance in _DISTANCES
            for side in _SIDES
        ]
        offset = min(
            offsets, key=lambda move: _hidden(extent + move, marks, taken, frame)
        )
        label.set_position(tuple(offset / scale))
        taken.append(extent + offset)


def _drawn(ax: Axes) -> np.ndarray:
    """Pixels of the dots of a picture, and of places along its lines."""
    marks = [
        ax.transData.transform(dots.get_offsets())
        for dots in ax.collections
        if isinstance(dots, PathCollection)
    ]
    for line in ax.lines:
        ends = line.get_transform().transform(line.get_xydata())
        whole = np.arange(float(len(ends)))
        steps = whole
        if line.get_linestyle() != "None":
            steps = np.linspace(0, len(ends) - 1, 20 * len(ends))
        if len(ends):
            along = [np.interp(steps, whole, axis) for axis in ends.T]
            marks.append(np.stack(along, axis=1))
    return np.concatenate([np.empty((0, 2)), *marks])


def _hidden(
    box: np.ndarray, marks: np.ndarray, taken: list[np.ndarray], frame: np.ndarray
) -> int:
    """What a label would hide; another label weighs most, then the edge."""
    low, high = box
    inside = ((marks > low - 2) & (marks < high + 2)).all(axis=1).sum()
    labels = sum((low < other[1]).all() and (other[0] < high).all() for other in taken)
    outside = (low < frame[0]).any() or (high > frame[1]).any()
    return int(inside + 10_000 * labels + 1_000 * outside)
