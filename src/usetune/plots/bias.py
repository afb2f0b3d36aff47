"""A chart of titles' associations with gender, before and after training."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from usetune.plots.drawing import COLORS, add_legend, as_text, axes, check_table, write


def plot_association(
    table: pd.DataFrame,
    title: str = "",
    names: tuple[str, str] = ("base", "tuned"),
    ax: Axes | None = None,
) -> Axes:
    """Draw each title's association before and after, two dots joined by a line.

    No line marks zero, which has no meaning of its own (`usetune.bias`): titles are
    read against each other.

    Args:
        table: as `usetune.bias.compare_associations` returns; drawn from the smallest
            ``base`` at the bottom to the largest at the top.
        title: above the picture.
        names: of the two encoders, in the legend.
        ax: where to draw. Default: a new figure, sized to the number of titles.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if a column is missing or has a gap, or a number is not finite.
    """
    table = check_table(table, "table", ["base", "tuned"], ["title"])
    ax = axes(ax, 6.5, 1.5 + 0.22 * len(table))
    table = table.sort_values("base", kind="stable")
    places = np.arange(len(table))
    color = COLORS[0]
    ax.hlines(places, table["base"], table["tuned"], color=color, alpha=0.5, zorder=1)
    base, tuned = names
    # Rings are larger than dots, so that none is hidden where the two lie together.
    dots = [
        ax.scatter(table["base"], places, 64, "white", ec=color, label=base, zorder=2),
        ax.scatter(table["tuned"], places, 18, color, ec=color, label=tuned, zorder=2),
    ]
    ax.set_yticks(places, table["title"], **as_text(table["title"]))
    xlabel = "← more towards male   association   more towards female →"
    write(ax, title=title, xlabel=xlabel)
    ax.grid(axis="x", alpha=0.3)
    add_legend(ax, dots)
    return ax
