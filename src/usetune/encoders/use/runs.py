"""`encode` on a processor: texts in runs whose numbers stay in its caches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from usetune.encoders.use.kernels import Convolution, distinct_ngrams, sum_normalized
from usetune.encoders.use.layers import NormalizedSum
from usetune.encoders.use.ngrams import NgramConvolution, TokenTables
from usetune.encoders.use.products import Buffers, numbers, padded
from usetune.encoders.use.run_products import RunProducts

# Tokens, about, that are computed at a time, unless a quarter of all are fewer: short
# runs share fewer n-grams, and each shape of a product takes oneDNN time to prepare.
_RUN = 4096
# Runs at once: each takes some 30 MB.
_MOST_RUNS = 4


def embed_runs(
    tables: TokenTables,
    index: np.ndarray,
    splits: np.ndarray,
    ngrams: Sequence[NgramConvolution],
    normalization: NormalizedSum,
    products: RunProducts,
) -> np.ndarray:
    """Texts, as rows of tables, to embeddings.

    Args:
        tables: what depends on a token alone.
        index: row of the tables for each token, int32 (tokens,).
        splits: where each text starts, and the last one ends, int64 (texts + 1,).
        ngrams: the layers of each n-gram.
        normalization: of the features of the tokens.
        products: what multiplies.

    Returns:
        Float32 (texts, dim).
    """
    embedded, moments = np.asarray(tables.embedded), np.asarray(tables.moments)
    gamma, beta = (np.asarray(w.value) for w in normalization.weights)
    firsts = [
        Convolution(
            index,
            ngram.left,
            np.asarray(own.own),
            numbers(own.products),
            _bias(ngram, 0),
        )
        for ngram, own in zip(ngrams, tables.ngrams, strict=True)
    ]
    biases = [_bias(ngram, 1) for ngram in ngrams]
    buffers = Buffers()

    def embed(texts: slice) -> np.ndarray:
        own = splits[texts.start : texts.stop + 1]
        rows, starts, size = index[own[0] : own[-1]], own - own[0], len(own) - 1
        convolutions = []
        for ngram, first, bias in zip(ngrams, firsts, biases, strict=True):
            shape = (padded(rows.size), ngram.channels)
            x = buffers.of(ngram.order, shape, np.float32)
            number, count = distinct_ngrams(first._replace(rows=rows), starts, x)
            x = x[: padded(count)]
            x[count:] = 0
            second = Convolution(number, ngram.left, x, products.second(ngram, x), bias)
            convolutions.append(second)
        lengths = np.ones((padded(size), 1), np.float32)
        lengths[:size, 0] = np.diff(starts)
        total = np.zeros((len(lengths), gamma.size), np.float32)
        sum_normalized(
            rows,
            starts,
            embedded,
            moments,
            tuple(convolutions),
            gamma,
            beta,
            total,
        )
        return products.finish(total, lengths)[:size]

    with ThreadPoolExecutor(min(products.runs_per_core * _cores(), _MOST_RUNS)) as pool:
        return np.concatenate(list(pool.map(embed, _runs(splits))))


def _bias(ngram: NgramConvolution, which: int) -> np.ndarray:
    return np.asarray(ngram.convolutions[which].bias.value)


def _runs(splits: np.ndarray) -> Iterator[slice]:
    """Cut texts into runs of alike numbers of tokens that hold one text at least."""
    run = splits[:-1] // min(_RUN, -(-splits[-1] // 4))
    starts = [0, *np.flatnonzero(np.diff(run)) + 1, len(run)]
    yield from map(slice, starts[:-1], starts[1:])


def _cores() -> int:
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return chosen or os.cpu_count() or 1
