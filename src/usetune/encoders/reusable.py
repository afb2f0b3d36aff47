"""SavedModels with the interface that TensorFlow Hub defines for text embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf


def write_saved_model(model: keras.Model, resources: list[Any], folder: Path) -> None:
    """Write a reusable SavedModel, see `TextModel.export`.

    Args:
        model: strings (batch,) → floats (batch, dim).
        resources: what it needs beside its variables, tracked by TensorFlow.
        folder: it must not exist.
    """
    options: dict[str, Any] = {"autograph": False}
    texts = tf.TensorSpec(None, tf.string, "inputs")
    flag = tf.TensorSpec((), tf.bool, "training")
    batch = tf.TensorSpec([None], tf.string, "inputs")

    @tf.function(input_signature=[texts, flag], **options)
    def embed(inputs: tf.Tensor, training: Any = False) -> tf.Tensor:
        shape = tf.shape(inputs)
        is_column = tf.size(inputs) == tf.concat([shape, [1]], axis=0)[0]
        message = "inputs must be (), (batch,) or (batch, 1). Received:"
        tf.debugging.Assert(is_column, [message, shape])
        return model(tf.reshape(inputs, [-1]))

    @tf.function(input_signature=[batch], **options)
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": embed(inputs)}

    saved = tf.train.Checkpoint()
    saved.resources = list(resources)
    saved.variables = [variable.value for variable in model.variables]
    saved.trainable_variables = [
        variable.value for variable in model.trainable_variables
    ]
    saved.regularization_losses = []
    saved.__call__ = embed
    tf.saved_model.save(saved, str(folder), serve)
