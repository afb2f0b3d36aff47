"""Converters of pairs and triplets from one format to another."""

import pandas as pd

from usetune.data.columns import require_columns
from usetune.data.counts import with_counts
from usetune.data.formats import (
    BINARY,
    GROUP_COLUMNS,
    POSITIVE,
    TRIPLETS,
    Format,
    check_rows,
    text_columns,
)


def pairs_from_triplets(triplets: pd.DataFrame) -> pd.DataFrame:
    """Take triplets apart: anchor and positive get the label 1, the negative 0.

    Equal pairs count once. A negative that is a positive of the same anchor elsewhere
    is left out.

    Args:
        triplets: DataFrame anchor, positive, and negative or negative_1, …

    Returns:
        DataFrame base, ref, label (0 or 1), and occupation, concept and group where
        ``triplets`` has them. `counts` has the triplets, the pairs and what is left
        out.

    Raises:
        ValueError: if ``triplets`` lacks a column, has no rows or an empty cell.
    """
    several = [*POSITIVE.columns, "negative_1"]
    table = require_columns(triplets, "triplets", TRIPLETS.columns, several)
    names = [name for name in text_columns(table) if name.startswith("negative")]
    format = Format(TRIPLETS.name, (*POSITIVE.columns, *names))
    table = check_rows(table, format, "triplets")
    owners = [column for column in GROUP_COLUMNS if column in table]
    pairs = table.reset_index(drop=True).melt(
        ["anchor", *owners], var_name="label", value_name="ref", ignore_index=False
    )
    pairs["label"] = (pairs["label"] == "positive").astype("int64")
    # The pairs of a triplet come together.
    pairs = pairs.sort_index(kind="stable").rename(columns={"anchor": "base"})
    best = pairs.groupby(["base", "ref"])["label"].transform("max")
    kept = pairs[pairs["label"] == best]
    result = kept[["base", "ref", "label", *owners]]
    result = result.drop_duplicates(["base", "ref"], ignore_index=True)
    return converted(
        result,
        {
            "triplets": len(table),
            "pairs of them": len(pairs),
            "left out as positives elsewhere": len(pairs) - len(kept),
            "left out as equal": len(kept) - len(result),
            "pairs": len(result),
        },
    )


def positive_pairs_from_labelled(pairs: pd.DataFrame) -> pd.DataFrame:
    """Keep the pairs with the label 1, as positive pairs.

    Args:
        pairs: DataFrame base, ref, label (0 or 1).

    Returns:
        DataFrame anchor, positive, and occupation, concept and group where ``pairs``
        has them. `counts` has the pairs, those left out and those kept.

    Raises:
        ValueError: if ``pairs`` lacks a column, has no rows, an empty cell, a label
            other than 0 and 1, or no label 1.
    """
    table = check_rows(pairs, BINARY, "pairs")
    kept = table[table["label"] == 1]
    if kept.empty:
        raise ValueError("pairs must have the label 1 in some row. Received: only 0")
    result = kept.drop(columns="label").reset_index(drop=True)
    result = result.rename(columns={"base": "anchor", "ref": "positive"})
    return converted(
        result,
        {
            "pairs": len(table),
            "left out, labelled 0": len(table) - len(result),
            "positive pairs": len(result),
        },
    )


def converted(table: pd.DataFrame, numbers: dict[str, int]) -> pd.DataFrame:
    """Store what was counted; the attributes of the input are not the table's."""
    table.attrs = {}
    return with_counts(table, numbers)
