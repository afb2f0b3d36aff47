"""Reading CSV files as text, their faults named."""

from pathlib import Path

import pandas as pd


def read_table(path: str | Path, columns: list[str]) -> pd.DataFrame:
    """Read a UTF-8 CSV file, every cell as it is written.

    Args:
        path: the file; a byte order mark is skipped.
        columns: those that it must have.

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
        raise ValueError(f"{path} is empty; expected the columns {columns}") from error
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error}); save it as UTF-8 and try again"
        ) from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"{path} lacks the columns {missing}; expected {columns}, found "
            f"{list(table.columns)}"
        )
    return table
