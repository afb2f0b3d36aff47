"""Strings as a model takes them: on one axis, in batches of bounded size."""

import itertools
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
    ends = [0, *itertools.accumulate(map(len, texts))]

    def bytes_of(start: int, stop: int) -> int:
        longest = len(texts[stop - 1])
        return (stop - start) * longest if padded else ends[stop] - ends[start]

    starts = [0]
    for stop in range(1, len(texts)):
        is_full = (
            stop - starts[-1] == batch_size or bytes_of(starts[-1], stop + 1) > size
        )
        if is_full or len(texts[stop]) > BATCH_BYTES:
            starts.append(stop)
    ranges = list(itertools.pairwise([*starts, len(texts)])) if texts else []
    if len(ranges) > 1 and len(texts[-1]) <= BATCH_BYTES:
        start, stop = ranges[-2][0], len(texts)
        if stop - start <= batch_size and bytes_of(start, stop) <= 9 / 8 * size:
            ranges[-2:] = [(start, stop)]
    return ranges
