"""`encode` on a processor: texts in runs whose numbers stay in its caches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from usetune.encoders.use.kernels import Convolution, distinct_ngrams, sum_normalized
from usetune.encoders.use.ngrams import NgramConvolution, NgramTables, TokenTables

# Tokens, about, that are computed at a time, unless a quarter of all are fewer: short
# runs share fewer n-grams, and each shape of a product takes oneDNN time to prepare.
_RUN = 8192
# Runs at once, at most: each takes some 60 MB. Its products use all cores anyway.
_THREADS = 4


def sum_features(
    tables: TokenTables,
    index: np.ndarray,
    splits: np.ndarray,
    ngrams: Sequence[NgramConvolution],
) -> np.ndarray:
    """Features of the tokens, normalised and summed over each text.

    Args:
        tables: what depends on a token alone.
        index: row of the tables for each token, int32 (tokens,).
        splits: where each text starts, and the last one ends, int64 (texts + 1,).
        ngrams: the layers of each n-gram.

    Returns:
        float32 (texts, features): what `NormalizedSum.affine` takes.
    """
    embedded, moments = np.asarray(tables.embedded), np.asarray(tables.moments)
    width = embedded.shape[1] + sum(ngram.channels for ngram in ngrams)
    out = np.empty((len(splits) - 1, width), np.float32)

    def compute(texts: slice) -> None:
        own = splits[texts.start : texts.stop + 1]
        rows, starts = index[own[0] : own[-1]], own - own[0]
        second = tuple(
            _second(ngram, table, rows, starts)
            for ngram, table in zip(ngrams, tables.ngrams, strict=True)
        )
        sum_normalized(rows, starts, embedded, moments, second, out[texts])

    with ThreadPoolExecutor(min(_cores(), _THREADS)) as pool:
        for _ in pool.map(compute, _runs(splits)):
            pass
    return out


def _second(
    ngram: NgramConvolution,
    tables: NgramTables,
    rows: np.ndarray,
    splits: np.ndarray,
) -> Convolution:
    """The second convolution of some texts' tokens, by their rows of the tables."""
    first = _convolution(ngram, tables, rows, 0)
    number, x = distinct_ngrams(first, splits)
    return _convolution(ngram, ngram.second_tables(x), number, 1)


def _convolution(
    ngram: NgramConvolution, tables: NgramTables, rows: np.ndarray, which: int
) -> Convolution:
    own, products = np.asarray(tables.own), np.asarray(tables.products)
    if products.dtype != np.float32:
        products = products.view(np.uint16)
    bias = np.asarray(ngram.convolutions[which].bias.value)
    return Convolution(rows, ngram.left, own, products, bias)


def _runs(splits: np.ndarray) -> Iterator[slice]:
    """Cut texts into runs of alike numbers of tokens that hold one text at least."""
    run = splits[:-1] // min(_RUN, -(-splits[-1] // 4))
    starts = [0, *np.flatnonzero(np.diff(run)) + 1, len(run)]
    yield from map(slice, starts[:-1], starts[1:])


def _cores() -> int:
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return chosen or os.cpu_count() or 1
