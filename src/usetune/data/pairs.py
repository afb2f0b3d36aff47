"""Training data of any format: reading and checking."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from usetune.data.formats import FORMATS, check_rows, format_of
from usetune.data.tables import read_table, require_columns


def load_pairs(
    source: str | Path | pd.DataFrame,
    names: Mapping[str, str] | None = None,
    format: str | None = None,
) -> pd.DataFrame:
    """Read training data of any format, recognised by its columns.

    ======================================= ==================================
    columns                                 format
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
            DataFrame. Texts of a file are kept as they are written, even "NA" and
            "null".
        names: new names for columns, such as
            {"alternative label": "anchor", "label": "positive"}.
        format: the name of the format, where the columns would fit several.

    Returns:
        DataFrame of these columns: ``str``, similarity float64, label int64. One row
        per row of the source; ``attrs["source"]`` is the path, and ``attrs["format"]``
        the name of the format.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, and the rows (counted from 1, without the header)
            or column at fault: no content, not UTF-8, not of its format, a column
            missing, a cell empty, a similarity that is not a number in [0, 1], a label
            that is not a whole number.
    """
    columns = [known.columns for known in FORMATS]
    if isinstance(source, pd.DataFrame):
        path, table = "pairs", require_columns(source, "pairs", *columns, names=names)
    else:
        path, table = str(source), read_table(source, *columns, names=names)
    found = format_of(table, format)
    pairs = check_rows(table, found, path)
    pairs.attrs |= {"source": path, "format": found.name}
    return pairs
