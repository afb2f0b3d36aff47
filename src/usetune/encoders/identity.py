"""What tells one encoder from another, without a file being written."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from usetune.encoders.base import Encoder
from usetune.encoders.use.table import Table, in_parts

# Numbers of a weight that are copied out of TensorFlow at a time.
_CHUNK = 1_000_000


def encoder_identity(encoder: Encoder) -> str:
    """SHA-256 of an encoder's `Encoder.configuration` and its weights.

    An encoder that was saved and loaded again keeps it. Weights are read in pieces of
    some megabytes.

    Args:
        encoder: it is left as it is.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: if an asset of a SavedModel cannot be read any more.
    """
    configuration = json.dumps(encoder.configuration, sort_keys=True)
    sha = hashlib.sha256(configuration.encode())
    for variable in encoder.variables:
        head = json.dumps([tf.as_dtype(variable.dtype).name, list(variable.shape)])
        sha.update(head.encode())
        for piece in _pieces(variable):
            sha.update(piece.numpy().tobytes())
    return sha.hexdigest()


def _pieces(variable: Any) -> Iterator[tf.Tensor]:
    """The numbers of a variable, in order."""
    if isinstance(variable, Table):
        # As a whole it would stay in memory.
        yield from map(variable.read, in_parts(np.arange(variable.shape[0])))
        return
    flat = tf.reshape(tf.convert_to_tensor(variable.value), [-1])
    for start in range(0, flat.shape[0], _CHUNK):
        yield flat[start : start + _CHUNK]
