"""A chart of what smaller embeddings cost."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from usetune.plots.drawing import (
    COLORS,
    add_legend,
    axes,
    check_table,
    write,
)
from usetune.plots.labels import label_points


def plot_sizes(
    table: pd.DataFrame,
    metric: str = "mrr@10",
    group: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a metric against the bytes of an embedding, a line for each precision.

    Each point carries its number of dimensions.

    Args:
        table: as `usetune.evaluation.size_table` returns, or several below each other.
        metric: the column of the vertical axis.
        group: a column that tells the tables apart, "encoder" say; each of its values
            has lines of its own style.
        ax: where to draw. Default: a new figure.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if a column is missing or has a gap, or a number is not finite.
    """
    table = check_table(table, "table", ["dim", "bytes", metric], ["precision", group])
    ax = axes(ax, 8, 4.5)
    colors = dict(zip(table["precision"].unique(), cycle(COLORS), strict=False))
    parts = table.groupby(group, sort=False) if group else [("", table)]
    drawn, places, numbers, inks = [], [], [], []
    for (name, part), style in zip(parts, cycle(("-", "--", ":", "-.")), strict=False):
        for precision, line in part.groupby("precision", sort=False):
            line = line.sort_values("bytes")
            color = colors[precision]
            drawn += ax.plot(
                line["bytes"],
                line[metric],
                style,
                marker="o",
                color=color,
                label=f"{precision} ({name})" if group else precision,
            )
            places += line[["bytes", metric]].to_numpy().tolist()
            numbers += line["dim"].astype(str).tolist()
            inks += [color] * len(line)
    ax.set_xscale("log", base=2)
    # Room for numbers above the best points.
    ax.margins(y=0.12)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    write(ax, xlabel="bytes per embedding", ylabel=metric)
    ax.grid(alpha=0.3)
    # Below the picture: points lie in all of its corners.
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14)}
    columns = table[group].nunique() if group else 3
    add_legend(ax, drawn, ncols=columns, **below)
    label_points(ax, np.array(places), numbers, inks)
    return ax
