"""One part of a corpus: its rows read, embedded and written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from usetune.corpus_files import file_format
from usetune.corpus_json import read_rows
from usetune.corpus_plan import EMBEDDING, Part, staged_path
from usetune.files import replacing
from usetune.quantization import Quantizer
from usetune.sts import TextEncoder

# Rows of a Parquet file that are decoded at a time.
_BATCH_ROWS = 8192


def part_path(output: Path, part: Part) -> Path:
    """The Parquet file of a part; where it exists it is whole."""
    return output / "parts" / f"{part.name}.parquet"


def rejected_path(output: Path, part: Part) -> Path:
    """The JSON Lines file of the rows of a part that could not be embedded."""
    return output / "rejected" / f"{part.name}.jsonl"


def embed_part(
    part: Part,
    column: str,
    types: Mapping[str, str],
    encoder: TextEncoder,
    precision: str | Quantizer,
    work: Path,
    output: Path,
) -> None:
    """Embed the texts of a part, and write its rows with their embeddings.

    The rejected rows are written first: where the Parquet file exists, all is done.
    Doing a part again replaces its files by equal ones.

    Args:
        part: what to embed.
        column: holds the texts.
        types: of the columns of JSON Lines, of `usetune.corpus_plan.cut`.
        encoder: as `TextEncoder`.
        precision: "float32", "float16", or what makes codes.
        work: where the copies of CSV files are.
        output: folder of the corpus.

    Raises:
        ValueError: if the file does not have the rows that it had.
    """
    table, rejected = read_part(part, column, types, work)
    embeddings = encoder.encode(table[column].to_pylist())
    if isinstance(precision, Quantizer):
        numbers = precision.quantize(embeddings)
    else:
        numbers = embeddings.astype(precision)
    # Embeddings hardly repeat: to look for repetition doubles the time of writing.
    names = table.column_names
    table = table.append_column(EMBEDDING, _fixed_size_lists(numbers))
    if rejected:
        with replacing(rejected_path(output, part)) as temporary:
            lines = (json.dumps(row, default=str) + "\n" for row in rejected)
            temporary.write_text("".join(lines), "utf-8", newline="\n")
    with replacing(part_path(output, part)) as temporary:
        pq.write_table(table, temporary, use_dictionary=names)


def part_counts(part: Part, output: Path) -> tuple[int, int]:
    """How many rows of a part were embedded and rejected, by its files.

    Raises:
        RuntimeError: if they are not as many as were read.
    """
    embedded = pq.read_metadata(part_path(output, part)).num_rows
    rejected = 0
    if rejected_path(output, part).exists():
        with open(rejected_path(output, part), "rb") as lines:
            rejected = sum(1 for _ in lines)
    if embedded + rejected != part.stop - part.start:
        raise RuntimeError(
            f"{part_path(output, part)} and its rejected rows must be "
            f"{part.stop - part.start} rows. Received: {embedded} and {rejected}; "
            "delete the file, and call again"
        )
    return embedded, rejected


def read_part(
    part: Part, column: str, types: Mapping[str, str], work: Path
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Read the rows of a part.

    Args:
        part: which rows.
        column: holds the texts.
        types: of the columns of JSON Lines.
        work: where the copies of CSV files are.

    Returns:
        The rows with a text, in order; and for each other row the file, its number
        from 1, the reason and its content.

    Raises:
        ValueError: if the file does not have the rows that it had, or texts of a
            Parquet file are not UTF-8.
    """
    if file_format(part.file) == "JSON":
        span = part.first_byte, part.last_byte
        table, others = read_rows(part.file, *span, column, types)
        _check_count(part, len(table) + len(others))
        return table, [_rejected(part, *other) for other in others]
    if file_format(part.file) == "CSV":
        table = pq.read_table(staged_path(work, part))
    else:
        table = _read_parquet(part)
    _check_count(part, len(table))
    try:
        table[column].validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{part.file}, column {column!r}, rows {part.start + 1} to {part.stop} "
            f"must be UTF-8: {error}"
        ) from error
    valid = table[column].is_valid()
    numbers = np.flatnonzero(~valid.to_numpy())
    rejected = [
        _rejected(part, int(number), "null", row)
        for number, row in zip(
            numbers, table.filter(pc.invert(valid)).to_pylist(), strict=True
        )
    ]
    return table.filter(valid), rejected


def _rejected(part: Part, number: int, reason: str, row: Any) -> dict[str, Any]:
    row_number = part.start + number + 1
    return {"file": part.file, "row": row_number, "reason": reason, "content": row}


def _check_count(part: Part, rows: int) -> None:
    if rows != part.stop - part.start:
        raise ValueError(
            f"{part.file} has changed since its parts were planned: rows {part.start} "
            f"to {part.stop} were {part.stop - part.start}. Received: {rows}"
        )


def _read_parquet(part: Part) -> pa.Table:
    """The row groups that hold the rows, cut to them, a batch at a time."""
    with pq.ParquetFile(part.file) as file:
        ends = np.cumsum(
            [
                file.metadata.row_group(group).num_rows
                for group in range(file.metadata.num_row_groups)
            ]
        )
        first, last = np.searchsorted(ends, [part.start, part.stop - 1], "right")
        position = ends[first - 1] if first else 0
        batches = []
        # Where there are fewer groups than there were, fewer rows come.
        groups = [*range(first, min(last + 1, len(ends)))]
        for batch in file.iter_batches(_BATCH_ROWS, groups):
            start, stop = (
                min(max(row - position, 0), len(batch))
                for row in (part.start, part.stop)
            )
            batches.append(batch.slice(start, stop - start))
            position += len(batch)
            if position >= part.stop:
                break
        return pa.Table.from_batches(batches, file.schema_arrow)


def _fixed_size_lists(numbers: np.ndarray) -> pa.Array:
    """Array (n, width) → n lists of the length ``width``."""
    values = pa.array(np.ascontiguousarray(numbers).ravel())
    return pa.FixedSizeListArray.from_arrays(values, numbers.shape[1])
