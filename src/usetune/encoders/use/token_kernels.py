"""What `encode` computes of single tokens beside matrix products, compiled."""

import numpy as np

from usetune.encoders.use.compiled import compiled
from usetune.encoders.use.layers import LAYER_NORM_EPSILON

_EPSILON = np.float32(LAYER_NORM_EPSILON)
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def normalize(
    x: np.ndarray, bias: np.ndarray, gamma: np.ndarray, beta: np.ndarray
) -> None:
    """Layer normalization of ``x + bias``, in place.

    Args:
        x: float32 (rows, channels).
        bias: float32 (channels,).
        gamma: float32 (channels,).
        beta: float32 (channels,).
    """
    size = np.float32(x.shape[1])
    for row in range(x.shape[0]):
        mean, variance = _ZERO, _ZERO
        for i in range(x.shape[1]):
            x[row, i] += bias[i]
            mean += x[row, i]
        mean /= size
        for i in range(x.shape[1]):
            x[row, i] -= mean
            variance += x[row, i] * x[row, i]
        scale = _ONE / np.sqrt(variance / size + _EPSILON)
        for i in range(x.shape[1]):
            x[row, i] = x[row, i] * scale * gamma[i] + beta[i]


@compiled
def moments(x: np.ndarray, out: np.ndarray) -> None:
    """`NormalizedSum.moments`.

    Args:
        x: float32 (rows, features).
        out: written to, float32 (rows, 2).
    """
    for row in range(x.shape[0]):
        total, square = _ZERO, _ZERO
        for i in range(x.shape[1]):
            total += x[row, i]
            square += x[row, i] * x[row, i]
        out[row, 0], out[row, 1] = total, square
