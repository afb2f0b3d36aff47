"""A file of what differs from the wheel's weights.

Tuning changes the dense weights and the rows of the table that the texts used. The file
holds these, about 14 MB and 2 kB a row, and the SHA-256 of the weights they belong to.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from usetune._utils.arrays import ArraySpec, read_arrays, write_arrays
from usetune.encoders.use import weights
from usetune.encoders.use.embedding import known_tokens

_FORMAT = {"format": "usetune-delta-1", "base": weights.SHA256}


class Delta(NamedTuple):
    """What a file holds.

    Attributes:
        tokens: int64 (n,), ids of the tokens whose row of the table differs.
        rows: float32 (n, 512), these rows.
        dense: every other weight by its name in the wheel, float32.
        vocabulary: int64, ascending ids of the tokens that have a row; None for all.
        precision: what products are computed in.
    """

    tokens: np.ndarray
    rows: np.ndarray
    dense: dict[str, np.ndarray]
    vocabulary: np.ndarray | None
    precision: str = "float32"


def write(path: str | Path, delta: Delta) -> None:
    """Write a file that `read` reads, or leave the old one whole."""
    arrays = {
        "metadata": np.array(json.dumps(_FORMAT)),
        "tokens": delta.tokens,
        "rows": delta.rows,
        "precision": np.array(delta.precision),
        **{f"dense/{name}": array for name, array in delta.dense.items()},
    }
    if delta.vocabulary is not None:
        arrays["vocabulary"] = delta.vocabulary
    write_arrays(path, arrays)


def read(path: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> Delta:
    """Read what `write` wrote.

    Args:
        path: the file.
        shapes: of the dense weights, by their names in the wheel.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, something else, or belongs to other base weights.
    """
    specs = {
        "metadata": ArraySpec("str"),
        "tokens": ArraySpec("int64", ("tokens",)),
        "rows": ArraySpec("float32", ("tokens", weights.DIM), finite=True),
        "vocabulary": ArraySpec("int64", (None,), optional=True),
        "precision": ArraySpec("str", optional=True),
    }
    for name, shape in shapes.items():
        specs[f"dense/{name}"] = ArraySpec("float32", shape, finite=True)
    arrays = read_arrays(path, specs)
    metadata = str(arrays["metadata"])
    if metadata != json.dumps(_FORMAT):
        raise ValueError(
            f"{path} does not belong to the base weights at hand: it was saved with "
            f"{metadata}, expected {_FORMAT}"
        )
    vocabulary = arrays.get("vocabulary")
    if not np.isin(arrays["tokens"], known_tokens(path, vocabulary)).all():
        raise ValueError(f"{path}: tokens must be ids of the vocabulary")
    dense = {name: arrays[f"dense/{name}"] for name in shapes}
    precision = str(arrays.get("precision", "float32"))
    return Delta(arrays["tokens"], arrays["rows"], dense, vocabulary, precision)
