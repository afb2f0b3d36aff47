"""Texts beside points, where they hide the least."""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection

from usetune.plots.drawing import as_text

# Where a label may stand about its point, nearest places first: directions, and
# distances in points.
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (6, 14, 22)
# In points, too: how much farther than its own point others must be from a label beside
# it, how far from one with a line, and how near to each other points count as one.
_FARTHER, _CLEAR, _SAME = 3, 6, 3


def label_points(
    ax: Axes, points: np.ndarray, texts: Iterable[str], colors: Iterable[Any]
) -> None:
    """Write a text beside each point, where it hides the least.

    Points of one text and colour that lie on each other share one label. Texts avoid
    each other and the legend before all, then the edge, then places where they would
    seem to belong to another point, then what was drawn. So the picture must be
    complete but for the texts, and of its final size.

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
    dots = ax.transData.transform(np.asarray(points, dtype=float))
    taken = [legend.get_window_extent().get_points()] if legend else []
    settings = as_text(texts)
    written: list[tuple[np.ndarray, str, Any]] = []
    for point, dot, text, color in zip(points, dots, texts, colors, strict=True):
        if any(
            [text, color] == same and np.hypot(*(dot - place)) < _SAME * scale
            for place, *same in written
        ):
            continue
        written.append((dot, text, color))
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
                # It ends at the edge of the dot.
                "shrinkB": 4,
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
        others = dots[np.hypot(*(dots - dot).T) > scale]
        costs = [
            _hidden(extent + move, marks, taken, frame)
            + 100 * _mistaken(extent + move, dot, others, scale, number < len(_SIDES))
            for number, move in enumerate(offsets)
        ]
        best = int(np.argmin(costs))
        offset = offsets[best]
        plt.setp(label.arrow_patch, visible=best >= len(_SIDES))
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
        marks.append(_along(ends) if line.get_linestyle() != "None" else ends)
    for bars in ax.collections:
        if isinstance(bars, LineCollection):
            segments = [ends for ends in bars.get_segments() if len(ends)]
            marks += [_along(ax.transData.transform(ends)) for ends in segments]
    return np.concatenate([np.empty((0, 2)), *marks])


def _along(ends: np.ndarray) -> np.ndarray:
    """Places along a line through points, some 3 pixels apart."""
    ends = ends[np.isfinite(ends).all(axis=1)]
    if len(ends) < 2:
        return ends
    steps = np.cumsum([0, *np.hypot(*np.diff(ends, axis=0).T)])
    places = np.linspace(0, steps[-1], min(int(steps[-1] / 3), 3_000) + 2)
    return np.stack([np.interp(places, steps, axis) for axis in ends.T], axis=1)


def _mistaken(
    box: np.ndarray, dot: np.ndarray, others: np.ndarray, scale: float, beside: bool
) -> int:
    """Other points that a label, or the line from it to its own, seems to belong to.

    A label beside its point has no line, and must be nearer to it than to others.
    """
    low, high = box

    def away(places: np.ndarray) -> np.ndarray:
        beyond = np.maximum(np.maximum(low - places, places - high), 0)
        return np.hypot(beyond[..., 0], beyond[..., 1])

    near = away(others) < (away(dot) + _FARTHER * scale if beside else _CLEAR * scale)
    way = _along(np.stack([dot, box.mean(axis=0)]))
    nearest = np.hypot(*(others[:, None] - way).T).min(axis=0, initial=np.inf)
    return int((near | (nearest < _CLEAR * scale)).sum())


def _hidden(
    box: np.ndarray, marks: np.ndarray, taken: list[np.ndarray], frame: np.ndarray
) -> int:
    """What a label would hide; another label weighs most, then the edge."""
    low, high = box
    inside = ((marks > low - 2) & (marks < high + 2)).all(axis=1).sum()
    labels = sum((low < other[1]).all() and (other[0] < high).all() for other in taken)
    outside = (low < frame[0]).any() or (high > frame[1]).any()
    return int(inside + 10_000 * labels + 1_000 * outside)
