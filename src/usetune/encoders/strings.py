"""Strings as a model takes them: on one axis, in batches of bounded size."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from usetune._utils.text import utf8

# UTF-8 bytes of a batch of `encode`, and of a text that shares one: memory grows with
# the tokens of a batch, not with its texts.
BATCH_BYTES = 65_536


def one_axis(texts: Any) -> Any:
    """Strings (batch,) or (batch, 1) → tensor (batch,); a symbol stays as it is.

    Raises:
        TypeError: if they are no strings.
        ValueError: if they have another shape.
    """
    if not tf.is_tensor(texts) and not isinstance(texts, keras.KerasTensor):
        array = np.asarray(texts, object)
        encoded = utf8(array.ravel() if array.ndim else texts)
        texts = tf.constant(encoded, tf.string, array.shape)
    if tf.as_dtype(texts.dtype) != tf.string:
        message = (
            "texts must be strings, as of keras.Input((), dtype='string'). "
            f"Received: {texts.dtype}"
        )
        if isinstance(texts, keras.KerasTensor) or tf.executing_eagerly():
            raise TypeError(message)
        # Exporting a model around this one, Keras traces it on numbers as well, which
        # nobody runs; if that fails, it loses the tokenizer.
        with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
            texts = tf.strings.as_string(texts)
    shape = tf.TensorShape(texts.shape)
    if not any(map(shape.is_compatible_with, ([None], [None, 1]))):
        raise ValueError(f"texts must be (batch,) or (batch, 1). Received: {shape}")
    if shape.rank == 1 or isinstance(texts, keras.KerasTensor):
        return texts
    return tf.reshape(texts, [-1])


def batches(
    texts: list[bytes], batch_size: int, size: int = BATCH_BYTES
) -> Iterator[tuple[int, int]]:
    """Cut texts, shortest first, into ranges of bounded count and size."""
    start = 0
    for stop in range(1, len(texts)):
        count = stop - start
        # Sorted by length: the next text bounds the size of all before it.
        longest = len(texts[stop])
        is_full = count == batch_size or (count + 1) * longest > size
        if is_full or longest > BATCH_BYTES:
            yield start, stop
            start = stop
    if texts:
        yield start, len(texts)
