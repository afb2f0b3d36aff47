"""The files that the resources of a TensorFlow graph read."""

import hashlib

import tensorflow as tf


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
