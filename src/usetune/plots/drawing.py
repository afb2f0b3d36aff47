"""What the pictures share: axes, texts shown as they are, numbers that can be drawn."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.legend import Legend

from usetune._utils.text import utf8

# Between two dollars, matplotlib reads a formula.
AS_TEXT: dict[str, Any] = {"parse_math": False}


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes that were given, or those of a new figure of a size in inches."""
    return ax or plt.subplots(figsize=(width, height), layout="constrained")[1]


def shown(texts: Iterable[object]) -> list[str]:
    """Texts that fonts can write: lone surrogates become U+FFFD."""
    return [text.decode() for text in utf8([str(text) for text in texts])]


def write(ax: Axes, **texts: str) -> None:
    """Write title, xlabel or ylabel as they are, dollars and backslashes too."""
    for place, text in texts.items():
        getattr(ax, f"set_{place}")(*shown([text]), **AS_TEXT)


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
    plt.setp([*legend.get_texts(), legend.get_title()], **AS_TEXT)
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
