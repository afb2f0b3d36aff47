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
from usetune.plots.fonts import families

# Told apart by colour-blind eyes too: Okabe and Ito's colours, then some of Tol's.
COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#999999", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#882255", "#999933", "#332288"),
)


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
