"""The matrix products of a run of texts, by TensorFlow or by the processor's tiles."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from usetune.encoders.use.layers import FeedForward
from usetune.encoders.use.ngrams import NgramConvolution
from usetune.encoders.use.products import Buffers, aligned, numbers, shared
from usetune.encoders.use.tiles import Kernels, multiply, pack
from usetune.similarity import unit_length


class RunProducts(Protocol):
    """What threads call at once, each for a run of its own."""

    runs_per_core: int

    def second(self, ngram: NgramConvolution, x: np.ndarray) -> np.ndarray:
        """The products of the second convolution of n-grams.

        Args:
            ngram: its layer.
            x: what the first convolution gives, float32 (rows, channels), rows a
                multiple of 32; `aligned`.

        Returns:
            (order, rows, channels), see `Convolution.products`.
        """

    def finish(self, total: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Sums of features → embeddings.

        Args:
            total: float32 (rows, features), rows a multiple of 32.
            lengths: number of tokens, float32 (rows, 1).

        Returns:
            Float32 (rows, dim).
        """


class TensorFlowProducts:
    """By TensorFlow, on any processor.

    Args:
        finish: `RunProducts.finish`.
    """

    # A run waits for the parts of its products that other cores compute.
    runs_per_core = 2

    def __init__(self, finish: Callable[[np.ndarray, np.ndarray], tf.Tensor]) -> None:
        self._finish = finish

    def second(self, ngram: NgramConvolution, x: np.ndarray) -> np.ndarray:
        """See `RunProducts`."""
        return numbers(ngram.second_tables(shared(x)).products)

    def finish(self, total: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `RunProducts`."""
        return np.asarray(self._finish(total, lengths))


class TileProducts:
    """By tiles: the weights are those of now.

    Args:
        ngrams: layers of the n-grams.
        projection: of the sum of the features.
        feed_forward: the layers above.
        precision: of the products.
    """

    runs_per_core = 1

    def __init__(
        self,
        ngrams: Sequence[NgramConvolution],
        projection: keras.layers.Dense,
        feed_forward: FeedForward,
        precision: str,
    ) -> None:
        def packed(kernel: Any, number: int = 1) -> Kernels:
            kernel = np.asarray(kernel.value)
            return pack(kernel.reshape(number, -1, kernel.shape[1]), precision)

        self._seconds = {
            ngram.order: packed(ngram.convolutions[1].kernel, ngram.order)
            for ngram in ngrams
        }
        self._projection = packed(projection.kernel)
        self._bias = np.asarray(projection.bias.value)
        own = feed_forward
        layers = (
            own.dense_1,
            own.dense_2,
            own.skip_2,
            own.dense_3,
            own.dense_4,
            own.skip_4,
        )
        self._layers = [packed(layer.kernel) for layer in layers]
        self._products = np.dtype(np.float32 if precision == "float32" else np.uint16)
        self._buffers = Buffers()

    def second(self, ngram: NgramConvolution, x: np.ndarray) -> np.ndarray:
        """See `RunProducts`."""
        shape = (ngram.order, *x.shape)
        out = self._buffers.of(ngram.order, shape, self._products)
        multiply(x, self._seconds[ngram.order], out)
        return out

    def finish(self, total: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `RunProducts`."""
        dense_1, dense_2, skip_2, dense_3, dense_4, skip_4 = self._layers
        projected = _product(total, self._projection)
        sentence = (projected + lengths * self._bias) / np.sqrt(lengths)
        hidden = _relu(_product(sentence, dense_1))
        middle = _relu(_product(hidden, dense_2) + _product(sentence, skip_2))
        hidden = _relu(_product(middle, dense_3))
        x = _product(hidden, dense_4) + _product(middle, skip_4)
        return unit_length(np.tanh(x))


def _product(x: np.ndarray, kernels: Kernels) -> np.ndarray:
    out = aligned((1, len(x), kernels.high.shape[1] * 16), np.float32)
    multiply(x, kernels, out)
    return out[0]


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)
