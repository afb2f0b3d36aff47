"""Products of matrices, in a dtype and in shapes that oneDNN takes well."""

from typing import Any

import tensorflow as tf

# oneDNN keeps memory for each shape that a product has had: shapes come in steps.
ROWS_STEP = 32


def product(x: tf.Tensor, kernel: Any, dtype: str) -> tf.Tensor:
    """``x @ kernel``, computed in a dtype and given in it."""
    return tf.matmul(tf.cast(x, dtype), tf.cast(kernel, dtype))


def pad_rows(x: tf.Tensor) -> tf.Tensor:
    """Append rows of zeros, one at least, until their number is a multiple of 32."""
    missing = ROWS_STEP - tf.shape(x)[0] % ROWS_STEP
    return tf.pad(x, [[0, missing]] + [[0, 0]] * (len(x.shape) - 1))
