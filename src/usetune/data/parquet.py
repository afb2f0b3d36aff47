"""Parquet files, opened; and the texts of Arrow's tables, checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


@contextmanager
def open_parquet(path: str | Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; where its pages have checksums, they are checked.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged, or found to be so within the
            block.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is no whole Parquet file: {error}; write or copy it again"
        ) from error


def check_whole(file: pq.ParquetFile, rows: int) -> None:
    """Refuse a file that gave other rows than its footer says.

    Raises:
        ArrowInvalid: which `open_parquet` takes for damage.
    """
    footer = file.metadata
    groups = [
        footer.row_group(number).num_rows for number in range(file.num_row_groups)
    ]
    if not rows == footer.num_rows == sum(groups):
        raise pa.ArrowInvalid(
            f"it has {rows} rows, and its footer says {footer.num_rows}, in groups of "
            f"{sum(groups)}"
        )


def holds_texts(kind: pa.DataType) -> bool:
    """Whether a type is of texts, be they in a dictionary or not."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def check_texts(table: pa.Table, source: str | Path) -> None:
    """Refuse texts, alone or in lists, that are not UTF-8: pandas would fail on them.

    Raises:
        ValueError: naming ``source``, the column and the first row, from 1.
    """
    for field, column in zip(table.schema, table.columns, strict=True):
        places = np.arange(len(column))
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            places = pc.list_parent_indices(column).to_numpy()
            column = pc.list_flatten(column)
        wrong = undecodable(column) if holds_texts(column.type) else []
        if wrong:
            rows = np.unique(places[wrong])
            raise ValueError(
                f"{source}, column {field.name}: expected texts in UTF-8. Received in "
                f"{len(rows)} of {len(table)} rows other bytes, the first in row "
                f"{rows[0] + 1}"
            )


def as_bytes(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as the bytes that the file has."""
    return texts.cast(pa.large_string()).cast(pa.large_binary())


def undecodable(texts: pa.ChunkedArray) -> list[int]:
    """The rows that a Parquet file calls texts, but that are not UTF-8."""
    try:
        texts.cast(pa.large_string()).validate(full=True)
    except pa.ArrowInvalid:
        cells = enumerate(as_bytes(texts).to_pylist())
        return [row for row, cell in cells if cell is not None and not _is_utf8(cell)]
    return []


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
