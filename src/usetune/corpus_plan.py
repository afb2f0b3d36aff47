"""Which rows of which files make a part of a corpus.

Parquet and JSON Lines are cut where they lie. A line break of a CSV file may stand
within quotes, so that it can be read from its beginning only: CSV files are copied,
part by part, to Parquet files in a work folder first.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from usetune.corpus_files import file_format
from usetune.corpus_json import JsonLines, column_types
from usetune.files import replacing

EMBEDDING = "embedding"
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
        `usetune.corpus_json.column_types`, empty for other formats.

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
            for start, stop in ranges(path, rows_per_part, work, before):
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
    twice = sorted({name for name in columns if list(columns).count(name) > 1})
    if twice:
        raise ValueError(f"{path} has several columns of the names {twice}")


def _parquet_columns(path: str) -> dict[str, str]:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is not a whole Parquet file: {error}") from error
    if len(set(schema.names)) < len(schema.names):
        _check_columns(path, schema.names, schema.names[0])
    return {field.name: str(field.type) for field in schema}


def _parquet_ranges(
    path: str, rows_per_part: int, work: Path, first: int
) -> Iterator[tuple[int, int]]:
    """Row groups, small ones together and large ones in slices."""
    metadata = pq.read_metadata(path)
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
    header = next(_csv_chunks(path, 1))
    return dict.fromkeys(map(str, header.columns), "string")


def _csv_ranges(
    path: str, rows_per_part: int, work: Path, first: int
) -> Iterator[tuple[int, int]]:
    """Copy a CSV file to Parquet files, from the number ``first``."""
    start = 0
    for chunk in _csv_chunks(path, rows_per_part):
        if not isinstance(chunk.index, pd.RangeIndex):
            # pandas takes the first cells for an index, and shifts the rest.
            raise ValueError(
                f"{path} has rows with more cells than its header, from row "
                f"{start + 1} on; put texts with commas in double quotes"
            )
        if not len(chunk):
            return
        stop = start + len(chunk)
        copy = staged_path(work, Part(first, path, start, stop))
        if not copy.exists():
            schema = pa.schema([(str(name), pa.string()) for name in chunk.columns])
            table = pa.Table.from_pandas(chunk, schema, preserve_index=False)
            with replacing(copy) as temporary:
                pq.write_table(table.replace_schema_metadata(), temporary)
        yield start, stop
        start, first = stop, first + 1


def _csv_chunks(path: str, rows: int) -> Iterator[pd.DataFrame]:
    """Every cell as it is written, an empty one is ""."""
    try:
        with pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", chunksize=rows
        ) as chunks:
            yield from chunks
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"{path} is empty") from error
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error}); save it as UTF-8 and try again"
        ) from error


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
