"""Where data files lie: a folder of the user's, a checked download, the repository."""

import functools
import os
from importlib import metadata
from pathlib import Path

import pooch

from usetune._utils.paths import expand

_PACKAGE = Path(__file__).resolve().parents[1]
_REGISTRY = Path(__file__).with_name("registry.txt")
_CONNECT_SECONDS, _READ_SECONDS = 5, 60


def shipped(name: str) -> Path:
    """Path of a data file that comes with the project.

    Args:
        name: its name in the folder ``data``.

    Raises:
        FileNotFoundError: if it is neither in the package nor, where the package is
            used from a checkout, in the checkout.
    """
    folders = [_PACKAGE / "data" / "files"]
    root = _PACKAGE.parents[1]
    # Of an installed package, this folder is Python's or anyone's.
    if _PACKAGE.parent == root / "src" and (root / "pyproject.toml").is_file():
        folders.append(root / "data")
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, folders))}")


def registry() -> pooch.Pooch:
    """The files that can be downloaded, with their SHA-256 and address."""
    files = pooch.create(pooch.os_cache("usetune"), base_url="")
    files.load_registry(_REGISTRY)
    return files


def find(name: str) -> Path:
    """Find a pinned data file, downloading it if need be.

    Looks in the folder that the environment variable ``USETUNE_DATA`` names, then in
    the user's cache, then downloads the file into the cache. Where ``USETUNE_DATA`` is
    set but empty it looks nowhere, so that what is shipped stands in, on every machine.

    Args:
        name: path of the file in the `registry`, such as ``stsb/stsb-en-dev.csv``.

    Raises:
        FileNotFoundError: saying why, if it is in neither folder and cannot be
            downloaded, the cache cannot be written, or ``USETUNE_DATA`` is empty.
        ValueError: if the file found or downloaded has another SHA-256.
    """
    folder = os.environ.get("USETUNE_DATA")
    if folder == "":
        raise FileNotFoundError(
            f"{name} cannot be had: USETUNE_DATA is set but empty, which asks for the "
            "data shipped with usetune"
        )
    if folder and (expand(folder) / name).is_file():
        path = expand(folder) / name
        _check(path, registry().registry[name], "folder from USETUNE_DATA")
        return path
    downloaded = _download(name)
    if isinstance(downloaded, str):
        raise FileNotFoundError(
            f"{name} cannot be had: it is neither in the folder of USETUNE_DATA nor in "
            f"the cache, and cannot be downloaded ({downloaded})"
        )
    return downloaded


def find_in_package(package: str, name: str, sha256: str) -> Path:
    """Find a data file in an installed package, which is not imported.

    Args:
        package: its name and version, ``name==version``.
        name: path of the file, from where packages are installed.
        sha256: of the file.

    Raises:
        ImportError: saying how to install it, if the package or its file is not there.
        ValueError: if the file has another SHA-256.
    """
    hint = f"pip install {package}"
    try:
        distribution = metadata.distribution(package.split("==")[0])
        path = Path(str(distribution.locate_file(name)))
        _check(path, sha256, hint)
    except (metadata.PackageNotFoundError, FileNotFoundError) as error:
        raise ImportError(f"{name} cannot be found: {hint} ({error})") from error
    return path


def _check(path: Path, expected: str, remark: str) -> None:
    found = pooch.file_hash(str(path))
    if found != expected:
        raise ValueError(
            f"{path} ({remark}) is not the file that is pinned: expected SHA-256 "
            f"{expected}, found {found}"
        )


@functools.lru_cache
def _download(name: str) -> Path | str:
    """The file, or why it cannot be had."""
    timeout = (_CONNECT_SECONDS, _READ_SECONDS)
    try:
        downloader = pooch.HTTPDownloader(timeout=timeout)
        return Path(registry().fetch(name, downloader=downloader))
    except OSError as error:
        # Of the network, or of a cache that cannot be written.
        return str(error)
