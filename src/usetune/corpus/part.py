"""One part of a corpus: its rows read, embedded, written, and checked again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from usetune._utils.files import clean_folder, replacing
from usetune._utils.manifest import Files, ManifestError, ManifestFormat, entry
from usetune._utils.warn import warn
from usetune.corpus.formats import reader_of
from usetune.corpus.formats.base import EMBEDDING, changed
from usetune.corpus.job import Job, Part
from usetune.corpus.manifest import FINISHED, MANIFEST, QUANTIZER, WORK, Plan
from usetune.protocols import TextEncoder
from usetune.search.quantization import Quantizer

# Lists the files of a part until the manifest of the corpus lists those of all.
_RECORD: ManifestFormat[Files] = ManifestFormat(
    "usetune-part", "", 1, (), lambda content: content["files"], lists_files=True
)


def parquet_name(part: Part) -> str:
    """The Parquet file of a part, in the output."""
    return f"parts/{part.name}.parquet"


def rejected_name(part: Part) -> str:
    """The JSON Lines file of the rows of a part that hold no text, in the output."""
    return f"rejected/{part.name}.jsonl"


def embed_part(part: Part, job: Job, encoder: TextEncoder) -> None:
    """Embed the texts of a part, and write its rows with their embeddings.

    The Parquet file comes last: where it exists, all is done. Doing a part again
    replaces its files by equal ones.

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
    files = {}
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
        with replacing(job.output / rejected_name(part)) as temporary:
            temporary.write_text(text, "utf-8", newline="\n")
            files[rejected_name(part)] = entry(temporary)
    with replacing(job.output / parquet_name(part)) as temporary:
        pq.write_table(table, temporary, use_dictionary=names, write_page_checksum=True)
        files[parquet_name(part)] = entry(temporary)
        _record(part).write(job.output / FINISHED, {"files": files})


def is_whole(part: Part, plan: Plan, output: Path) -> bool:
    """Whether a part is there as it was written; a warning names a changed file."""
    files = _files(part, plan, output)
    try:
        MANIFEST.check_files(output, files)
    except FileNotFoundError:
        return False
    except ValueError as error:
        warn(f"{error}; {part.name} is embedded again")
        return False
    return bool(files)


def finish(plan: Plan, output: Path) -> Plan:
    """List the files of all parts in the manifest, and remove what helped to make them.

    Returns:
        The plan with what it says of finished parts.
    """
    files: dict[str, Any] = {}
    for part in plan.parts:
        files.update(_files(part, plan, output))
    if (output / QUANTIZER).exists():
        files[QUANTIZER] = entry(output / QUANTIZER)
    paths = [output / parquet_name(part) for part in plan.parts]
    rows = [pq.read_metadata(path).num_rows for path in paths]
    finished = replace(plan, rows=rows, files=files)
    if finished != plan:
        finished.write(output)
    for folder in (WORK, FINISHED):
        shutil.rmtree(output / folder, ignore_errors=True)
    # What was killed after its last rename.
    for path in paths[0].parent, output / "rejected", output:
        clean_folder(path)
    return finished


def _files(part: Part, plan: Plan, output: Path) -> Files:
    """The files of a part as it was written last; none if it never was."""
    try:
        return _record(part).read(output / FINISHED)
    except (FileNotFoundError, ManifestError):
        names = parquet_name(part), rejected_name(part)
        return {name: plan.files[name] for name in names if name in plan.files}


def _record(part: Part) -> ManifestFormat[Files]:
    return replace(_RECORD, file=f"{part.name}.json")


def _fixed_size_lists(numbers: np.ndarray) -> pa.Array:
    """Array (n, width) → n lists of the length ``width``."""
    values = pa.array(np.ascontiguousarray(numbers).ravel())
    return pa.FixedSizeListArray.from_arrays(values, numbers.shape[1])
