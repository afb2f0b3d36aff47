"""Reading CSV files as text, their faults named."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd


def read_table(
    path: str | Path, *shapes: Sequence[str], names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a UTF-8 CSV file, every cell as it is written.

    Args:
        path: the file; a byte order mark is skipped.
        *shapes: columns that it must have, all of one of the shapes.
        names: new names for columns of the file.

    Returns:
        DataFrame of ``str``, with all columns of the file; an empty cell is "".

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is empty, not UTF-8 or not CSV, or lacks a
            column.
    """
    try:
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except pd.errors.EmptyDataError as error:
        expected = " or ".join(map(str, shapes))
        raise ValueError(f"{path} is empty; expected the columns {expected}") from error
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error}); save it as UTF-8 and try again"
        ) from error
    names = names or {}
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ValueError(
            f"{path} lacks the columns {unknown}; found {list(table.columns)}"
        )
    table = table.rename(columns=names)
    lacking = [[column for column in shape if column not in table] for shape in shapes]
    if all(lacking):
        nearest = min(range(len(shapes)), key=lambda number: len(lacking[number]))
        raise ValueError(
            f"{path} lacks the columns {lacking[nearest]}; expected "
            f"{shapes[nearest]}, found {list(table.columns)}"
        )
    return table
