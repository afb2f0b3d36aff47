"""SHA-256 of tables, arrays and settings: what tells one from another."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def digest(value: Any) -> str:
    """SHA-256 of a value, but for the names that Keras numbers within a process.

    A list and a tuple of the same are the same, and so are mappings in another order
    and numbers of NumPy and of Python. Of an array dtype, shape and values count, of a
    table columns and cells, not the index.

    Args:
        value: None, a bool, a number, a text, bytes, an array, a table of texts and
            numbers, or mappings, lists and tuples of these, one in another. The key
            "name" of a mapping is left out with its value.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError: if something else is in it.
    """
    return _digest(value, "value").hex()


def _digest(value: Any, place: str) -> bytes:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return _sha("scalar", json.dumps(value).encode())
    if isinstance(value, bytes):
        return _sha("bytes", value)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        content = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        return _sha("array", _sha(f"{value.dtype} {value.shape}"), content)
    if isinstance(value, pd.DataFrame):
        columns = [[name, column.tolist()] for name, column in value.items()]
        return _sha("table", json.dumps(columns, default=str).encode())
    if isinstance(value, (list, tuple)):
        parts = (_digest(own, f"{place}[{i}]") for i, own in enumerate(value))
        return _sha("list", *parts)
    if isinstance(value, Mapping):
        pairs = (
            _digest(key, place) + _digest(own, f"{place}[{key!r}]")
            for key, own in value.items()
            if key != "name"
        )
        return _sha("mapping", *sorted(pairs))
    kind = type(value)
    raise TypeError(
        f"{place} must be None, a bool, a number, a text, bytes, an array of numbers "
        "or texts of fixed length, a table, a mapping or a list. Received: "
        f"{kind.__module__}.{kind.__qualname__} {getattr(value, 'dtype', '')}"
    )


def _sha(kind: str, *parts: Any) -> bytes:
    sha = hashlib.sha256(f"{kind}:".encode())
    for part in parts:
        sha.update(part)
    return sha.digest()
