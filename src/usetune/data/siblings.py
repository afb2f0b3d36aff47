"""Pairs of related names: two things of one group."""

import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least
from usetune.data.columns import require_columns


def sibling_pairs(
    pairs: pd.DataFrame, number: int, within: str = "group", seed: int = 0
) -> pd.DataFrame:
    """Draw positive pairs of names that share a group.

    Trained beside the pairs that they come from, they keep related names near each
    other: see the guide to a domain of one's own for what that gains and costs.

    Args:
        pairs: DataFrame with positive, the names, and a column of groups, as
            `positive_pairs_from_occupations` and `load_terminology` return it.
        number: number of draws, from 0: a name that has a sibling, then one of its
            siblings.
        within: the column of groups.
        seed: seed of the draws.

    Returns:
        DataFrame anchor, positive (two names) and the column of groups. A pair that is
        drawn again is left out, so that there may be fewer rows than draws.

    Raises:
        TypeError: if ``pairs`` is no DataFrame.
        ValueError: if a column is missing, ``number`` is below 0, or no two names share
            a group.
    """
    require_columns(pairs, "pairs", ["positive", within])
    check_at_least("number", number, 0)
    names = pairs.drop_duplicates("positive").dropna(subset=[within])
    names = names.sort_values(within, kind="stable")
    sizes = names.groupby(within)["positive"].transform("size")
    names, sizes = names[sizes > 1], sizes[sizes > 1].to_numpy()
    if names.empty:
        raise ValueError(f"pairs must have two names of one {within}. Received: none")
    place = names.groupby(within).cumcount().to_numpy()
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(names), size=number)
    # One step or more around the group, but not once around, ends at another name.
    steps = 1 + generator.integers(sizes[drawn] - 1)
    others = drawn - place[drawn] + (place[drawn] + steps) % sizes[drawn]
    texts = names["positive"].to_numpy()
    result = pd.DataFrame(
        {
            "anchor": texts[drawn],
            "positive": texts[others],
            within: names[within].to_numpy()[drawn],
        }
    )
    return result.drop_duplicates(ignore_index=True)
