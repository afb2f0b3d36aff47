"""One part of a corpus: its rows read, embedded and written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from usetune._utils.files import replacing
from usetune.corpus.files import file_format
from usetune.corpus.json_lines import read_rows
from usetune.corpus.plan import EMBEDDING, Part, staged_path
from usetune.protocols import TextEncoder
from usetune.search.quantization import Quantizer

# Rows of a Parquet file that are decoded at a time.
_BATCH_ROWS = 8192


def part_path(output: Path, part: Part) -> Path:
    """The Parquet file of a part."""
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
        types: of the columns of JSON Lines, of `usetune.corpus.plan.cut`.
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
        pq.write_table(table, temporary, use_dictionary=names, write_page_checksum=True)


def embedded_rows(part: Part, output: Path) -> int | None:
    """Rows of the file of a part, None where it is missing or not whole.

    A power cut can leave a file without its end.
    """
    try:
        return pq.read_metadata(part_path(output, part)).num_rows
    except (FileNotFoundError, pa.ArrowInvalid):
        return None


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
        ValueError: if the file does not have the rows that it had.
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
    reasons = {int(row): "null" for row in np.flatnonzero(table[column].is_null())}
    reasons |= dict.fromkeys(_undecodable(table[column]), "not UTF-8")
    if not reasons:
        return table, []
    numbers = sorted(reasons)
    place = table.column_names.index(column)
    others = table.take(numbers)
    cells = _binary(others[column]).to_pylist()
    shown = [cell and cell.decode("utf-8", "replace") for cell in cells]
    rows = others.set_column(place, column, pa.array(shown, pa.string())).to_pylist()
    rejected = [
        _rejected(part, number, reasons[number], row)
        for number, row in zip(numbers, rows, strict=True)
    ]
    kept = np.ones(len(table), dtype=bool)
    kept[numbers] = False
    return table.filter(pa.array(kept)), rejected


def _binary(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return texts.cast(pa.large_string()).cast(pa.large_binary())


def _undecodable(texts: pa.ChunkedArray) -> list[int]:
    """The rows that a Parquet file calls texts, but that are not UTF-8."""
    try:
        texts.cast(pa.large_string()).validate(full=True)
    except pa.ArrowInvalid:
        return [
            row
            for row, cell in enumerate(_binary(texts).to_pylist())
            if cell is not None and not _is_utf8(cell)
        ]
    return []


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


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
    with pq.ParquetFile(part.file, page_checksum_verification=True) as file:
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
            start = max(part.start - position, 0)
            if start < len(batch):
                batches.append(batch.slice(start, part.stop - position - start))
            position += len(batch)
            if position >= part.stop:
                break
        return pa.Table.from_batches(batches, file.schema_arrow)


def _fixed_size_lists(numbers: np.ndarray) -> pa.Array:
    """Array (n, width) → n lists of the length ``width``."""
    values = pa.array(np.ascontiguousarray(numbers).ravel())
    return pa.FixedSizeListArray.from_arrays(values, numbers.shape[1])
