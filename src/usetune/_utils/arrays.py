"""Reading and writing named arrays: an ``.npz`` file, checked before it is loaded."""

import errno
import json
import math
import os
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from usetune._utils.digest import digest
from usetune._utils.files import replacing
from usetune._utils.paths import expand

_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
# Holds the SHA-256 of each array by its name, as JSON.
_SUMS = "sha256"
# Names that an error lists.
_MOST_SHOWN = 5


class ArraySpec(NamedTuple):
    """What an array in a file must be.

    Attributes:
        dtype: name of the dtype; "str" for strings of any length.
        shape: length of each axis. A name stands for any length, the same one wherever
            the name occurs in the file; None for any length at all.
        finite: refuse NaN and infinity.
        optional: the array may be missing.
    """

    dtype: str
    shape: tuple[int | str | None, ...] = ()
    finite: bool = False
    optional: bool = False


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a file that `read_arrays` reads, or leave the old one whole.

    Args:
        path: the file, of any suffix.
        arrays: by their names, without objects.
    """
    sums = json.dumps({name: digest(array) for name, array in arrays.items()})
    listing = np.frombuffer(sums.encode(), np.uint8)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays, **{_SUMS: listing})


def read_arrays(
    path: str | Path, specs: Mapping[str, ArraySpec], only: bool = False
) -> dict[str, np.ndarray]:
    """Read the arrays that a file is known to hold, and refuse every other file.

    Names, dtypes and shapes are compared before memory is taken, which an array then
    needs no more of than the file has bytes, and the SHA-256 of each when it is read.

    Args:
        path: what `write_arrays` wrote.
        specs: what each array must be, by its name.
        only: read these and let others be, whatever they are.

    Returns:
        The arrays in the order of ``specs``, without the optional ones that are not
        there.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, and what is wrong with it: it is cut or changed,
            is no file of arrays, holds others, or numbers that are not finite.
    """
    with open(expand(path), "rb") as file:
        try:
            return _read(file, specs, only)
        # Damage makes zipfile, NumPy and the tokenizer of NumPy's headers raise errors
        # of a dozen kinds: OSError(EINVAL) is a seek to before the file's beginning.
        except Exception as error:
            is_disk = isinstance(error, OSError) and error.errno != errno.EINVAL
            if is_disk or isinstance(error, MemoryError):
                raise
            raise ValueError(f"{path} is damaged or another file: {error}") from error


def _read(
    file: IO[bytes], specs: Mapping[str, ArraySpec], only: bool
) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        members = archive.namelist()
        specs = {
            name: spec
            for name, spec in {**specs, _SUMS: ArraySpec("uint8", (None,))}.items()
            if not spec.optional or f"{name}.npy" in members
        }
        _check_names(members, specs, only)
        lengths: dict[str, int] = {}
        for name, spec in specs.items():
            _check_header(archive, name, spec, lengths)
        size = sum(info.file_size for info in archive.infolist())
        if size > os.fstat(file.fileno()).st_size:
            raise ValueError(f"its arrays need {size} bytes, more than it has")
        arrays = {}
        for name, spec in specs.items():
            with archive.open(f"{name}.npy") as content:
                arrays[name] = npy.read_array(content, allow_pickle=False)
            if spec.finite and not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} must be finite")
    sums = json.loads(arrays.pop(_SUMS).tobytes())
    for name, array in arrays.items():
        if sums.pop(name, None) != digest(array):
            raise ValueError(f"{name} is not what was written: its SHA-256 is another")
    if sums and not only:
        raise ValueError(f"it lacks {list(sums)}")
    return arrays


def _check_names(
    members: list[str], specs: Mapping[str, ArraySpec], only: bool
) -> None:
    """Refuse an archive that has others than these arrays, or one of them twice."""
    counts = Counter(members)
    known = [f"{name}.npy" for name in specs]
    differences = {
        "lacks": [name for name in known if name not in counts],
        "also has": [] if only else [name for name in counts if name not in known],
        "has twice": [name for name, count in counts.items() if count > 1],
    }
    faults = [
        f"{what} {[name.removesuffix('.npy') for name in names[:_MOST_SHOWN]]}"
        f"{f' and {len(names) - _MOST_SHOWN} more' if names[_MOST_SHOWN:] else ''}"
        for what, names in differences.items()
        if names
    ]
    if faults:
        raise ValueError(f"of the arrays expected it {', '.join(faults)}")


def _check_header(
    archive: zipfile.ZipFile, name: str, spec: ArraySpec, lengths: dict[str, int]
) -> None:
    """Compare what a member says of its array; add to the lengths of named axes."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} must not be compressed")
    with archive.open(info) as content:
        version = npy.read_magic(content)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of the unknown .npy version {version}")
        shape, _, dtype = _HEADERS[version](content)
        start = content.tell()
    wanted = np.dtype(spec.dtype)
    is_string = wanted.kind == dtype.kind == "U"
    fits = len(shape) == len(spec.shape) and all(
        length == (lengths.setdefault(axis, length) if isinstance(axis, str) else axis)
        for length, axis in zip(shape, spec.shape, strict=True)
        if axis is not None
    )
    if not fits or not (is_string or dtype == wanted):
        raise ValueError(
            f"{name} must be of {spec.dtype} and the shape {spec.shape}"
            f"{f' with {lengths}' if lengths else ''}. Received: {dtype} {shape}"
        )
    size = start + math.prod(shape) * dtype.itemsize
    if size != info.file_size:
        raise ValueError(f"{name} needs {size} bytes and has {info.file_size}")
