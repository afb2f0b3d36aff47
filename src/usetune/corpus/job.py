"""Parts of a corpus, what is done with them, and the resources for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from usetune.search.quantization import Quantizer


@dataclass(frozen=True)
class Part:
    """Some rows of one file, which are embedded together.

    Attributes:
        number: number of the part, from 0, in the order of the corpus.
        file: absolute path of the file.
        start: first row, from 0.
        stop: the row after the last one.
        first_byte: where the first row begins; 0 in a Parquet file.
        last_byte: where the last row has ended; 0 in a Parquet file.
    """

    number: int
    file: str
    start: int
    stop: int
    first_byte: int = 0
    last_byte: int = 0

    @property
    def name(self) -> str:
        """Name of its files, without their ending."""
        return f"part-{self.number:06d}"

    @property
    def rows(self) -> int:
        """Number of its rows."""
        return self.stop - self.start


@dataclass(frozen=True)
class Job:
    """What is done with every part.

    Attributes:
        column: name of the column that holds the texts.
        types: types of the columns, by name, see
            `usetune.corpus.formats.Reader.columns`.
        precision: "float32", "float16", or the quantizer that makes codes.
        output: folder of the embedded corpus.
        work: folder for what is needed until all is done.
    """

    column: str
    types: dict[str, str]
    precision: str | Quantizer
    output: Path
    work: Path


@dataclass(frozen=True)
class Resources:
    """What the workers may take; see `usetune.corpus.embed_corpus`.

    Raises:
        ValueError: if a number is out of range.
    """

    workers: int
    cpus_per_worker: float
    gpus_per_worker: float
    address: str | None

    def __post_init__(self) -> None:
        check_positive("workers", self.workers)
        cpus, gpus = self.cpus_per_worker, self.gpus_per_worker
        if not cpus > 0:
            raise ValueError(f"cpus_per_worker must be above 0. Received: {cpus!r}")
        if not gpus >= 0 or (gpus > 1 and gpus % 1):
            raise ValueError(
                "gpus_per_worker must be 0, a share of one, or a whole number. "
                f"Received: {gpus!r}"
            )


def check_positive(name: str, value: int) -> None:
    """Refuse what is no positive integer.

    Raises:
        ValueError: naming the argument.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer. Received: {value!r}")
