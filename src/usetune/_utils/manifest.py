"""The JSON manifest of a folder: its format, the format's version, and its files.

Names of files are relative, so that a folder can be moved. The sums find damage, not
ill will. What is refused here is told in docs/guides/sharing.md.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from usetune._utils.files import replacing
from usetune._utils.json import parse_object

T = TypeVar("T")
Files = Mapping[str, Mapping[str, Any]]

# Lie beside the files of a folder that is shared, and are read by nobody.
_BESIDE = re.compile(r"(.*/)?(\..*|README\.md|LICENSE.*)")


class ManifestError(ValueError):
    """A manifest that cannot be read; the message names the file and the reason."""


@dataclass(frozen=True)
class ManifestFormat(Generic[T]):
    """How the manifests of one kind of folder are written and read.

    Attributes:
        name: of the format, which a manifest states.
        file: name of the manifest in its folder.
        version: of the format. A manifest of another version is refused.
        fields: names of what else it holds; one that lacks a field or has another is
            refused.
        parse: checks the fields, and gives what `read` returns. A ValueError of it says
            what is wrong; a KeyError, TypeError or AttributeError is damage too.
        older: what to do with a folder of an older version, for the error.
        lists_files: whether there is a field "files" with size and SHA-256 of all other
            files.
    """

    name: str
    file: str
    version: int
    fields: tuple[str, ...]
    parse: Callable[[dict[str, Any]], T]
    older: str = "write it again"
    lists_files: bool = False

    def write(self, folder: Path, fields: Mapping[str, Any]) -> None:
        """Write the manifest of a folder, after all its other files.

        Args:
            folder: where it goes.
            fields: what JSON can hold, by name. "files" may be among them, where
                each has been listed by `entry`.
        """
        content = {"format": self.name, "version": self.version, **fields}
        if self.lists_files and "files" not in fields:
            content["files"] = {name: entry(folder / name) for name in _names(folder)}
        with replacing(folder / self.file) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")

    def read(self, folder: Path) -> T:
        """Read the manifest of a folder, without a look at the other files.

        Returns:
            What `parse` makes of it.

        Raises:
            FileNotFoundError: if there is none.
            ManifestError: if it is damaged, is of another format or version, lacks a
                field or has an unknown one, or lists a file outside of its folder.
        """
        path = folder / self.file
        content = path.read_bytes()
        try:
            return self._parse(parse_object(content))
        except (KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"{path} is damaged: {error!r}") from error
        except ValueError as error:
            raise ManifestError(f"{path}: {error}") from error

    def _parse(self, content: dict[str, Any]) -> T:
        if content.get("format") != self.name:
            raise ValueError(f"must be of the format {self.name!r}")
        version = content.get("version")
        if type(version) is not int:
            raise ValueError(f"version must be an integer. Received: {version!r}")
        if version != self.version:
            age, advice = "an older", self.older
            if version > self.version:
                age, advice = "a newer", "pip install --upgrade usetune"
            raise ValueError(
                f"was written by {age} usetune, in version {version} of the format; "
                f"this one reads version {self.version}: {advice}"
            )
        known = {"format", "version", *self.fields, *["files"] * self.lists_files}
        if content.keys() != known:
            raise ValueError(
                f"must have the fields {sorted(known)}. Received: {sorted(content)}"
            )
        if self.lists_files:
            _check_entries(content["files"])
        return self.parse(content)

    def check_files(
        self,
        folder: Path,
        files: Files,
        only: bool = False,
        measured: Sequence[str] = ("size", "sha256"),
    ) -> None:
        """Check that the files are the ones that were listed.

        Args:
            folder: where they lie.
            files: size and SHA-256 by name, as the manifest has them.
            only: refuse a file that is not listed, too, but for README.md, LICENSE and
                names that begin with a dot. For folders of which a library reads
                whatever is there.
            measured: what is compared; ("size",) reads no file.

        Raises:
            FileNotFoundError: naming the file that is missing.
            ValueError: naming the file that was cut or changed, or is not listed.
        """
        for name, expected in files.items():
            path = folder / name
            if not path.is_file():
                raise FileNotFoundError(
                    f"{folder} lacks {name}, which {self.file} lists"
                )
            for key in measured:
                found = _MEASURES[key](path)
                if found != expected[key]:
                    raise ValueError(
                        f"{path} is not the file that was saved: expected {key} "
                        f"{expected[key]}. Received: {found}"
                    )
        others = [
            name
            for name in (_names(folder) if only else [])
            if name not in {*files, self.file} and not _BESIDE.fullmatch(name)
        ]
        if others:
            raise ValueError(
                f"{folder} holds {others[:5]}, which {self.file} does not list; move "
                "them elsewhere"
            )


def entry(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, as a manifest lists them."""
    return {key: measure(path) for key, measure in _MEASURES.items()}


def _names(folder: Path) -> list[str]:
    """All files of a folder, by their paths in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path.relative_to(folder).as_posix() for path in paths]


def _check_entries(files: Any) -> None:
    if not isinstance(files, dict) or not all(map(_is_entry, files.values())):
        raise ValueError("files must give a size and a sha256 for each name")
    outside = [name for name in files if not _is_inside(name)]
    if outside:
        raise ValueError(f"lists files outside of its folder: {outside}")


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == _MEASURES.keys()
        and type(entry["size"]) is int
        and re.fullmatch("[0-9a-f]{64}", str(entry["sha256"])) is not None
    )


def _is_inside(name: str) -> bool:
    """Whether a name stays in its folder, on every system."""
    parts = re.split(r"[/\\]", name)
    return ":" not in name and not {"", ".", ".."} & {*parts}


def _size(path: Path) -> int:
    return path.stat().st_size


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# What is listed of a file.
_MEASURES: dict[str, Callable[[Path], int | str]] = {"size": _size, "sha256": _sha256}
