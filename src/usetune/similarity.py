"""Cosine and angular similarity, written once for arrays and for tensors.

The angular similarity of two embeddings is ``1 - arccos(cosine) / pi``: 1 for the
same direction, 0.5 for orthogonal vectors, 0 for opposite ones. Cer et al.,
"Universal Sentence Encoder" (2018, arXiv:1803.11175), section 5, equation 1, score
sentence pairs by ``1 - arccos(cosine)``; dividing by pi puts the result in [0, 1].
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from usetune._utils.backend import check_backend

# keras.json may name another than the environment does.
check_backend()

# Squared length below which a vector counts as zero and has cosine 0 with everything.
_SMALLEST_SQUARE = 1e-24


def cosine_similarity(u: Any, v: Any) -> Any:
    """Cosine of the angle between vectors, over the last axis.

    Args:
        u: float array or tensor (..., dim), of any length.
        v: float array or tensor (..., dim); leading axes broadcast against ``u``,
            so ``u[:, None]`` and ``v[None]`` give all pairs.

    Returns:
        Tensor (...) of the dtype of ``u``, in [-1, 1] up to rounding; 0 where
        either vector is zero.
    """
    return ops.sum(unit_length(u) * unit_length(v), axis=-1)


def angular_similarity(cosine: Any) -> Any:
    """Angular similarity of two vectors from their cosine.

    The gradient is infinite at a cosine of exactly -1 or 1: clip before training
    (`usetune.similarity.AngularSimilarity` does).

    Args:
        cosine: array, tensor or number; rounding beyond [-1, 1] is cut off.

    Returns:
        Tensor of the same shape and dtype (float32 for a Python float, float64 for
        integers), in [0, 1].
    """
    cosine = ops.convert_to_tensor(cosine)
    if not keras.backend.is_float_dtype(cosine.dtype):
        cosine = ops.cast(cosine, "float64")
    return 1 - ops.arccos(ops.clip(cosine, -1.0, 1.0)) / 3.141592653589793


def unit_length(x: Any) -> Any:
    """Vectors (..., dim) → the same divided by their length; zero stays zero.

    Args:
        x: float array or tensor.

    Returns:
        An array for an array, else a tensor.
    """
    if isinstance(x, np.ndarray):
        length = np.sqrt(sum_of_components(np.square(x)))
        return x / np.maximum(length, _SMALLEST_SQUARE**0.5)[..., None]
    x = ops.convert_to_tensor(x)
    square = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square, _SMALLEST_SQUARE))


def sum_of_components(x: np.ndarray) -> np.ndarray:
    """Array (..., dim) → (...), one component added after the other.

    Equal rows have equal sums, wherever they are; NumPy's own sums over the last axis
    depend on how rows lie in memory.
    """
    return np.ascontiguousarray(np.moveaxis(x, -1, 0)).sum(axis=0)


@keras.saving.register_keras_serializable("usetune")
class AngularSimilarity(keras.layers.Layer):
    """Angular similarity of two embeddings, with a finite gradient everywhere.

    ``arccos`` has an infinite slope at ±1, where equal texts end up, so the cosine is
    clipped before: equal texts score 0.99858 and pass no gradient.

    Args:
        clip: the cosine is limited to [-clip, clip]; between 0 and 1, exclusive.

    Raises:
        ValueError: if ``clip`` is not between 0 and 1.
    """

    def __init__(self, clip: float = 0.99999, **kwargs: Any) -> None:
        # In float16 the clip would be 1.
        super().__init__(**{"dtype": "float32", **kwargs})
        if not 0 < clip < 1:
            raise ValueError(f"clip must be between 0 and 1. Received: {clip}")
        self.clip = clip

    def call(self, embeddings: list[Any]) -> Any:
        """Two tensors (batch, dim) → (batch, 1) in [0, 1]."""
        u, v = embeddings
        cosine = ops.clip(cosine_similarity(u, v), -self.clip, self.clip)
        return angular_similarity(cosine)[:, None]

    def compute_output_shape(self, input_shape: list[Any]) -> tuple[Any, int]:
        """(batch, 1)."""
        return (input_shape[0][0], 1)

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        return {**super().get_config(), "clip": self.clip}
