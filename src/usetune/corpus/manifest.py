"""What a folder of embeddings was begun with, so that only the same call goes on."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from usetune._utils.digest import digest_settings
from usetune._utils.manifest import ManifestFormat
from usetune.corpus.plan import Part
from usetune.encoders.base import Encoder
from usetune.search.quantization import Quantizer

LISTING = "usetune-corpus.json"
# Of codes.
QUANTIZER = "quantizer.npz"
# Holds the encoder and copies of CSV files, until all is done.
WORK = ".usetune-work"
# What decides about the output.
_REQUEST = ("input", "column", "precision", "encoder", "rows_per_part")
# What an interrupted call may leave before it has a plan begins with this.
_OURS = ".usetune-"


def pack_encoder(encoder: Encoder) -> bytes:
    """Save an encoder to one piece: a zip file of its saved folder."""
    archive = io.BytesIO()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "encoder"
        encoder.save(folder)
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.rglob("*")):
                file.write(path, path.relative_to(folder))
    return archive.getvalue()


def precision_name(precision: str | Quantizer) -> str:
    """How the listing names what embeddings are stored as."""
    if isinstance(precision, str):
        return precision
    arrays = [*precision.calibration.values()]
    return f"{precision.precision} {digest_settings(arrays)}"


def read_plan(
    output: Path, request: dict[str, Any]
) -> tuple[list[Part], dict[str, str]] | None:
    """Read the plan of an earlier call.

    Args:
        output: folder of the corpus.
        request: what decides about the output: input, column, precision, encoder and
            rows_per_part, by these names.

    Returns:
        The parts and the types of columns, or None where the output is new.

    Raises:
        FileExistsError: if something else is there.
        ValueError: if the listing is damaged, was written in another version of its
            format, or is of another request.
    """
    if not (output / LISTING).exists():
        if output.exists() and not output.is_dir():
            raise FileExistsError(f"output must be a folder. Received: {output}")
        names = [entry.name for entry in output.iterdir()] if output.exists() else []
        others = sorted(name for name in names if not name.startswith(_OURS))
        if others:
            raise FileExistsError(
                f"output must be a new folder, or one with a {LISTING}; {output} holds "
                f"{others[:5]}"
            )
        return None
    listing = MANIFEST.read(output)
    for name, value in request.items():
        if listing[name] != value:
            raise ValueError(
                f"{output} was begun with another {name}, and a folder holds one: "
                f"expected {listing[name]!s:.300}. Received: {value!s:.300}"
            )
    return listing["parts"], listing["types"]


def write_plan(
    output: Path, request: dict[str, Any], parts: list[Part], types: dict[str, str]
) -> None:
    """Write what `read_plan` reads.

    Raises:
        FileExistsError: if another call has begun the folder in the meantime.
    """
    if (output / LISTING).exists():
        raise FileExistsError(
            f"another call has begun {output} in the meantime; let it end, then call "
            "again"
        )
    output.mkdir(parents=True, exist_ok=True)
    fields = {"types": types, "parts": [asdict(part) for part in parts]}
    MANIFEST.write(output, request | fields)


def _parse(content: dict[str, Any]) -> dict[str, Any]:
    fields = {name: content[name] for name in (*_REQUEST, "types")}
    return fields | {"parts": [Part(**part) for part in content["parts"]]}


# What decided about the output, by name; "parts", a list of `Part`; and "types" of
# columns. Version 2 tells encoders apart by their weights, not by their files.
MANIFEST = ManifestFormat(
    "usetune-corpus", LISTING, 2, _parse, "embed the corpus again, in a new folder"
)
