"""A chart of titles' associations with gender, before and after training."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from usetune.plots.columns import check_columns


def plot_association(
    table: pd.DataFrame,
    title: str = "",
    names: tuple[str, str] = ("base", "tuned"),
    ax: Axes | None = None,
) -> Axes:
    """Draw each title's association before and after, two dots joined by a line.

    Args:
        table: as `usetune.bias.compare_associations` returns; drawn from the smallest
            ``base`` at the bottom to the largest at the top.
        title: above the picture.
        names: of the two encoders, in the legend.
        ax: where to draw. Default: a new figure, sized to the number of titles.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if a column is missing.
    """
    check_columns(table, "table", ["title", "base", "tuned"])
    if ax is None:
        size = 6.5, 1.5 + 0.22 * len(table)
        _, ax = plt.subplots(figsize=size, layout="constrained")
    table = table.sort_values("base", kind="stable")
    places = np.arange(len(table))
    ax.hlines(places, table["base"], table["tuned"], color="C0", alpha=0.5, zorder=1)
    ax.axvline(0, color="black", lw=0.8, linestyle="--")
    for column, name, face in zip(
        ("base", "tuned"), names, ("white", "C0"), strict=True
    ):
        ax.scatter(
            table[column], places, facecolor=face, edgecolor="C0", label=name, zorder=2
        )
    ax.set_yticks(places, table["title"])
    ax.set(xlabel="← nearer to male     association     nearer to female →")
    ax.set_title(title)
    ax.grid(axis="x", alpha=0.3)
    ax.legend()
    return ax
