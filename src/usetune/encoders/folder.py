"""One folder for every encoder: its files, and usetune.json, which lists them.

usetune.json says what kind of encoder the folder holds, which versions wrote it, and
the size and SHA-256 of each file. Files that it does not list (README.md,
.gitattributes) are not read, but by TensorFlow within a SavedModel. Names are relative,
so the folder can be moved. The sums find damage, not ill will.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usetune._utils.files import check_new, is_new, replacing
from usetune._utils.versions import package_versions

if TYPE_CHECKING:
    from usetune.encoders.base import Encoder

LISTING = "usetune.json"
VERSION = 1
_FORMAT = "usetune-encoder"
# Written beside an encoder that is shared, and not listed.
_CARD = "README.md"
# What an encoder of each kind cannot be read without.
_NEEDED = {
    "use": {"delta.npz", "sentencepiece.model"},
    "bert": {"config.json", "vocab.txt", "model.safetensors"},
    "saved_model": {"saved_model.pb", "variables/variables.index"},
    "projected": {"matrix.npy", f"encoder/{LISTING}"},
}


@contextmanager
def new_folder(
    filepath: str | Path,
    encoder: Encoder,
    kind: str,
    overwrite: bool = False,
    **options: Any,
) -> Iterator[Path]:
    """Give a folder to write an encoder's files to; then list them and rename it.

    If the block raises, nothing is left behind, and an older folder stays.

    Args:
        filepath: the folder to create.
        encoder: what is saved.
        kind: "use", "bert", "saved_model" or "projected".
        overwrite: replace a folder that was written here before, with its README.md.
        **options: of the encoder, for people: loading reads them from the files.

    Yields:
        The path of a folder that does not exist yet.

    Raises:
        ValueError: if ``filepath`` ends as a file of weights does.
        FileExistsError: if ``filepath`` exists and is not an empty folder; with
            ``overwrite``, if it is not one of an encoder, or holds other files.
    """
    if Path(filepath).suffix in (".npz", ".keras", ".h5"):
        raise ValueError(
            "an encoder is saved as a folder, and only a Universal Sentence Encoder "
            f"can be saved as an .npz file. Received: {filepath}"
        )
    if overwrite:
        _check_replaceable(Path(filepath))
    else:
        check_new(filepath)
    with replacing(filepath, overwrite) as folder:
        yield folder
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        content = {
            "format": _FORMAT,
            "version": VERSION,
            "kind": kind,
            "dim": encoder.dim,
            "options": options,
            "versions": package_versions(),
            "files": {
                path.relative_to(folder).as_posix(): {
                    "size": path.stat().st_size,
                    "sha256": _sha256(path),
                }
                for path in paths
            },
        }
        (folder / LISTING).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _check_replaceable(path: Path) -> None:
    """Refuse to delete anything but a folder that `new_folder` wrote.

    Raises:
        FileExistsError: naming what else is there.
    """
    if is_new(path):
        return
    refused = f"only a folder that save() wrote is replaced; {path}"
    if not (path / LISTING).is_file():
        raise FileExistsError(f"{refused} has no {LISTING}")
    try:
        files = read_listing(path)["files"]
    except ValueError as error:
        raise FileExistsError(f"{refused} cannot be read ({error})") from error
    found = {p.relative_to(path).as_posix() for p in path.rglob("*") if not p.is_dir()}
    others = sorted(found - files.keys() - {LISTING, _CARD})
    if others:
        raise FileExistsError(f"{refused} also holds {others[:5]}")


def read_listing(folder: Path) -> dict[str, Any]:
    """Read a folder's usetune.json, without a look at the files.

    Returns:
        Its fields; "kind" and "files", size and SHA-256 by name, are well-formed.

    Raises:
        ValueError: if it is damaged, was written by a newer version of this package, or
            lists a file outside of the folder.
    """
    path = folder / LISTING
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path} must be of the format {_FORMAT!r}")
    version = content.get("version")
    if not isinstance(version, int):
        raise ValueError(f"{path}: version must be an integer. Received: {version!r}")
    if version > VERSION:
        raise ValueError(
            f"{path} was written by a newer usetune, in version {version} of the "
            f"format; this one reads version {VERSION}: pip install --upgrade usetune"
        )
    kind, files = content.get("kind"), content.get("files")
    if not isinstance(kind, str) or kind not in _NEEDED:
        raise ValueError(
            f"{path}: kind must be one of {list(_NEEDED)}. Received: {kind!r}"
        )
    if not isinstance(files, dict) or not all(map(_is_entry, files.values())):
        raise ValueError(f"{path}: files must give a size and a sha256 for each name")
    outside = [name for name in files if not _is_inside(name)]
    if outside:
        raise ValueError(f"{path} lists files outside of its folder: {outside}")
    lacking = sorted(_NEEDED[kind] - files.keys())
    if lacking:
        raise ValueError(f"{path} does not list {lacking}, which {kind!r} needs")
    return content


def check_files(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    """Check that the files are the ones that were saved.

    Args:
        folder: where they lie.
        files: size and SHA-256 by name, of `read_listing`.

    Raises:
        FileNotFoundError: naming the file that is missing.
        ValueError: naming the file that was cut or changed.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f"{folder} lacks {name}, which {LISTING} lists")
        size = path.stat().st_size
        if size != expected["size"]:
            raise ValueError(
                f"{path} is not the file that was saved: expected {expected['size']} "
                f"bytes. Received: {size}"
            )
        found = _sha256(path)
        if found != expected["sha256"]:
            raise ValueError(
                f"{path} is not the file that was saved: expected SHA-256 "
                f"{expected['sha256']}. Received: {found}"
            )


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("size"), int)
        and isinstance(entry.get("sha256"), str)
    )


def _is_inside(name: str) -> bool:
    """Whether a name stays in its folder, on every system."""
    parts = re.split(r"[/\\]", name)
    return ":" not in name and not {"", ".", ".."} & {*parts}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
