"""One folder for every encoder: its files, and usetune.json, which lists them.

usetune.json says what kind of encoder the folder holds, which versions wrote it, and
the size and SHA-256 of each file. Files that it does not list (README.md,
.gitattributes) are not read, but by TensorFlow within a SavedModel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from usetune._utils.files import check_new, clean, is_new, replacing
from usetune._utils.manifest import ManifestError, ManifestFormat
from usetune._utils.paths import expand
from usetune._utils.versions import package_versions

LISTING = "usetune.json"
# What a projected encoder multiplies by.
MATRIX = "matrix.npz"
# Written beside an encoder that is shared, and not listed.
_CARD = "README.md"
# What an encoder of each kind cannot be read without.
_NEEDED = {
    "use": {"delta.npz", "sentencepiece.model"},
    "static": {"table.npz", "sentencepiece.model"},
    "bert": {"config.json", "vocab.txt", "model.safetensors"},
    "saved_model": {"saved_model.pb", "variables/variables.index"},
    "projected": {MATRIX, f"encoder/{LISTING}"},
}


@contextmanager
def new_folder(
    filepath: str | Path,
    kind: str,
    dim: int,
    overwrite: bool = False,
    **options: Any,
) -> Iterator[Path]:
    """Give a folder to write an encoder's files to; then list them and rename it.

    If the block raises, nothing is left behind, and an older folder stays.

    Args:
        filepath: the folder to create.
        kind: "use", "static", "bert", "saved_model" or "projected".
        dim: components of the encoder's embeddings.
        overwrite: replace a folder that was written here before, with its README.md.
        **options: of the encoder, for people: loading reads them from the files.

    Yields:
        The path of a folder that does not exist yet.

    Raises:
        ValueError: if ``filepath`` ends as a file of weights does.
        FileExistsError: if ``filepath`` exists and is not an empty folder; with
            ``overwrite``, if it is not one of an encoder, or holds other files.
    """
    check_destination(filepath, overwrite)
    with replacing(filepath, overwrite) as folder:
        yield folder
        fields = {
            "kind": kind,
            "dim": dim,
            "options": options,
            "versions": package_versions(),
        }
        MANIFEST.write(folder, fields)


def check_destination(filepath: str | Path, overwrite: bool = False) -> None:
    """Refuse what `new_folder` refuses, before there is something to save."""
    if Path(filepath).suffix in (".npz", ".keras", ".h5"):
        raise ValueError(
            f"an encoder is saved as a folder, not as a file. Received: {filepath}"
        )
    if overwrite:
        _check_replaceable(expand(filepath))
    else:
        check_new(filepath)


def _check_replaceable(path: Path) -> None:
    """Refuse to delete anything but a folder that `new_folder` wrote.

    Raises:
        FileExistsError: naming what else is there.
    """
    clean(path)
    if is_new(path):
        return
    refused = f"only a folder that save() wrote is replaced; {path}"
    if not (path / LISTING).is_file():
        raise FileExistsError(f"{refused} has no {LISTING}")
    try:
        files = MANIFEST.read(path)["files"]
    except ManifestError as error:
        raise FileExistsError(f"{refused} cannot be read ({error})") from error
    found = {p.relative_to(path).as_posix() for p in path.rglob("*") if not p.is_dir()}
    others = sorted(found - files.keys() - {LISTING, _CARD})
    if others:
        raise FileExistsError(f"{refused} also holds {others[:5]}")


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    kind = content["kind"]
    if not isinstance(kind, str) or kind not in _NEEDED:
        raise ValueError(f"kind must be one of {list(_NEEDED)}. Received: {kind!r}")
    lacking = sorted(_NEEDED[kind] - content["files"].keys())
    if lacking:
        raise ValueError(f"does not list {lacking}, which {kind!r} needs")
    return content


# Its "kind" and "files", size and SHA-256 by name, are well-formed.
MANIFEST = ManifestFormat(
    "usetune-encoder",
    LISTING,
    1,
    ("kind", "dim", "options", "versions"),
    _checked,
    lists_files=True,
)
