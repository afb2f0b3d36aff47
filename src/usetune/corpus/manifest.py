"""What a folder of embeddings was begun with, and the files that it holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from usetune._utils.digest import digest
from usetune._utils.manifest import Files, ManifestFormat
from usetune.corpus.job import Part
from usetune.search.quantization import Quantizer

# The file of a quantizer that makes codes.
QUANTIZER = "quantizer.npz"
# Folders that are removed when all is done: what workers need, and the digests of the
# parts that they have finished.
WORK = ".usetune-work"
FINISHED = ".usetune-finished"
# What an interrupted call may leave before it has a plan begins with this.
_OURS = ".usetune-"


@dataclass(frozen=True)
class Request:
    """What decides about an embedded corpus.

    Attributes:
        corpus: path, size and time of the last change of each file.
        column: name of the column that holds the texts.
        precision: the name that `precision_name` gives.
        encoder: identity of the encoder.
        rows_per_part: largest number of rows in a part.
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
        dim: components of an embedding.
        types: types of the columns, by name.
        parts: parts of the corpus, in order.
        rows: number of rows with a text in each part; none until all parts are done.
        files: size and SHA-256 of each file, by name; none until all parts are done.
    """

    request: Request
    dim: int
    types: dict[str, str]
    parts: list[Part]
    rows: list[int] = field(default_factory=list)
    files: Files = field(default_factory=dict)

    def write(self, output: Path) -> None:
        """Write the manifest, which `read_plan` reads."""
        content = asdict(self)
        MANIFEST.write(output, {**content, "sha256": _sha256(content)})


def precision_name(precision: str | Quantizer) -> str:
    """How a request names what embeddings are stored as."""
    if isinstance(precision, str):
        return precision
    return f"{precision.precision} {digest([*precision.calibration.values()])}"


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
    for name, now in asdict(request).items():
        before = getattr(plan.request, name)
        if before != now:
            raise ValueError(
                f"{output} was begun with another {name}, and a folder holds "
                f"one: expected {before!s:.300}. Received: {now!s:.300}"
            )
    return plan


def begin(output: Path, plan: Plan) -> None:
    """Make the folder of a new corpus, with its plan.

    Raises:
        FileExistsError: if another call has begun the folder in the meantime.
    """
    if (output / MANIFEST.file).exists():
        raise FileExistsError(
            f"another call has begun {output} in the meantime; let it end, then call "
            "again"
        )
    output.mkdir(parents=True, exist_ok=True)
    plan.write(output)


def _sha256(content: dict[str, Any]) -> str:
    return digest(json.dumps(content, sort_keys=True))


def _parse(content: dict[str, Any]) -> Plan:
    own = {own.name: content[own.name] for own in fields(Plan)}
    if _sha256(own) != content["sha256"]:
        raise ValueError("the content is not the one that was written")
    request, parts = Request(**own["request"]), [Part(**part) for part in own["parts"]]
    return Plan(**{**own, "request": request, "parts": parts})


# Version 2 tells encoders apart by their weights, not by their files; version 3 has the
# bytes of each part's rows; version 4 lists all files.
MANIFEST = ManifestFormat(
    "usetune-corpus",
    "usetune-corpus.json",
    4,
    ("request", "dim", "types", "parts", "rows", "sha256"),
    _parse,
    "embed the corpus again, in a new folder",
    lists_files=True,
)
