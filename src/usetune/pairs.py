"""Training data of any shape: reading and checking."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from usetune import datasets
from usetune.shapes import SHAPES, check_rows, shape_of
from usetune.tables import read_table, require_columns

_ARTICLE_URL = (
    "https://raw.githubusercontent.com/kapadias/medium-articles/"
    "749c93d1e6373c7911d3076fa8bcc38997cef884/natural-language-processing/"
    "embedding-models/data/training_data.csv"
)
_ARTICLE_SHA256 = "02af88edd787c2b9a360e8de2c9778d0af1e4c50fc41ba035a9da2656f13f935"


def load_pairs(
    source: str | Path | pd.DataFrame,
    names: Mapping[str, str] | None = None,
    shape: str | None = None,
) -> pd.DataFrame:
    """Read training data of any shape, recognised by its columns.

    ======================================= ==================================
    columns                                 shape
    ======================================= ==================================
    base, ref, similarity (in [0, 1])       "scored pairs"
    base, ref, label (0 or 1)               "pairs labelled 0 or 1"
    base, ref, label (whole number from 0)  "pairs labelled with a class"
    anchor, positive [, negative_1, …]      "positive pairs"
    anchor, positive, negative              "triplets"
    text, label (whole number from 0)       "texts with a class"
    ======================================= ==================================

    The columns occupation and group are kept where there are any: `fine_tune` never
    takes two texts of one occupation for negatives of each other, and `split_pairs`
    holds out whole groups. Further columns are left out.

    Args:
        source: a UTF-8 CSV file, JSON Lines (``.jsonl``), Parquet (``.parquet``), or a
            DataFrame. Texts of a file are kept as they are written, "NA" and "null"
            too.
        names: new names for columns:
            {"alternative label": "anchor", "label": "positive"}, say.
        shape: the name of the shape, where the columns would fit several.

    Returns:
        DataFrame of these columns: ``str``, similarity float64, label int64. One row
        per row of the source; ``attrs["source"]`` is the path, and ``attrs["shape"]``
        the name of the shape.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, and the rows (counted from 1, without the header)
            or column at fault: no content, not UTF-8, not of its format, a column
            missing, a cell empty, a similarity that is no number in [0, 1], a label
            that is no whole number.
    """
    columns = [known.columns for known in SHAPES]
    if isinstance(source, pd.DataFrame):
        path, table = "pairs", require_columns(source, "pairs", *columns, names=names)
    else:
        path, table = str(source), read_table(source, *columns, names=names)
    found = shape_of(table, shape)
    pairs = check_rows(table, found, path)
    pairs.attrs |= {"source": path, "shape": found.name}
    return pairs


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
