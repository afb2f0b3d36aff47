"""Which rows of which files make a part of a corpus.

All texts are read once before any work, so that a damaged file is found early. Parquet
and JSON Lines are cut where they lie. A line break of a CSV file may stand within
quotes, so that it can be read from its beginning only: CSV files are copied, part by
part, to Parquet files in a work folder first.
"""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from usetune._utils.files import replacing
from usetune.corpus.files import file_format
from usetune.corpus.json_lines import JsonLines, column_types

EMBEDDING = "embedding"
# Characters of a cell of a CSV file. A missing quote makes one cell of many rows.
_LONGEST_CELL = 10_000_000
# Seconds of work before a progress bar is shown.
_DELAY = 3.0
_TEXT_TYPE = re.compile(r"(dictionary<values=)?(large_)?string")


@dataclass(frozen=True)
class Part:
    """Rows of one file, embedded at a time.

    Attributes:
        number: of the part, from 0, in the order of the corpus.
        file: absolute path.
        start: first row, from 0.
        stop: row after the last.
        first_byte: where the first row begins, in a JSON Lines file; else 0.
        last_byte: where the last one has ended.
    """

    number: int
    file: str
    start: int
    stop: int
    first_byte: int = 0
    last_byte: int = 0

    @property
    def name(self) -> str:
        """Of its files, without their ending."""
        return f"part-{self.number:06d}"


def staged_path(work: Path, part: Part) -> Path:
    """Where the rows of a part of a CSV file lie as Parquet."""
    return work / f"{part.name}.parquet"


def cut(
    files: Sequence[str], column: str, rows_per_part: int, work: Path
) -> tuple[list[Part], dict[str, str]]:
    """Cut files into parts, after a look at all of them.

    Args:
        files: absolute paths, all of one format.
        column: holds the texts.
        rows_per_part: at most so many rows in a part.
        work: folder for copies of CSV files; copies that exist are left.

    Returns:
        The parts; and types of the columns of JSON Lines, see
        `usetune.corpus.json_lines.column_types`, empty for other formats.

    Raises:
        ValueError: naming a file that has no rows, is damaged, lacks the column, has a
            column "embedding", columns other than the first file, or no texts in
            the column.
    """
    if file_format(files[0]) == "JSON":
        return _cut_json(files, column, rows_per_part)
    check, ranges = (
        (_parquet_columns, _parquet_ranges)
        if file_format(files[0]) == "Parquet"
        else (_csv_columns, _csv_ranges)
    )
    columns = [check(path) for path in files]
    for path, own in zip(files, columns, strict=True):
        _check_columns(path, list(own), column)
        if own != columns[0]:
            raise ValueError(
                f"{path} must have the columns of {files[0]}, {columns[0]}. "
                f"Received: {own}"
            )
        kind = own[column]
        if not _TEXT_TYPE.match(kind):
            raise ValueError(
                f"{path}, column {column!r} must hold texts. Received: type {kind}"
            )
    parts: list[Part] = []
    with tqdm(desc="rows found", unit="row", unit_scale=True, delay=_DELAY) as bar:
        for path in files:
            before = len(parts)
            for start, stop in ranges(path, column, rows_per_part, work, before):
                parts.append(Part(len(parts), path, start, stop))
                bar.update(stop - start)
            if len(parts) == before:
                raise ValueError(f"{path} is empty: it has no rows")
    return parts, {}


def _check_columns(path: str, columns: Sequence[str], column: str) -> None:
    if column not in columns:
        raise ValueError(f"{path} lacks the column {column!r}; found {list(columns)}")
    if EMBEDDING in columns:
        raise ValueError(
            f"{path} has a column {EMBEDDING!r} already, and the output needs the name"
        )


def _check_unique(path: str, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has several columns of the names {twice}")


def _parquet_columns(path: str) -> dict[str, str]:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is not a whole Parquet file: {error}") from error
    _check_unique(path, schema.names)
    return {field.name: str(field.type) for field in schema}


def _parquet_ranges(
    path: str, column: str, rows_per_part: int, work: Path, first: int
) -> Iterator[tuple[int, int]]:
    """Row groups, small ones together and large ones in slices."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        metadata = file.metadata
        try:
            for _ in file.iter_batches(columns=[column]):
                pass
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
    start = stop = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if start < stop and stop + rows - start > rows_per_part:
            yield start, stop
            start = stop
        stop += rows
        while stop - start > rows_per_part:
            yield start, start + rows_per_part
            start += rows_per_part
    if start < stop:
        yield start, stop


def _csv_columns(path: str) -> dict[str, str]:
    with _csv_rows(path) as rows:
        header = next(rows)
    _check_unique(path, header)
    return dict.fromkeys(header, "string")


def _csv_ranges(
    path: str, column: str, rows_per_part: int, work: Path, first: int
) -> Iterator[tuple[int, int]]:
    """Copy a CSV file to Parquet files, from the number ``first``."""
    with _csv_rows(path) as rows:
        schema = pa.schema([(name, pa.string()) for name in next(rows)])
        start = 0
        while cells := list(itertools.islice(rows, rows_per_part)):
            stop = start + len(cells)
            copy = staged_path(work, Part(first, path, start, stop))
            if not copy.exists():
                columns = [
                    pa.array(own, pa.string()) for own in zip(*cells, strict=True)
                ]
                with replacing(copy) as temporary:
                    pq.write_table(pa.table(columns, schema=schema), temporary)
            yield start, stop
            start, first = stop, first + 1


@contextmanager
def _csv_rows(path: str) -> Iterator[Iterator[list[str]]]:
    """The header, then the rows, every cell as it is written."""
    longest = csv.field_size_limit(_LONGEST_CELL)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            yield _checked_rows(path, csv.reader(file, strict=True))
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error}); save it as UTF-8 and try again"
        ) from error
    finally:
        csv.field_size_limit(longest)


def _checked_rows(path: str, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows of the header's length. A blank line is an empty cell, or no row."""
    header = next(filter(None, rows), None)
    if header is None:
        raise ValueError(f"{path} is empty")
    yield header
    number = 0
    for cells in rows:
        if not cells:
            if len(header) > 1:
                continue
            cells = [""]
        number += 1
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, row {number} has {len(cells)} cells, and the header "
                f"{len(header)}; put texts with commas in double quotes"
            )
        yield cells


def _cut_json(
    files: Sequence[str], column: str, rows_per_part: int
) -> tuple[list[Part], dict[str, str]]:
    parts: list[Part] = []
    looked = []
    for path in tqdm(files, desc="files read", unit="file", delay=_DELAY):
        lines = JsonLines(path, column, rows_per_part)
        if not lines.spans:
            raise ValueError(f"{path} is empty: it has no rows")
        if not lines.texts:
            raise ValueError(f"{path} has no row with a text in a column {column!r}")
        _check_columns(path, list(lines.kinds), column)
        looked.append(lines)
        parts += [Part(len(parts) + i, path, *x) for i, x in enumerate(lines.spans)]
    return parts, column_types(looked)
