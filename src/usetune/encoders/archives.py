"""SavedModels that a server sends as a compressed archive, as TF Hub does."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import shutil
import tarfile
import time
import urllib.request
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import tensorflow as tf

from usetune._utils.files import is_new, replacing
from usetune.encoders.folder import LISTING
from usetune.encoders.hubs import downloading

# Seconds, if the environment variable says no other number.
_TIMEOUT = 60.0
# Bytes a second, on average over that time; a server that sends fewer is given up.
_SLOWEST = 1000
# Bytes of an archive once it is unpacked.
_LARGEST = 8 * 2**30


def download_archive(url: str) -> str:
    """Download and unpack an archive with an encoder, once; give the folder.

    Args:
        url: to which TF Hub's ``tf-hub-format=compressed`` is added.

    Raises:
        OSError: naming the address, if it cannot be had whole, would not fit, holds
            files outside of its folder, or no model. Nothing is kept then.
    """
    cache = os.environ.get("TFHUB_CACHE_DIR") or pooch.os_cache("usetune") / "tfhub"
    # As TF Hub names it, so that what it has downloaded is found.
    folder = Path(cache) / hashlib.sha1(url.encode()).hexdigest()
    if is_new(folder):
        with downloading(url), replacing(folder) as new:
            _download(url, new)
            is_ours = (new / LISTING).is_file()
            if not is_ours and not tf.saved_model.contains_saved_model(str(new)):
                raise ValueError("the archive holds no model at its top")
    return str(folder)


def _download(url: str, folder: Path) -> None:
    url += ("&" if urlsplit(url).query else "?") + "tf-hub-format=compressed"
    timeout = _timeout()
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            _unpack(_Impatient(response, timeout), folder)
    except OSError as error:
        # urllib wraps one that happens while it connects.
        if not isinstance(getattr(error, "reason", error), TimeoutError):
            raise
        raise TimeoutError(
            f"the server was silent or too slow for {timeout:g} seconds; the "
            "environment variable USETUNE_TIMEOUT sets another number"
        ) from error


def _timeout() -> float:
    """Seconds that a server may be silent for."""
    given = os.environ.get("USETUNE_TIMEOUT") or str(_TIMEOUT)
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(
            "the environment variable USETUNE_TIMEOUT must be a number of seconds "
            f"above 0, such as {_TIMEOUT:g}. Received: {given!r}"
        )
    return seconds


class _Impatient:
    """A response, read as long as the server sends enough."""

    def __init__(self, response: HTTPResponse, timeout: float) -> None:
        self._response, self._timeout = response, timeout
        self._since, self._received = time.monotonic(), 0

    def read(self, size: int) -> bytes:
        """As many bytes, or all that are left.

        Raises:
            TimeoutError: if they come too slowly.
        """
        content = bytearray()
        while len(content) < size and (
            part := self._response.read1(size - len(content))
        ):
            content += part
            self._received += len(part)
            seconds = time.monotonic() - self._since
            if seconds > self._timeout:
                if self._received < seconds * _SLOWEST:
                    raise TimeoutError
                self._since, self._received = time.monotonic(), 0
        return bytes(content)


class _Bounded:
    """A file that is refused once it is too large."""

    def __init__(self, file: gzip.GzipFile, room: int) -> None:
        self._file, self._room, self._left = file, room, room

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes."""
        part = self._file.read(size)
        self.expect(len(part))
        self._left -= len(part)
        return part

    def expect(self, size: int) -> None:
        """Refuse to read ``size`` more bytes, if that is too many."""
        if size > self._left:
            raise ValueError(
                f"the archive unpacks to more than {self._room:,} bytes, what is free "
                f"on the disk and at most {_LARGEST:,}. Unpack it yourself, and load "
                "the folder"
            )


def _unpack(compressed: Any, folder: Path) -> None:
    folder.mkdir()
    room = min(_LARGEST, shutil.disk_usage(folder).free)
    with gzip.GzipFile(fileobj=compressed) as file:
        content: Any = _Bounded(file, room)
        with tarfile.open(fileobj=content, mode="r|") as archive:
            for member in archive:
                content.expect(member.size)
                archive.extract(member, folder, filter="data")
        # Its checksum lies at the end.
        while content.read(2**20):
            pass
