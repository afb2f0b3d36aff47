"""Where data files lie: a folder of the user's, a checked download, the repository."""

import functools
import hashlib
import os
from pathlib import Path

import pooch
import requests

_PACKAGE = Path(__file__).resolve().parents[1]
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


def find(name: str, url: str, sha256: str) -> Path | None:
    """Find a pinned data file, downloading it if need be.

    Looks in the folder that the environment variable ``USETUNE_DATA`` names, then in
    the user's cache, then downloads ``url`` into the cache.

    Args:
        name: path of the file below the folder, such as ``stsb/stsb-en-dev.csv``.
        url: where to download it.
        sha256: what the content must hash to.

    Returns:
        The file, or None if the folder does not have it and the network cannot be
        reached: the caller says what it falls back to.

    Raises:
        ValueError: if the file found or downloaded has another SHA-256.
    """
    folder = os.environ.get("USETUNE_DATA")
    if folder and (Path(folder) / name).is_file():
        path = Path(folder) / name
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != sha256:
            raise ValueError(
                f"{path} (folder from USETUNE_DATA) is not the file that is pinned: "
                f"expected SHA-256 {sha256}, found {found}"
            )
        return path
    return _download(name, url, sha256)


@functools.lru_cache
def _download(name: str, url: str, sha256: str) -> Path | None:
    try:
        return Path(
            pooch.retrieve(
                url,
                f"sha256:{sha256}",
                fname=Path(name).name,
                path=pooch.os_cache("usetune") / Path(name).parent,
                downloader=pooch.HTTPDownloader(
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS)
                ),
            )
        )
    except requests.RequestException:
        return None
