"""`encode` on a processor: texts in runs whose numbers stay in its caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from usetune.encoders.use.kernels import Convolution, distinct_ngrams, sum_normalized
from usetune.encoders.use.layers import NormalizedSum
from usetune.encoders.use.ngrams import NgramConvolution
from usetune.encoders.use.products import Buffers, cores, padded
from usetune.encoders.use.run_products import RunProducts

# Runs at once: each takes some 30 MB.
_MOST_RUNS = 4


def embed_runs(
    token_rows: np.ndarray,
    index: np.ndarray,
    splits: np.ndarray,
    ngrams: Sequence[NgramConvolution],
    normalization: NormalizedSum,
    products: RunProducts,
) -> np.ndarray:
    """Texts, as distinct tokens, to embeddings.

    Args:
        token_rows: of the embedding table, of the distinct tokens, float32
            (distinct, dim).
        index: which of them each token is, int32 (tokens,).
        splits: where each text starts, and the last one ends, int64 (texts + 1,).
        ngrams: the layers of each n-gram.
        normalization: of the features of the tokens.
        products: what multiplies.

    Returns:
        Float32 (texts, dim).
    """
    tables = products.first(token_rows)
    gamma, beta = (np.asarray(w.value) for w in normalization.weights)
    firsts = [
        Convolution(
            index,
            ngram.left,
            own.own,
            own.products,
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
            tables.embedded,
            tables.moments,
            tuple(convolutions),
            gamma,
            beta,
            total,
        )
        return products.finish(total, lengths)[:size]

    with ThreadPoolExecutor(min(products.runs_per_core * cores(), _MOST_RUNS)) as pool:
        return np.concatenate(list(pool.map(embed, _runs(splits, products.run_tokens))))


def _bias(ngram: NgramConvolution, which: int) -> np.ndarray:
    return np.asarray(ngram.convolutions[which].bias.value)


def _runs(splits: np.ndarray, tokens: int) -> Iterator[slice]:
    """Cut texts into runs of so many tokens, or a quarter of all, or one text."""
    run = splits[:-1] // min(tokens, -(-splits[-1] // 4))
    starts = [0, *np.flatnonzero(np.diff(run)) + 1, len(run)]
    yield from map(slice, starts[:-1], starts[1:])
