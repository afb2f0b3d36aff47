"""Products of matrices, in a dtype and in shapes that oneDNN takes well."""

import math
import os
import threading
from typing import Any

import numpy as np
import tensorflow as tf

# oneDNN keeps memory for each shape that a product has had: shapes come in steps.
ROWS_STEP = 32
# Bytes of a line of the cache. TensorFlow ends the process if an array that it shares
# starts elsewhere; a tile loads and stores more slowly there.
ALIGNMENT = 64


def product(x: tf.Tensor, kernel: Any, dtype: str) -> tf.Tensor:
    """``x @ kernel``, computed in a dtype and given in it."""
    return tf.matmul(tf.cast(x, dtype), tf.cast(kernel, dtype))


def pad_rows(x: tf.Tensor) -> tf.Tensor:
    """Append rows of zeros, one at least, until their number is a multiple of 32."""
    missing = ROWS_STEP - tf.shape(x)[0] % ROWS_STEP
    return tf.pad(x, [[0, missing]] + [[0, 0]] * (len(x.shape) - 1))


def padded(rows: int) -> int:
    """This number of rows, or the next multiple of 32."""
    return -(-rows // ROWS_STEP) * ROWS_STEP


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """New array, its numbers not set, that starts where a line of the cache does."""
    size, step = math.prod(shape), np.dtype(dtype).itemsize
    numbers = np.empty(size + ALIGNMENT // step, dtype)
    start = -numbers.ctypes.data % ALIGNMENT // step
    return numbers[start : start + size].reshape(shape)


class Buffers(threading.local):
    """Arrays that a thread uses again: new memory is slow."""

    def __init__(self) -> None:
        self._arrays: dict[Any, np.ndarray] = {}

    def of(self, name: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """The array of a name, `aligned`; its numbers are not set."""
        size = math.prod(shape)
        found = self._arrays.get(name)
        if found is None or found.size < size:
            found = self._arrays[name] = aligned((size,), dtype)
        return found[:size].reshape(shape)


def numbers(tensor: tf.Tensor) -> np.ndarray:
    """Float32 in the same memory; or the bits of bfloat16, uint16."""
    array = np.asarray(tensor)
    return array if array.dtype == np.float32 else array.view(np.uint16)


def shared(x: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of an array that is `aligned`."""
    return tf.experimental.dlpack.from_dlpack(x.__dlpack__())


def cores() -> int:
    """Threads that compute at once."""
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return chosen or os.cpu_count() or 1
