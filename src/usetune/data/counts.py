"""What was read, kept and left out on the way to a table."""

from collections.abc import Mapping

import pandas as pd

_KEY = "counts"


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Say how many rows were read, kept and left out on the way to a table, and why.

    Args:
        table: as `load_occupations`, `load_terminology`, `occupation_labels`, one of
            the converters, `mine_hard_negatives` or `split_pairs` (its training set)
            returns it. A table that pandas derived from one may have lost its counts.

    Returns:
        A new dict: what was counted, in the order of the steps → its number.

    Raises:
        ValueError: if nothing was counted for the table.
    """
    if _KEY not in table.attrs:
        raise ValueError(
            "table must come from a function of usetune.data that counts, unchanged. "
            f"Received: a table with the columns {list(table.columns)} and no counts"
        )
    return dict(table.attrs[_KEY])


def with_counts(table: pd.DataFrame, numbers: Mapping[str, int]) -> pd.DataFrame:
    """Store in a table what `counts` returns, in place of what it had inherited."""
    table.attrs[_KEY] = dict(numbers)
    return table
