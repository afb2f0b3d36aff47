"""What tells one encoder from another, without a file being written."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
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


def asset_digests(resources: list[tf.Module]) -> list[str]:
    """SHA-256 of the files that resources read (vocabularies, say), sorted.

    Args:
        resources: trackable objects of TensorFlow.

    Raises:
        OSError: if a file cannot be read.
    """
    root = tf.train.Checkpoint()
    root.resources = list(resources)
    found = []
    for part in tf.train.TrackableView(root).descendants():
        if isinstance(part, tf.saved_model.Asset):
            with tf.io.gfile.GFile(part.asset_path.numpy().decode(), "rb") as file:
                found.append(hashlib.sha256(file.read()).hexdigest())
    return sorted(found)
