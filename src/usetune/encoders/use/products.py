"""Products of matrices, in a dtype and in shapes that oneDNN takes well."""

from typing import Any

import numpy as np
import tensorflow as tf

# oneDNN keeps memory for each shape that a product has had: shapes come in steps.
ROWS_STEP = 32
# Bytes, of the first address. TensorFlow ends the process if it is another.
_ALIGNMENT = 64


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


def aligned_array(rows: int, columns: int) -> np.ndarray:
    """New float32 array (rows, columns), not set, for `shared`."""
    numbers = np.empty(rows * columns + _ALIGNMENT // 4, np.float32)
    start = -numbers.ctypes.data % _ALIGNMENT // 4
    return numbers[start : start + rows * columns].reshape(rows, columns)


def shared(x: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of an array whose first element `aligned_array` gave."""
    return tf.experimental.dlpack.from_dlpack(x.__dlpack__())
