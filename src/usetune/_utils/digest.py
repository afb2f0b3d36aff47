"""SHA-256 of tables, arrays and settings: what tells one from another."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd


def digest_table(table: pd.DataFrame) -> str:
    """SHA-256 of a table's columns and cells, without its index.

    Args:
        table: its cells are texts, numbers or None.

    Returns:
        64 hexadecimal digits.
    """
    sha = hashlib.sha256(repr(list(table.columns)).encode())
    sha.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return sha.hexdigest()


def digest_arrays(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 of arrays, in their order: dtype, shape and values of each.

    Args:
        arrays: of any shape, and any dtype but object.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError: if one is no array, or an array of objects.
    """
    digests = []
    for number, array in enumerate(arrays):
        if not isinstance(array, np.ndarray):
            raise _unknown(array, f"arrays[{number}]", "an array")
        digests.append(_of_array(array, f"arrays[{number}]"))
    return _sha("arrays", *digests).hex()


def digest_settings(settings: Any) -> str:
    """SHA-256 of settings, but for the names that Keras numbers within a process.

    A list and a tuple of the same are the same, and so are mappings in another order
    and numbers of NumPy and of Python.

    Args:
        settings: None, a bool, a number, a text, bytes, an array, or mappings, lists
            and tuples of these, one in another. The key "name" of a mapping is left
            out with its value.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError: if something else is in them.
    """
    return _of_settings(settings, "settings").hex()


def _of_settings(value: Any, place: str) -> bytes:
    if isinstance(value, np.ndarray):
        return _of_array(value, place)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return _sha(
            "mapping",
            *sorted(
                _of_settings(key, place) + _of_settings(own, f"{place}[{key!r}]")
                for key, own in value.items()
                if key != "name"
            ),
        )
    if isinstance(value, (list, tuple)):
        parts = (_of_settings(own, f"{place}[{i}]") for i, own in enumerate(value))
        return _sha("list", *parts)
    if isinstance(value, bytes):
        return _sha("bytes", value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return _sha("scalar", json.dumps(value).encode())
    expected = "None, a bool, a number, a text, bytes, an array, a mapping or a list"
    raise _unknown(value, place, expected)


def _of_array(array: np.ndarray, place: str) -> bytes:
    if array.dtype.hasobject:
        # Its bytes are addresses.
        raise TypeError(
            f"{place} must be an array of numbers or texts of fixed length. Received: "
            f"dtype {array.dtype}"
        )
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    head = f"{array.dtype} {array.shape}".encode()
    return _sha("array", _sha("head", head), content)


def _sha(kind: str, *parts: Any) -> bytes:
    sha = hashlib.sha256(f"{kind}:".encode())
    for part in parts:
        sha.update(part)
    return sha.digest()


def _unknown(value: Any, place: str, expected: str) -> TypeError:
    kind = type(value)
    return TypeError(
        f"{place} must be {expected}. Received: {kind.__module__}.{kind.__qualname__}"
    )
