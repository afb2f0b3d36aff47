"""Strings as a model takes them: on one axis, in batches of bounded size."""

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
    texts: list[bytes],
    batch_size: int,
    size: int = BATCH_BYTES,
    padded: bool = True,
) -> list[tuple[int, int]]:
    """Cut texts, shortest first, into ranges of bounded count and size.

    Args:
        texts: by length.
        batch_size: texts in a range at most.
        size: bytes of a range at most, unless it is of one text; an eighth more for the
            last one, so that no small rest is left.
        padded: whether a text counts as many bytes as the longest of its range.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.concatenate([[0], np.cumsum(lengths)])
    short = int(np.searchsorted(lengths, BATCH_BYTES, "right"))

    def bytes_until(start: int, stops: np.ndarray) -> np.ndarray:
        """Of ranges from start to each of some stops."""
        if padded:
            return (stops - start) * lengths[stops - 1]
        return ends[stops] - ends[start]

    ranges, start = [], 0
    while start < short:
        stops = np.arange(start + 1, min(start + batch_size, short) + 1)
        sizes = bytes_until(start, stops)
        count = max(1, int(np.searchsorted(sizes, size, "right")))
        # What is left, if the range takes it all.
        if len(stops) == short - start and sizes[-1] <= size * 9 / 8:
            count = len(stops)
        ranges.append((start, start + count))
        start += count
    return ranges + [(long, long + 1) for long in range(short, len(texts))]
