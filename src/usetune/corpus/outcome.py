"""The outcome of each part: embedded, begun once too often, or at fault."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from tqdm import tqdm

from usetune._utils.warn import warn
from usetune.corpus.job import Job, Part
from usetune.corpus.part import embed_part
from usetune.protocols import TextEncoder

# A part is given up when it has lost its worker so often.
_ATTEMPTS = 3
# So many parts with faults end a run: the disk may be full.
_FAULTS = 10


@dataclass(frozen=True)
class Outcome:
    """The outcome of a part.

    Attributes:
        rows: number of its rows.
        warnings: the warnings that it gave, on a line each.
        fault: why it was not embedded; "" if it was.
    """

    rows: int
    warnings: str
    fault: str


def attempt(part: Part, job: Job, encoder: TextEncoder) -> Outcome:
    """Embed a part, unless it seems to kill its workers. This raises no error."""
    fault = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _count_attempt(part, job)
            embed_part(part, job, encoder)
        except Exception as error:
            # Raised here, it would end the run, and reach the caller as Ray's.
            fault = f"{part.name} of {part.file}: {type(error).__name__}: {error}"
    messages = "\n".join(f"{part.name}: {warning.message}" for warning in caught)
    return Outcome(part.rows, messages, fault)


def follow(outcomes: Iterable[Outcome], rows: int) -> None:
    """Show the progress, and report faults and warnings.

    Args:
        outcomes: the outcomes of parts, as they come. After ten faults no more are
            taken.
        rows: number of the rows of all parts.

    Raises:
        RuntimeError: naming the parts at fault.
    """
    faults: list[str] = []
    messages: list[str] = []
    with tqdm(total=rows, desc="embed_corpus", unit="row", unit_scale=True) as bar:
        for outcome in outcomes:
            bar.update(outcome.rows)
            messages += filter(None, outcome.warnings.split("\n"))
            if outcome.fault:
                faults.append(outcome.fault)
            if len(faults) == _FAULTS:
                break
    if messages:
        warn(f"the workers gave {len(messages)} warnings, the first in {messages[0]}")
    if faults:
        raise RuntimeError(
            f"{len(faults)} parts could not be embedded; the next call tries them and "
            "what is missing again:\n" + "\n".join(faults)
        )


def _count_attempt(part: Part, job: Job) -> None:
    job.work.mkdir(parents=True, exist_ok=True)
    path = job.work / f"{part.name}.attempts"
    before = path.stat().st_size if path.exists() else 0
    if before == _ATTEMPTS:
        raise RuntimeError(
            f"{part.file}, rows {part.start + 1} to {part.stop}: {before} workers died "
            "over them. One that lacks memory is killed: give workers more, or start "
            "in a new folder with fewer rows_per_part. Otherwise call again: finished "
            "parts are kept"
        )
    with open(path, "ab") as file:
        file.write(b".")
