"""The matrix products of texts, and those by TensorFlow, on any processor."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from usetune.encoders.use.ngrams import NgramConvolution, TokenTables
from usetune.encoders.use.products import numbers, shared


class RunProducts(Protocol):
    """What multiplies; threads call `second` and `finish` at once, each for a run."""

    # Tokens of a run, about: short runs share fewer n-grams.
    run_tokens: int
    runs_per_core: int

    def first(self, rows: np.ndarray) -> TokenTables:
        """What depends on single tokens.

        Args:
            rows: of the embedding table, of distinct tokens, float32 (distinct, dim).

        Returns:
            Arrays, of as many rows or more; bfloat16 as its bits, uint16.
        """

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
    """By TensorFlow.

    Args:
        first: `RunProducts.first`, but gives tensors.
        finish: `RunProducts.finish`.
    """

    # Each shape of a product takes oneDNN time to prepare.
    run_tokens = 4096
    # A run waits for the parts of its products that other cores compute.
    runs_per_core = 2

    def __init__(
        self,
        first: Callable[[np.ndarray], TokenTables],
        finish: Callable[[np.ndarray, np.ndarray], tf.Tensor],
    ) -> None:
        self._first, self._finish = first, finish

    def first(self, rows: np.ndarray) -> TokenTables:
        """See `RunProducts`."""
        return tf.nest.map_structure(numbers, self._first(rows))

    def second(self, ngram: NgramConvolution, x: np.ndarray) -> np.ndarray:
        """See `RunProducts`."""
        return numbers(ngram.second_tables(shared(x)).products)

    def finish(self, total: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `RunProducts`."""
        return np.asarray(self._finish(total, lengths))
