"""The share of the nearest rows that an approximate index finds."""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from usetune.corpus.embedded import EmbeddedCorpus
from usetune.corpus.index import CorpusIndex
from usetune.evaluation.bootstrap import intervals
from usetune.search.exact import nearest

# Inner products of one pair, computed in two ways, differ by less.
_ROUNDING = 1e-6
_SAMPLES = 1000


def recall_table(
    index: CorpusIndex,
    corpus: EmbeddedCorpus,
    queries: np.ndarray,
    settings: Sequence[str],
    count: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare an index with the exact search.

    A row that is found counts if its inner product with the query is among the
    ``count`` largest, so that of equal rows any will do.

    Args:
        index: an index of `build_index`.
        corpus: the corpus that it was made of.
        queries: float array (queries, dim), not rows of the corpus: the nearest of
            those is easy to find.
        settings: the settings to compare, see `CorpusIndex.nearest`. The index keeps
            the last one.
        count: number of rows to find.
        seed: seed of the samples of queries that give the intervals.

    Returns:
        DataFrame, "exact" first, then each setting: setting, recall in [0, 1] (the
        share of the nearest that is found), low and high (its 95 % interval), seconds
        (to search with all queries; reading the files is part of "exact") and n (the
        number of queries).

    Raises:
        ValueError: if the index does not have a setting, or as
            `usetune.search.nearest`.
    """
    queries = np.asarray(queries, np.float32)
    started = time.perf_counter()
    _, best = nearest(queries, corpus, count)
    seconds = {"exact": time.perf_counter() - started}
    recalls = {"exact": np.ones(len(queries))}
    for setting in settings:
        started = time.perf_counter()
        rows, _ = index.nearest(queries, count, setting)
        seconds[setting] = time.perf_counter() - started
        recalls[setting] = _recall(rows, corpus, queries, best[:, -1])
    hits = pd.DataFrame(recalls)
    table = intervals(
        lambda rows: hits.iloc[rows].mean().to_dict(), len(queries), _SAMPLES, seed
    )
    table = table.rename(columns={"value": "recall"})
    table["seconds"] = pd.Series(seconds)
    return table.assign(n=len(queries)).rename_axis("setting").reset_index()


def _recall(
    rows: np.ndarray, corpus: EmbeddedCorpus, queries: np.ndarray, least: np.ndarray
) -> np.ndarray:
    """The share of each query's rows whose scores are at least ``least`` (queries,)."""
    is_hit = rows >= 0
    query, _ = np.nonzero(is_hit)
    found, place = np.unique(rows[is_hit], return_inverse=True)
    embeddings = corpus[found].astype(np.float64)[place]
    scores = np.einsum("nd,nd->n", queries[query], embeddings)
    is_hit[is_hit] = scores >= least[query] - _ROUNDING
    return is_hit.mean(axis=1)
