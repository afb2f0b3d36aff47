"""Reading CSV, JSON Lines and Parquet files, their faults named."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow

from usetune.data.json_lines import parse_object


def read_table(
    path: str | Path, *expected: Sequence[str], names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a file, every cell as it is written.

    Args:
        path: a Parquet file (``.parquet``), UTF-8 JSON Lines (``.jsonl``, ``.ndjson``)
            or, with any other ending, UTF-8 CSV; a byte order mark is skipped.
        *expected: lists of columns; it must have all columns of one of them.
        names: new names for columns of the file.

    Returns:
        DataFrame with all columns of the file. From CSV all cells are ``str``, an
        empty one is ""; otherwise they are what the file says.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is empty, damaged, not UTF-8 or not of its
            format, or lacks a column.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower(), _read_csv)
    try:
        table = reader(path)
    except pd.errors.EmptyDataError as error:
        listed = " or ".join(str(list(columns)) for columns in expected)
        wanted = f"; expected the columns {listed}" if expected else ""
        raise ValueError(f"{path} is empty{wanted}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error}); save it as UTF-8 and try again"
        ) from error
    return require_columns(table, str(path), *expected, names=names)


def require_columns(
    table: pd.DataFrame,
    source: str,
    *expected: Sequence[str],
    names: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Rename columns, and check that a table has the columns expected of it.

    Args:
        table: left as it is.
        source: what the errors call it.
        *expected: lists of columns; it must have all columns of one of them.
        names: new names for columns of the table.

    Raises:
        ValueError: naming ``source`` and the columns that it lacks.
    """
    names = names or {}
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ValueError(
            f"{source} lacks the columns {unknown}; found {list(table.columns)}"
        )
    table = table.rename(columns=names)
    lacking = [[name for name in columns if name not in table] for columns in expected]
    if lacking and all(lacking):
        nearest = min(range(len(lacking)), key=lambda number: len(lacking[number]))
        raise ValueError(
            f"{source} lacks the columns {lacking[nearest]}; expected "
            f"{list(expected[nearest])}, found {list(table.columns)}"
        )
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first cells for an index, and shifts the rest.
        raise ValueError(
            f"{path} has rows with more cells than its header; put texts with commas "
            "in double quotes"
        )
    return table


def _read_json_lines(path: Path) -> pd.DataFrame:
    rows = []
    with open(path, "rb") as file:
        lines = (line for line in file if not line.isspace())
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(parse_object(line))
            except ValueError as error:
                raise ValueError(f"{path}, row {number} {error}") from error
    if not rows:
        raise pd.errors.EmptyDataError
    # As objects: pandas would turn a column with a gap into floating numbers.
    return pd.DataFrame(rows, dtype=object)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"{path} is not a Parquet file: {error}") from error


_READERS = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}
