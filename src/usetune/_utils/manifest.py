"""The JSON manifest of a folder: its format, the format's version, and its files.

Names of files are relative, so that a folder can be moved. The sums find damage, not
ill will.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from usetune._utils.files import replacing

T = TypeVar("T")


class ManifestError(ValueError):
    """A manifest that cannot be read; the message names the file and the reason."""


@dataclass(frozen=True)
class ManifestFormat(Generic[T]):
    """How the manifests of one kind of folder are written and read.

    Attributes:
        name: of the format, which a manifest states.
        file: name of the manifest in its folder.
        version: of the format. A manifest of another version is refused.
        parse: checks the fields, and gives what `read` returns. A ValueError of it says
            what is wrong; a KeyError, TypeError or AttributeError is damage too.
        older: what to do with a folder of an older version, for the error.
        lists_files: whether the manifest gives size and SHA-256 of all other files.
    """

    name: str
    file: str
    version: int
    parse: Callable[[dict[str, Any]], T]
    older: str = "write it again"
    lists_files: bool = False

    def write(self, folder: Path, fields: Mapping[str, Any]) -> None:
        """Write the manifest of a folder, after all its other files.

        Args:
            folder: where it goes.
            fields: what JSON can hold, by name.
        """
        content = {"format": self.name, "version": self.version, **fields}
        if self.lists_files:
            content["files"] = _list_files(folder)
        with replacing(folder / self.file) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")

    def read(self, folder: Path) -> T:
        """Read the manifest of a folder, without a look at the other files.

        Returns:
            What `parse` makes of it.

        Raises:
            FileNotFoundError: if there is none.
            ManifestError: if it is damaged, is of another format or version, or lists a
                file outside of its folder.
        """
        path = folder / self.file
        try:
            content = json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{path} is damaged: {error}") from error
        if not isinstance(content, dict) or content.get("format") != self.name:
            raise ManifestError(f"{path} must be of the format {self.name!r}")
        self._check_version(path, content.get("version"))
        try:
            if self.lists_files:
                _check_entries(content["files"])
            return self.parse(content)
        except (KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"{path} is damaged: {error!r}") from error
        except ValueError as error:
            raise ManifestError(f"{path}: {error}") from error

    def check_files(self, folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Check that the files are the ones that were listed.

        Args:
            folder: where they lie.
            files: size and SHA-256 by name, as the manifest has them.

        Raises:
            FileNotFoundError: naming the file that is missing.
            ValueError: naming the file that was cut or changed.
        """
        for name, expected in files.items():
            path = folder / name
            if not path.is_file():
                raise FileNotFoundError(
                    f"{folder} lacks {name}, which {self.file} lists"
                )
            size = path.stat().st_size
            if size != expected["size"]:
                raise ValueError(
                    f"{path} is not the file that was saved: expected "
                    f"{expected['size']} bytes. Received: {size}"
                )
            found = _sha256(path)
            if found != expected["sha256"]:
                raise ValueError(
                    f"{path} is not the file that was saved: expected SHA-256 "
                    f"{expected['sha256']}. Received: {found}"
                )

    def _check_version(self, path: Path, version: Any) -> None:
        if isinstance(version, bool) or not isinstance(version, int):
            raise ManifestError(
                f"{path}: version must be an integer. Received: {version!r}"
            )
        if version > self.version:
            raise ManifestError(
                f"{path} was written by a newer usetune, in version {version} of the "
                f"format; this one reads version {self.version}: "
                "pip install --upgrade usetune"
            )
        if version < self.version:
            raise ManifestError(
                f"{path} was written by an older usetune, in version {version} of the "
                f"format; this one reads version {self.version}: {self.older}"
            )


def _list_files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {
            "size": path.stat().st_size,
            "sha256": _sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _check_entries(files: Any) -> None:
    if not isinstance(files, dict) or not all(map(_is_entry, files.values())):
        raise ValueError("files must give a size and a sha256 for each name")
    outside = [name for name in files if not _is_inside(name)]
    if outside:
        raise ValueError(f"lists files outside of its folder: {outside}")


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
