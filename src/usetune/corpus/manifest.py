"""What a folder of embeddings was begun with, so that only the same call goes on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from usetune._utils.digest import digest
from usetune._utils.manifest import ManifestFormat
from usetune.corpus.job import Part
from usetune.search.quantization import Quantizer

# Of codes.
QUANTIZER = "quantizer.npz"
# Holds what workers need, until all is done.
WORK = ".usetune-work"
# What an interrupted call may leave before it has a plan begins with this.
_OURS = ".usetune-"


@dataclass(frozen=True)
class Request:
    """What decides about an embedded corpus.

    Attributes:
        corpus: path, size and time of the last change of each file.
        column: holds the texts.
        precision: see `precision_name`.
        encoder: its identity.
        rows_per_part: at most so many rows in a part.
    """

    corpus: list[list[Any]]
    column: str
    precision: str
    encoder: str
    rows_per_part: int


@dataclass(frozen=True)
class Plan:
    """What was asked for, and how it is done.

    Attributes:
        request: what was asked for.
        types: of the columns, by name.
        parts: of the corpus, in order.
    """

    request: Request
    types: dict[str, str]
    parts: list[Part]


def precision_name(precision: str | Quantizer) -> str:
    """How a request names what embeddings are stored as."""
    if isinstance(precision, str):
        return precision
    arrays = [*precision.calibration.values()]
    return f"{precision.precision} {digest(arrays)}"


def read_plan(output: Path, request: Request) -> Plan | None:
    """Read the plan of an earlier call.

    Args:
        output: folder of the corpus.
        request: what is asked for now.

    Returns:
        The plan, or None where the output is new.

    Raises:
        FileExistsError: if something else is there.
        ValueError: if the manifest is damaged, was written in another version of its
            format, or is of another request.
    """
    if not (output / MANIFEST.file).exists():
        if output.exists() and not output.is_dir():
            raise FileExistsError(f"output must be a folder. Received: {output}")
        names = [entry.name for entry in output.iterdir()] if output.exists() else []
        others = sorted(name for name in names if not name.startswith(_OURS))
        if others:
            raise FileExistsError(
                f"output must be a new folder, or one with a {MANIFEST.file}; {output} "
                f"holds {others[:5]}"
            )
        return None
    plan = MANIFEST.read(output)
    for field in fields(request):
        before, now = getattr(plan.request, field.name), getattr(request, field.name)
        if before != now:
            raise ValueError(
                f"{output} was begun with another {field.name}, and a folder holds "
                f"one: expected {before!s:.300}. Received: {now!s:.300}"
            )
    return plan


def write_plan(output: Path, plan: Plan) -> None:
    """Write what `read_plan` reads.

    Raises:
        FileExistsError: if another call has begun the folder in the meantime.
    """
    if (output / MANIFEST.file).exists():
        raise FileExistsError(
            f"another call has begun {output} in the meantime; let it end, then call "
            "again"
        )
    output.mkdir(parents=True, exist_ok=True)
    parts = [asdict(part) for part in plan.parts]
    MANIFEST.write(
        output, {**asdict(plan.request), "types": plan.types, "parts": parts}
    )


def _parse(content: dict[str, Any]) -> Plan:
    request = Request(*(content[field.name] for field in fields(Request)))
    return Plan(request, content["types"], [Part(**part) for part in content["parts"]])


# Version 2 tells encoders apart by their weights, not by their files; version 3 has the
# bytes of each part's rows.
MANIFEST = ManifestFormat(
    "usetune-corpus",
    "usetune-corpus.json",
    3,
    (*(field.name for field in fields(Request)), "types", "parts"),
    _parse,
    "embed the corpus again, in a new folder",
)
