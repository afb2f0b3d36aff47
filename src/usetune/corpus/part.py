"""One part of a corpus: its rows read, embedded and written."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from usetune._utils.files import replacing
from usetune.corpus.formats import reader_of
from usetune.corpus.formats.base import EMBEDDING, changed
from usetune.corpus.job import Job, Part
from usetune.protocols import TextEncoder
from usetune.search.quantization import Quantizer


def part_path(output: Path, part: Part) -> Path:
    """The Parquet file of a part."""
    return output / "parts" / f"{part.name}.parquet"


def rejected_path(output: Path, part: Part) -> Path:
    """The JSON Lines file of the rows of a part that could not be embedded."""
    return output / "rejected" / f"{part.name}.jsonl"


def embed_part(part: Part, job: Job, encoder: TextEncoder) -> None:
    """Embed the texts of a part, and write its rows with their embeddings.

    The rejected rows are written first: where the Parquet file exists, all is done.
    Doing a part again replaces its files by equal ones.

    Raises:
        ValueError: if the file does not have the rows that it had.
    """
    table, rejected = reader_of(part.file)(job.column).read(part, job.types)
    rows = len(table) + len(rejected)
    if rows != part.rows:
        which = f"rows {part.start + 1} to {part.stop}"
        raise changed(part.file, f"{which} were {part.rows}. Received: {rows}")
    embeddings = encoder.encode(table[job.column].to_pylist())
    if isinstance(job.precision, Quantizer):
        numbers = job.precision.quantize(embeddings)
    else:
        numbers = embeddings.astype(job.precision)
    # Embeddings hardly repeat: to look for repetition doubles the time of writing.
    names = table.column_names
    table = table.append_column(EMBEDDING, _fixed_size_lists(numbers))
    if rejected:
        lines = [
            {
                "file": part.file,
                "row": part.start + row.number + 1,
                "reason": row.reason,
                "content": row.content,
            }
            for row in rejected
        ]
        text = "".join(json.dumps(line, default=str) + "\n" for line in lines)
        with replacing(rejected_path(job.output, part)) as temporary:
            temporary.write_text(text, "utf-8", newline="\n")
    with replacing(part_path(job.output, part)) as temporary:
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
    if embedded + rejected != part.rows:
        raise RuntimeError(
            f"{part_path(output, part)} and its rejected rows must be {part.rows} "
            f"rows. Received: {embedded} and {rejected}; delete the file, and call "
            "again"
        )
    return embedded, rejected


def _fixed_size_lists(numbers: np.ndarray) -> pa.Array:
    """Array (n, width) → n lists of the length ``width``."""
    values = pa.array(np.ascontiguousarray(numbers).ravel())
    return pa.FixedSizeListArray.from_arrays(values, numbers.shape[1])
