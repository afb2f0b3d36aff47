"""Bootstrap intervals: how far metrics would scatter on other examples."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least

_CONFIDENCE = 0.95

# From rows that are drawn, an int array that may hold a row several times, to metrics.
MetricsOfRows = Callable[[np.ndarray], Mapping[str, float]]


def intervals(
    metrics: MetricsOfRows, size: int, samples: int, seed: int
) -> pd.DataFrame:
    """Put metrics beside their 95 % intervals.

    The ends are percentiles of the metrics of samples drawn with replacement (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

    Args:
        metrics: from row numbers to metrics by their names.
        size: how many rows there are, and are drawn for each sample.
        samples: number of samples, from 1.
        seed: seed of the draws.

    Returns:
        DataFrame indexed by metric: value (of all rows), low and high.

    Raises:
        ValueError: if ``samples`` is not positive.
    """
    value = metrics(np.arange(size))
    return _with_ends({"value": value}, _drawn(metrics, size, samples, seed))


def compare(
    base: MetricsOfRows, tuned: MetricsOfRows, size: int, samples: int, seed: int
) -> pd.DataFrame:
    """Put metrics before and after beside the 95 % intervals of their differences.

    The same samples are drawn for both. Arguments are those of `intervals`.

    Returns:
        DataFrame indexed by metric: base, tuned, difference, and of this low and high.

    Raises:
        ValueError: if ``samples`` is not positive.
    """
    before, after = (pd.Series(metrics(np.arange(size))) for metrics in (base, tuned))
    columns = {"base": before, "tuned": after, "difference": after - before}
    ends = [_drawn(metrics, size, samples, seed) for metrics in (base, tuned)]
    return _with_ends(columns, ends[1] - ends[0])


def in_words(comparison: pd.DataFrame, *metrics: str) -> str:
    """Say of each metric whether it rose, fell, or no change is shown.

    Args:
        comparison: table with the columns difference, low and high, such as that of
            `Scores.compare`.
        metrics: which rows of it. Default: all.

    Returns:
        A line for each metric: the difference and, in brackets, its interval. Where the
        interval holds 0, no change is shown.
    """
    lines = []
    for metric in metrics or comparison.index:
        difference, low, high = comparison.loc[metric, ["difference", "low", "high"]]
        moved = "rose" if low > 0 else "fell" if high < 0 else "no change is shown"
        lines.append(f"{metric}: {moved}, {difference:+.4f} [{low:+.4f}, {high:+.4f}]")
    return "\n".join(lines)


def _drawn(metrics: MetricsOfRows, size: int, samples: int, seed: int) -> pd.DataFrame:
    """A row of metrics for each sample; the same arguments give the same samples."""
    check_at_least("samples", samples)
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        [metrics(generator.integers(size, size=size)) for _ in range(samples)]
    )


def _with_ends(
    columns: Mapping[str, Mapping[str, float]], drawn: pd.DataFrame
) -> pd.DataFrame:
    tail = (1 - _CONFIDENCE) / 2
    table = pd.DataFrame(columns)
    return table.assign(low=drawn.quantile(tail), high=drawn.quantile(1 - tail))
