"""What the pictures share: axes, texts shown as they are, numbers that can be drawn."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.legend import Legend

from usetune._utils.text import utf8
from usetune.plots.fonts import families

# Told apart by colour-blind eyes too: Okabe and Ito's colours, then some of Tol's.
COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#999999", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#882255", "#999933", "#332288"),
)
# Where a label may stand about its point, nearest places first: directions, and
# distances in points.
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (6, 14, 22)


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes that were given, or those of a new figure of a size in inches."""
    if ax is None:
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        ax.set_prop_cycle(color=COLORS)
    return ax


def shown(texts: Iterable[object]) -> list[str]:
    """Texts that fonts can write: lone surrogates become U+FFFD."""
    return [text.decode() for text in utf8([str(text) for text in texts])]


def as_text(texts: Iterable[str]) -> dict[str, Any]:
    """Settings of labels that show texts as they are.

    Between two dollars matplotlib would read a formula, and a character that its font
    lacks would be a box.
    """
    return {"parse_math": False, "fontfamily": families(texts)}


def write(ax: Axes, **texts: str) -> None:
    """Write title, xlabel or ylabel as they are, dollars and backslashes too."""
    for place, text in texts.items():
        getattr(ax, f"set_{place}")(*shown([text]), **as_text([text]))


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


def add_legend(ax: Axes, drawn: Sequence[Artist], **settings: Any) -> Legend:
    """Add a legend of what was drawn, and of what was there with a label.

    Args:
        ax: the picture.
        drawn: shown whatever their labels; matplotlib alone hides ``_a``.
        **settings: see `Axes.legend`.
    """
    handles = list(dict.fromkeys([*ax.get_legend_handles_labels()[0], *drawn]))
    labels = shown(handle.get_label() for handle in handles)
    legend = ax.legend(handles, labels, **settings)
    title = legend.get_title()
    settings = as_text([*labels, title.get_text()])
    plt.setp([*legend.get_texts(), title], **settings)
    return legend


def finite(name: str, numbers: Any) -> np.ndarray:
    """An array of finite floating numbers.

    Args:
        name: what the errors call it.
        numbers: an array, or what NumPy makes one of.

    Raises:
        ValueError: naming it, and its first rows with NaN, infinity or no number.
    """
    try:
        array = np.asarray(numbers)
        array = array if array.dtype.kind == "f" else array.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from error
    wrong = np.unique(np.argwhere(~np.isfinite(array))[:, 0])
    if wrong.size:
        raise ValueError(
            f"{name} must be finite numbers. Received: NaN or infinity in {wrong.size} "
            f"of {len(array)} rows, counted from 0: {wrong[:5].tolist()}"
        )
    return array


def check_table(
    table: pd.DataFrame,
    argument: str,
    numbers: Iterable[str],
    names: Iterable[str | None] = (),
) -> pd.DataFrame:
    """Check the table that a picture is drawn from: what is missing is not drawn.

    Args:
        table: its rows.
        argument: what the errors call it.
        numbers: columns that must be there, and hold finite numbers.
        names: columns that must be there, without a gap; None stands for no column.

    Returns:
        The table, its names as texts that can be `shown`.

    Raises:
        ValueError: naming the argument, and the columns or rows at fault.
    """
    numbers, labels = list(numbers), [name for name in names if name is not None]
    missing = [name for name in [*numbers, *labels] if name not in table]
    if missing:
        raise ValueError(f"{argument} lacks {missing}. Received: {list(table.columns)}")
    for name in numbers:
        finite(f"{argument}[{name!r}]", table[name])
    for name in labels:
        gaps = np.flatnonzero(table[name].isna())
        if gaps.size:
            raise ValueError(
                f"{argument}[{name!r}] must have no gaps. Received: none in "
                f"{gaps.size} of {len(table)} rows, counted from 0: {gaps[:5].tolist()}"
            )
    return table.assign(**{name: shown(table[name]) for name in labels})
