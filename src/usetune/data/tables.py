"""Reading CSV, JSON Lines and Parquet files, their faults named."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from usetune._utils.json import parse_object
from usetune._utils.paths import expand
from usetune.data.columns import require_columns
from usetune.data.csv_rows import csv_header, csv_rows, full_rows
from usetune.data.parquet import check_texts, check_whole, holds_texts, open_parquet
from usetune.data.text_files import lines_of, open_lines

# A table is read as a whole, and takes some hundred bytes of memory a row.
MOST_ROWS = 10_000_000

_Check = Callable[[pd.DataFrame], pd.DataFrame]


def read_table(
    path: str | Path,
    *expected: Sequence[str],
    names: Mapping[str, str] | None = None,
    most_rows: int = MOST_ROWS,
) -> pd.DataFrame:
    """Read a file, every cell as it is written.

    Args:
        path: a Parquet file (``.parquet``), UTF-8 JSON Lines (``.jsonl``, ``.ndjson``,
            ``.json``) or, with any other ending, UTF-8 CSV by RFC 4180; the latter two
            packed by gzip where ``.gz`` follows. A byte order mark is skipped.
        *expected: lists of columns; it must have all columns of one of them.
        names: new names for columns of the file.
        most_rows: a file with more is refused, a Parquet file before it is read.

    Returns:
        DataFrame with all columns of the file. From CSV all cells are ``str``, an
        empty one is ""; otherwise they are what the file says. The index has the lines
        of the file (named "line"), or for Parquet the rows ("row"), from 1.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is empty, damaged, not UTF-8 or not of its
            format, has no columns, lacks one or has one twice, or has too many rows.
    """
    path = expand(path)

    def check(table: pd.DataFrame) -> pd.DataFrame:
        return require_columns(table, str(path), *expected, names=names)

    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    table = check(_READERS.get(ending, _read_csv)(path, check, most_rows))
    if table.columns.empty:
        raise ValueError(f"{path} has no columns")
    return table


def check_size(path: str | Path, rows: int, most_rows: int = MOST_ROWS) -> None:
    """Refuse a file of too many rows.

    Args:
        path: of the file.
        rows: that it has, or that were found so far.
        most_rows: that it may have.

    Raises:
        ValueError: naming the file and the bound.
    """
    if rows > most_rows:
        raise ValueError(
            f"{path} must have at most {most_rows:,} rows; cut it into several files. "
            f"Received: {rows:,} or more"
        )


def _read_csv(path: Path, check: _Check, most_rows: int) -> pd.DataFrame:
    with open_lines(path) as file:
        rows = csv_rows(lines_of(file, path), path)
        header = csv_header(rows, path).cells
        check(pd.DataFrame(columns=header))
        # Lists of cells by column: as many lists as rows keep the garbage collector
        # busy for longer than the reading takes.
        lines: list[int] = []
        columns: list[list[str]] = [[] for _ in header]
        for row in full_rows(rows, path, len(header)):
            lines.append(row.line)
            check_size(path, len(lines), most_rows)
            for column, cell in zip(columns, row.cells, strict=True):
                column.append(cell)
    index = pd.Index(lines, name="line", dtype="int64")
    return pd.DataFrame(dict(zip(header, columns, strict=True)), index, dtype=str)


def _read_json_lines(path: Path, check: _Check, most_rows: int) -> pd.DataFrame:
    rows: dict[int, dict[str, Any]] = {}
    with open_lines(path) as file:
        for number, line in enumerate(lines_of(file, path), start=1):
            if line.isspace():
                continue
            try:
                rows[number] = parse_object(line)
            except ValueError as error:
                is_part = line.startswith(b"[") or line.strip() == b"{"
                hint = "; a line is one object" if is_part else ""
                raise ValueError(f"{path}, line {number} {error}{hint}") from error
            check_size(path, len(rows), most_rows)
    if not rows:
        raise ValueError(f"{path} is empty")
    # As objects: pandas would turn a column with a gap into floating numbers.
    return pd.DataFrame([*rows.values()], pd.Index(rows, name="line"), dtype=object)


def _read_parquet(path: Path, check: _Check, most_rows: int) -> pd.DataFrame:
    with open_parquet(path) as file:
        check_size(path, file.metadata.num_rows, most_rows)
        check(pd.DataFrame(columns=file.schema_arrow.names))
        table = file.read()
        check_whole(file, len(table))
        check_texts(table, path)
        for place, field in enumerate(table.schema):
            if holds_texts(field.type):
                texts = table[place].cast(pa.large_string())
                table = table.set_column(place, field.name, texts)
        # What pandas has stored beside may make columns to an index.
        frame = table.to_pandas(ignore_metadata=True)
    return frame.set_index(pd.RangeIndex(1, len(frame) + 1, name="row"))


_READERS = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json_lines,
    ".parquet": _read_parquet,
}
