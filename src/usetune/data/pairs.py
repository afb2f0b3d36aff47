"""Training data of any format: reading and checking."""

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from usetune.data.columns import require_columns
from usetune.data.formats import FORMATS, check_rows, format_of
from usetune.data.nested import unnested
from usetune.data.parquet import check_texts
from usetune.data.tables import read_table


def load_pairs(
    source: Any,
    names: Mapping[str, str] | None = None,
    format: str | None = None,
    per_row: int | None = None,
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

    A cell may hold a list of texts: all of an anchor's positives, or its negatives. The
    row then gives as many examples as its longest list has texts, each text in one at
    least, those of a shorter list again from its beginning.

    Args:
        source: a UTF-8 CSV file, JSON Lines (``.jsonl``), Parquet (``.parquet``), see
            `usetune.data.tables.read_table`, or a DataFrame, a ``Dataset`` of Hugging
            Face's datasets or a table of pyarrow. Texts of a file are kept as they are
            written, even "NA" and "null".
        names: new names for columns, such as
            {"alternative label": "anchor", "label": "positive"}. The columns of a
            nested one are {"set.query": "anchor"}, say.
        format: the name of the format, where the columns would fit several.
        per_row: the most examples that are made of a row with lists; None for all.

    Returns:
        DataFrame of these columns: ``str``, similarity float64, label int64. One row
        per row of the source, or for each example of it: then `counts` has the rows,
        the examples and what was left out. ``attrs["source"]`` is the path, and
        ``attrs["format"]`` the name of the format.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError: if ``source`` is neither a path nor a table.
        ValueError: naming the file, and the lines (of Parquet or a DataFrame the rows,
            from 1) or column at fault: no content, not UTF-8, not of its format, a
            column missing or given twice, a cell empty, a similarity that is not a
            number in [0, 1], a label that is not a whole number; or if ``per_row`` is
            below 1.
    """
    columns = [known.columns for known in FORMATS]
    is_file = isinstance(source, (str, os.PathLike))
    if is_file:
        path, table = str(source), read_table(source, *columns, names=names or {})
    else:
        path = "pairs"
        if hasattr(source, "column_names") and hasattr(source, "to_pandas"):
            source = source.flatten()
            if hasattr(source, "with_format"):
                # A `Dataset` is a selection of the rows of a table of pyarrow.
                source = source.with_format("arrow")[:]
            check_texts(source, path)
            source = source.to_pandas()
        table = require_columns(source, path, *columns, names=names or {})
    examples = unnested(table, per_row, path)
    found = format_of(examples, format, path)
    pairs = check_rows(examples, found, path)
    if is_file or examples is not table:
        pairs = pairs.reset_index(drop=True)
    pairs.attrs |= {"source": path, "format": found.name}
    return pairs
