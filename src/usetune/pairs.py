"""Training data: pairs of texts with a similarity; reading, checking, splitting."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from usetune import datasets
from usetune.tables import read_table

_TEXTS = ["base", "ref"]
COLUMNS = [*_TEXTS, "similarity"]
_ARTICLE_URL = (
    "https://raw.githubusercontent.com/kapadias/medium-articles/"
    "749c93d1e6373c7911d3076fa8bcc38997cef884/natural-language-processing/"
    "embedding-models/data/training_data.csv"
)
_ARTICLE_SHA256 = "02af88edd787c2b9a360e8de2c9778d0af1e4c50fc41ba035a9da2656f13f935"


def load_pairs(path: str | Path) -> pd.DataFrame:
    """Read scored pairs from a CSV file.

    Args:
        path: UTF-8 CSV with the columns base, ref and similarity; further columns are
            left out. Texts are kept as they are written, "NA" and "null" too.

    Returns:
        DataFrame: base, ref (str), similarity (float64 in [0, 1]), one row per row of
        the file; ``attrs["source"]`` is the path.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, and the rows (counted from 1, without the header)
            or column at fault: no content, not UTF-8, not CSV, a column missing, a
            text empty, a similarity that is no number or outside [0, 1].
    """
    table = read_table(path, COLUMNS)
    if table.empty:
        raise ValueError(f"{path} has a header and no rows")
    pairs = table[COLUMNS].copy()
    pairs["similarity"] = pd.to_numeric(table["similarity"], errors="coerce")
    similarity = pairs["similarity"]
    for column in _TEXTS:
        empty = pairs[column].str.strip() == ""
        _refuse(path, table, column, empty, "a text")
    _refuse(path, table, "similarity", similarity.isna(), "a number")
    outside = ~similarity.between(0, 1)
    _refuse(path, table, "similarity", outside, "a number in [0, 1]")
    pairs.attrs["source"] = str(path)
    return pairs


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


def split_pairs(
    pairs: pd.DataFrame,
    validation_split: float = 0.2,
    how: str = "stratified",
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split pairs into a training and a validation set.

    Args:
        pairs: DataFrame as `load_pairs` returns.
        validation_split: share of the rows to validate on, between 0 and 1.
        how: "stratified" draws at random, the same share of each third of the
            similarities' range. "tail" takes the last rows, as Keras'
            ``validation_split`` and the article do: sound only if the rows come in
            random order.
        seed: of the random draw.

    Returns:
        (training, validation), each with at least one row, in the order of ``pairs``.

    Raises:
        ValueError: if either part would be empty, or an argument is out of range.
    """
    if not 0 < validation_split < 1:
        raise ValueError(
            f"validation_split must be between 0 and 1. Received: {validation_split}"
        )
    cut = int(len(pairs) * (1 - validation_split))
    if how == "tail":
        validation = np.arange(cut, len(pairs))
    elif how == "stratified":
        order = np.random.default_rng(seed).permutation(len(pairs))
        third = np.minimum(pairs["similarity"].to_numpy()[order] * 3, 2).astype(int)
        # Walk through the thirds one after another, taking rows at equal steps.
        order = order[np.argsort(third, kind="stable")]
        count = len(pairs) - cut
        steps = (np.arange(count) + 0.5) * len(pairs) / max(count, 1)
        validation = np.sort(order[steps.astype(int)])
    else:
        raise ValueError(f"how must be 'stratified' or 'tail'. Received: {how!r}")
    training = np.setdiff1d(np.arange(len(pairs)), validation)
    if not len(training) or not len(validation):
        raise ValueError(
            f"{len(pairs)} rows cannot be split into a training and a validation set "
            f"with validation_split={validation_split}; expected at least 2"
        )
    return pairs.iloc[training], pairs.iloc[validation]
