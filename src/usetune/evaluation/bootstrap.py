"""Bootstrap intervals: how far figures would scatter on other examples."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

_CONFIDENCE = 0.95


def bootstrap(
    figures: Callable[[np.ndarray], Mapping[str, float]],
    size: int,
    samples: int,
    seed: int,
) -> pd.DataFrame:
    """Take figures of samples drawn with replacement.

    The same size, samples and seed give the same draws, so that the figures of two
    encoders can be subtracted sample by sample.

    Args:
        figures: from row numbers, int array (size,), to figures by their names.
        size: how many rows there are to draw from, and are drawn.
        samples: how many samples, from 1.
        seed: of the draws.

    Returns:
        DataFrame, a row for each sample and a column for each figure.

    Raises:
        ValueError: if ``samples`` is not positive.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1. Received: {samples}")
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        [figures(generator.integers(size, size=size)) for _ in range(samples)]
    )


def interval_table(
    columns: Mapping[str, Mapping[str, float]], drawn: pd.DataFrame
) -> pd.DataFrame:
    """Put figures beside their 95 % intervals.

    The ends are percentiles of the samples (Efron and Tibshirani, "An Introduction to
    the Bootstrap", 1993, chapter 13).

    Args:
        columns: name of a column → figures by their names.
        drawn: as `bootstrap` returns, of what the intervals are for.

    Returns:
        DataFrame indexed by figure: the columns, low and high.
    """
    tail = (1 - _CONFIDENCE) / 2
    table = pd.DataFrame(columns)
    return table.assign(low=drawn.quantile(tail), high=drawn.quantile(1 - tail))
