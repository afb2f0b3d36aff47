"""What tells one encoder from another, without a file being written."""

import hashlib
import json

import tensorflow as tf

from usetune.encoders.base import Encoder

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
        value = tf.convert_to_tensor(variable.value)
        head = json.dumps([value.dtype.name, value.shape.as_list()])
        sha.update(head.encode())
        flat = tf.reshape(value, [-1])
        for start in range(0, flat.shape[0], _CHUNK):
            sha.update(flat[start : start + _CHUNK].numpy().tobytes())
    return sha.hexdigest()
