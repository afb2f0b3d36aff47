"""Charts of metrics: by epoch, against each other, of repeated runs."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from usetune.plots.drawing import (
    COLORS,
    add_legend,
    as_text,
    axes,
    check_table,
    write,
)
from usetune.plots.labels import label_points

# Lines are told apart in print as well.
_MARKERS = "osD^v"


def plot_curves(
    curves: Mapping[str, Sequence[float]],
    ylabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw values by epoch, a line for each name.

    Args:
        curves: name → the values of epochs 1, 2, …; they may differ in length. An
            epoch whose value is NaN is a gap.
        ylabel: what the values are.
        title: above the picture.
        ax: where to draw. Default: a new figure.

    Returns:
        The Axes drawn on.
    """
    ax = axes(ax, 6, 3.5)
    drawn = []
    for name, values in curves.items():
        drawn += ax.plot(range(1, len(values) + 1), values, marker=".", label=name)
    write(ax, xlabel="epoch", ylabel=ylabel, title=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(ax, drawn)
    return ax


def plot_trade_off(
    points: pd.DataFrame,
    x: str,
    y: str,
    label: str = "alpha",
    group: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what was learned against what was kept, a point for each encoder.

    Args:
        points: one row for each point, with the columns ``x``, ``y`` and ``label``.
            Columns ``{y}_low`` and ``{y}_high``, where there are, are drawn as bars,
            but for rows where they are NaN.
        x: column of the horizontal axis.
        y: column of the vertical axis.
        label: column of the numbers written beside the points.
        group: column whose values are joined by a line each. Default: one line.
        ax: where to draw. Default: a new figure.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if a column is missing or has a gap, or a number is not finite.
    """
    points = check_table(points, "points", [x, y, label], [group])
    ax = axes(ax, 6.5, 4.5)
    lines = points.groupby(group, sort=False) if group else [(None, points)]
    drawn: list[Line2D] = []
    inks, ends = [], [f"{y}_low", f"{y}_high"]
    for name, line in lines:
        marker = _MARKERS[len(drawn) % len(_MARKERS)]
        drawn += ax.plot(line[x], line[y], marker=marker, label=name)
        color = drawn[-1].get_color()
        inks += [color] * len(line)
        if {*ends} <= {*points.columns}:
            low, high = (line[end] for end in ends)
            ax.vlines(line[x], low, high, color=color, alpha=0.4)
    write(ax, xlabel=x, ylabel=y)
    if group:
        add_legend(ax, drawn, title=group)
    in_order = pd.concat([line for _, line in lines])
    numbers = [f"{number:g}" for number in in_order[label]]
    label_points(ax, in_order[[x, y]].to_numpy(), numbers, inks)
    return ax


def plot_runs(
    runs: pd.DataFrame,
    metrics: Sequence[str],
    base: Mapping[str, float],
    name: str = "loss",
    group: str = "data",
) -> np.ndarray:
    """Draw metrics of repeated runs beside those of the base.

    Each run is a dot, the mean of the runs of a name and group a bar, and the base a
    vertical line.

    Args:
        runs: one row for each run, with the columns ``name``, ``group`` and the
            metrics.
        metrics: columns to draw, a picture each.
        base: each metric before.
        name: column of the names on the left.
        group: column by which names are coloured and kept together, in the order of
            ``runs``.

    Returns:
        The Axes, one for each metric.

    Raises:
        ValueError: if a column or a metric of the base is missing or has a gap, or a
            number is not finite.
    """
    runs = check_table(runs, "runs", metrics, [name, group])
    check_table(pd.DataFrame([base]), "base", metrics)
    lines = list(runs.groupby([group, name], sort=False))
    groups = list(dict.fromkeys(key[0] for key, _ in lines))
    # A gap of half a line between groups.
    places = [
        line + 0.5 * groups.index(own) for line, ((own, _), _) in enumerate(lines)
    ]
    size = 1.5 + 4 * len(metrics), 1.2 + 0.3 * places[-1]
    row = plt.figure(figsize=size, layout="constrained").subplots(
        1, len(metrics), sharey=True, squeeze=False
    )[0]
    for ax, metric in zip(row, metrics, strict=True):
        ax.axvline(base[metric], color="black", linestyle="--", label="base")
        for place, ((own, _), line) in zip(places, lines, strict=True):
            color = COLORS[groups.index(own) % len(COLORS)]
            values = line[metric]
            ax.plot(values, [place] * len(line), "o", color=color, alpha=0.5)
            ax.vlines(values.mean(), place - 0.35, place + 0.35, color=color, lw=3)
        write(ax, xlabel=metric)
        ax.grid(axis="x", alpha=0.3)
    own_names = [key[1] for key, _ in lines]
    row[0].set_yticks(places, own_names, **as_text(own_names))
    row[0].invert_yaxis()
    dots = [
        row[-1].plot([], [], "o", color=COLORS[number % len(COLORS)], label=own)[0]
        for number, own in enumerate(groups)
    ]
    add_legend(row[-1], dots, loc="center left", bbox_to_anchor=(1, 0.5))
    return row
