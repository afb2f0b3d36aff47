"""Check the table that a chart is drawn from."""

from collections.abc import Sequence

import pandas as pd


def check_columns(table: pd.DataFrame, argument: str, wanted: Sequence[str]) -> None:
    """Raise a ValueError that names the argument, if it lacks a wanted column."""
    missing = [name for name in wanted if name not in table]
    if missing:
        raise ValueError(f"{argument} lacks {missing}. Received: {list(table.columns)}")
