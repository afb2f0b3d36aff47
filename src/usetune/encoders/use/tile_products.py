"""The matrix products of texts by the processor's tiles."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from usetune.encoders.use.layers import FeedForward
from usetune.encoders.use.ngrams import NgramConvolution, NgramTables, TokenTables
from usetune.encoders.use.products import Buffers, aligned, cores, padded
from usetune.encoders.use.tiles import Kernels, multiply, pack
from usetune.encoders.use.token_kernels import moments, normalize
from usetune.similarity import unit_length

# Tokens whose tables are computed at a time, and stay in the cache of a core.
_TOKENS = 256


class TileProducts:
    """See `RunProducts`; the weights are those of now.

    Args:
        ngrams: layers of the n-grams.
        projection: of the sum of the features.
        feed_forward: the layers above.
        precision: of the products.
    """

    # 2,048 are 2 % faster, and take 25 MB more.
    run_tokens = 1024
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

        self._ngrams = ngrams
        # Of each n-gram, what is applied to single tokens.
        self._tokens = [
            (
                packed(own.projection.kernel),
                [
                    np.asarray(weight.value)
                    for weight in (own.projection.bias, *own.normalization.weights)
                ],
                packed(own.convolutions[0].kernel, own.order),
            )
            for own in ngrams
        ]
        self._seconds = {
            own.order: packed(own.convolutions[1].kernel, own.order) for own in ngrams
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

    def first(self, rows: np.ndarray) -> TokenTables:
        """See `RunProducts`."""
        size = padded(len(rows))
        ngrams = [
            NgramTables(
                aligned((size, own.channels), np.float32),
                aligned((own.order, size, own.channels), self._products),
            )
            for own in self._ngrams
        ]
        tables = TokenTables(rows, np.empty((len(rows), 2), np.float32), ngrams)
        moments(rows, tables.moments)

        def fill(start: int) -> None:
            some = slice(start, start + _TOKENS)
            x = self._buffers.of("rows", (_TOKENS, rows.shape[1]), np.float32)
            x = x[: min(_TOKENS, size - start)]
            count = len(rows[some])
            x[:count], x[count:] = rows[some], 0
            for own, (projection, normalization, first) in zip(
                ngrams, self._tokens, strict=True
            ):
                projected = own.own[some]
                multiply(x, projection, projected[None])
                normalize(projected, *normalization)
                multiply(projected, first, own.products[:, some])

        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(fill, range(0, size, _TOKENS)))
        return tables

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
