"""Training data: pairs of texts; reading and checking."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from usetune import datasets
from usetune.tables import read_table

SCORED = ["base", "ref", "similarity"]
POSITIVE = ["anchor", "positive"]
_TEXT_COLUMN = re.compile(r"base|ref|anchor|positive|negative(_\d+)?")
# What names the thing, or the kind of thing, that texts are about.
OWNERS = ("occupation", "group")
_ARTICLE_URL = (
    "https://raw.githubusercontent.com/kapadias/medium-articles/"
    "749c93d1e6373c7911d3076fa8bcc38997cef884/natural-language-processing/"
    "embedding-models/data/training_data.csv"
)
_ARTICLE_SHA256 = "02af88edd787c2b9a360e8de2c9778d0af1e4c50fc41ba035a9da2656f13f935"


def load_pairs(
    path: str | Path, names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read pairs of texts from a CSV file, recognised by their columns.

    Args:
        path: UTF-8 CSV of scored pairs, with the columns base, ref and similarity, or
            of positive pairs, with anchor and positive, and perhaps negative_1, …,
            occupation and group. Further columns are left out. Texts are kept as they
            are written, "NA" and "null" too.
        names: new names for columns of the file:
            {"alternative label": "anchor", "label": "positive"}, say.

    Returns:
        DataFrame of these columns: ``str``, and similarity float64 in [0, 1]. One row
        per row of the file; ``attrs["source"]`` is the path.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, and the rows (counted from 1, without the header)
            or column at fault: no content, not UTF-8, not CSV, a column missing, a
            cell empty, a similarity that is no number or outside [0, 1].
    """
    table = read_table(path, SCORED, POSITIVE, names=names)
    if table.empty:
        raise ValueError(f"{path} has a header and no rows")
    if all(column in table for column in SCORED):
        columns = SCORED
    else:
        owners = [column for column in OWNERS if column in table]
        columns = [*text_columns(table), *owners]
    pairs = table[columns].copy()
    for column in pairs.columns.drop("similarity", errors="ignore"):
        empty = pairs[column].str.strip() == ""
        _refuse(path, table, column, empty, "a text")
    if "similarity" in columns:
        pairs["similarity"] = pd.to_numeric(table["similarity"], errors="coerce")
        similarity = pairs["similarity"]
        _refuse(path, table, "similarity", similarity.isna(), "a number")
        outside = ~similarity.between(0, 1)
        _refuse(path, table, "similarity", outside, "a number in [0, 1]")
    pairs.attrs["source"] = str(path)
    return pairs


def text_columns(pairs: pd.DataFrame) -> list[str]:
    """Names of the columns that hold texts."""
    return [column for column in pairs if _TEXT_COLUMN.fullmatch(column)]


def _refuse(
    path: str | Path, table: pd.DataFrame, column: str, wrong: pd.Series, expected: str
) -> None:
    """Raise if any row is wrong, naming the first few."""
    if wrong.any():
        rows = np.flatnonzero(wrong)
        shown = "; ".join(f"row {i + 1}: {table[column].iloc[i]!r}" for i in rows[:5])
        raise ValueError(
            f"{path}, column {column}: expected {expected}. Received in {len(rows)} "
            f"of {len(table)} rows: {shown}{'; …' if len(rows) > 5 else ''}"
        )


def load_article_pairs() -> pd.DataFrame:
    """Read the article's own 98 pairs, or what stands in for them.

    They come from the folder that ``USETUNE_DATA`` names, the user's cache or a
    download, their SHA-256 checked. Where none of them can be had, the pairs that this
    project ships are read, with a warning.

    Returns:
        As `load_pairs`; ``attrs["source"]`` says which they are.

    Raises:
        ValueError: if the file has another SHA-256.
    """
    path = datasets.find("article/training_data.csv", _ARTICLE_URL, _ARTICLE_SHA256)
    if path is not None:
        pairs = load_pairs(path)
        pairs.attrs["source"] = "the article's own pairs"
    else:
        pairs = load_pairs(datasets.shipped("training_data.csv"))
        pairs.attrs["source"] = "pairs shipped with usetune, NOT the article's"
        warnings.warn(
            f"the article's pairs cannot be had; using the {pairs.attrs['source']}",
            stacklevel=2,
        )
    return pairs
