"""A chart of what smaller embeddings cost."""

from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from usetune.plots.drawing import add_legend, axes, check_table, write


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
    colors = {name: f"C{i}" for i, name in enumerate(table["precision"].unique())}
    parts = table.groupby(group, sort=False) if group else [("", table)]
    drawn = []
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
            for _, point in line.iterrows():
                ax.annotate(
                    f"{point['dim']}",
                    (point["bytes"], point[metric]),
                    xytext=(3, -10),
                    textcoords="offset points",
                    fontsize=7,
                    color=color,
                )
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    write(ax, xlabel="bytes per embedding", ylabel=metric)
    ax.grid(alpha=0.3)
    # Beside the picture: points lie in all of its corners.
    add_legend(ax, drawn, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
