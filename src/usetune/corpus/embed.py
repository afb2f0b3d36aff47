"""Embedding a corpus larger than one machine, by Ray, into Parquet files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from usetune._utils.paths import expand
from usetune.corpus.files import corpus_files, cut
from usetune.corpus.job import Job, Resources, check_positive
from usetune.corpus.manifest import (
    QUANTIZER,
    WORK,
    Plan,
    Request,
    begin,
    precision_name,
    read_plan,
)
from usetune.corpus.part import finish, is_whole
from usetune.corpus.workers import import_ray, pack_encoder, run
from usetune.encoders.base import Encoder
from usetune.encoders.identity import encoder_identity
from usetune.search.quantization import Quantizer

_PRECISIONS = ("float32", "float16")


@dataclass(frozen=True)
class CorpusCounts:
    """What `embed_corpus` did.

    Attributes:
        parts: number of Parquet files in the output.
        rows: number of rows in the input, embedded and rejected ones.
        embedded: number of rows in the output, those of earlier calls included.
        rejected: number of rows that hold no text, in the folder "rejected".
        seconds: how long this call took.
    """

    parts: int
    rows: int
    embedded: int
    rejected: int
    seconds: float


def embed_corpus(
    encoder: Encoder,
    corpus: str | Path | Sequence[str | Path],
    output: str | Path,
    column: str,
    *,
    precision: str | Quantizer = "float32",
    rows_per_part: int = 50_000,
    workers: int = 2,
    cpus_per_worker: float = 1.0,
    gpus_per_worker: float = 0.0,
    address: str | None = None,
) -> CorpusCounts:
    """Embed the texts of files, on one machine or many, part by part.

    Ray Data gives the parts to workers. Each worker holds the encoder, and writes a
    Parquet file for a part. When a worker is lost, another one begins its part again,
    three times at most. After a crash, the same call goes on: it keeps the parts whose
    files are as they were written, and embeds the others; a warning names a changed
    file.

    The output holds

    - ``parts/part-000000.parquet``, …: all columns of the corpus and "embedding", a
      list of fixed length. Rows and parts are in the order of the files;
      ``pandas.read_parquet(output / "parts")`` reads all. Columns of JSON Lines whose
      values are of several types, lists or objects are JSON text;
    - ``rejected/part-000000.jsonl``, …, where there are any: rows that hold no text,
      with file, row (from 1), reason and content;
    - ``usetune-corpus.json``: what was embedded, by which encoder, in which parts; and
      when all are done, size and SHA-256 of each file;
    - ``quantizer.npz``, for codes.

    A part that cannot be embedded does not stop the others: the call ends with an error
    that names such parts. Only one call at a time may write to an output.

    Several machines must see corpus and output under the same paths, and have usetune
    installed. They find the encoder in a work folder in the output, which is removed at
    the end.

    Args:
        encoder: the encoder that embeds the texts.
        corpus: a file of Parquet (``.parquet``), CSV (``.csv``), JSON Lines
            (``.jsonl``, ``.ndjson``) or plain text (``.txt``, a text on each line), in
            UTF-8; or a folder or a list of such files, all of one format and with the
            same columns.
        output: a new folder, or the folder of an earlier call.
        column: name of the column that holds the texts; "text" for plain text. In a CSV
            file every cell is a text, an empty one too.
        precision: "float32", "float16", or a quantizer, whose codes are written.
        rows_per_part: largest number of rows in a part. A worker holds one part in
            memory.
        workers: number of workers.
        cpus_per_worker: CPUs of each worker, and threads of its TensorFlow.
        gpus_per_worker: GPUs of each worker; 0.5 lets two share one.
        address: address of a running Ray cluster, such as "auto", which is left
            running; workers wait there until machines have room for them. Default: the
            Ray that this process has joined already; otherwise one on this machine, of
            ``workers`` times ``cpus_per_worker`` CPUs, which is shut down afterwards.

    Returns:
        The counts; embedded and rejected rows are all rows of the input.

    Raises:
        ImportError: if Ray is not installed.
        FileNotFoundError: if there is no corpus.
        FileExistsError: if the output holds something else.
        ValueError: if the corpus has a fault, naming the file; if the output is of
            another corpus (other files, another order, or changed since), column,
            precision, encoder or ``rows_per_part``, or of an older usetune; or if an
            argument is out of range.
        RuntimeError: if parts cannot be embedded, naming them: their file was changed
            or is damaged, the disk is full, or they lost their worker three times; or
            if workers cannot start.
    """
    started = time.monotonic()
    check_positive("rows_per_part", rows_per_part)
    resources = Resources(workers, cpus_per_worker, gpus_per_worker, address)
    _check_precision(precision, encoder)
    import_ray()
    output = expand(output).absolute()
    _check_apart(corpus, output)
    files = corpus_files(corpus)
    request = Request(
        [[path, *stamp] for path, stamp in files.items()],
        column,
        precision_name(precision),
        encoder_identity(encoder),
        rows_per_part,
    )
    begun = read_plan(output, request)
    plan = begun or Plan(request, encoder.dim, *cut([*files], column, rows_per_part))
    parts = tqdm(plan.parts, desc="parts checked", unit="part", delay=3)
    missing = [part for part in parts if not is_whole(part, plan, output)]
    # An encoder that cannot be saved fails here, and nothing has been written.
    archive = pack_encoder(encoder) if missing else b""
    if begun is None:
        begin(output, plan)
    if isinstance(precision, Quantizer):
        precision.save(output / QUANTIZER)
    if missing:
        job = Job(column, plan.types, precision, output, output / WORK)
        run(missing, archive, job, resources)
    embedded = sum(finish(plan, output).rows)
    rows = sum(part.rows for part in plan.parts)
    seconds = time.monotonic() - started
    return CorpusCounts(len(plan.parts), rows, embedded, rows - embedded, seconds)


def _check_apart(corpus: str | Path | Sequence[str | Path], output: Path) -> None:
    """The next call would take an output within the corpus for a part of it."""
    if isinstance(corpus, (str, Path)):
        folder = expand(corpus).absolute()
        if folder.is_dir() and folder in output.parents:
            raise ValueError(
                f"output must not lie within the folder of the corpus, {corpus}. "
                f"Received: {output}"
            )


def _check_precision(precision: str | Quantizer, encoder: Encoder) -> None:
    if isinstance(precision, Quantizer):
        if precision.dim != encoder.dim:
            raise ValueError(
                f"precision must be a quantizer of dim {encoder.dim}, the encoder's. "
                f"Received: {precision.dim}"
            )
    elif precision not in _PRECISIONS:
        raise ValueError(
            f"precision must be one of {list(_PRECISIONS)} or a Quantizer. "
            f"Received: {precision!r}"
        )
