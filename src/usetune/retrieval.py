"""Ranking measures on embeddings: where the relevant documents of a query come."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

# Scores of one block, in numbers: bounds the memory beside the embeddings.
_BLOCK = 16_000_000


def relevant_ranks(
    queries: np.ndarray, corpus: np.ndarray, relevant: Sequence[Sequence[int]]
) -> pd.DataFrame:
    """Rank every relevant document of every query by the inner product.

    Scores are computed in float64 and rounded to float32, so that equal documents
    have equal scores. Documents of equal score come in the order of the corpus.

    Args:
        queries: float array (queries, dim).
        corpus: float array (documents, dim), at least one row.
        relevant: for each query the rows of ``corpus`` that answer it, at least one.

    Returns:
        DataFrame query, document (row numbers) and rank (int, from 1), one row for
        each query and relevant document.

    Raises:
        ValueError: if shapes do not fit, a number is not finite, or a query has no
            relevant document or one that is not in the corpus.
    """
    queries, corpus = np.asarray(queries), np.asarray(corpus)
    if queries.ndim != 2 or corpus.ndim != 2 or queries.shape[1] != corpus.shape[1]:
        raise ValueError(
            "queries and corpus must be arrays (n, dim) of one dim. "
            f"Received: {queries.shape} and {corpus.shape}"
        )
    if not np.isfinite(queries).all() or not np.isfinite(corpus).all():
        raise ValueError("queries and corpus must be finite numbers")
    if len(relevant) != len(queries):
        raise ValueError(f"{len(queries)} queries and {len(relevant)} of relevant")
    pairs = pd.DataFrame(
        [
            (query, document)
            for query, documents in enumerate(relevant)
            for document in sorted(set(documents))
        ],
        columns=["query", "document"],
        dtype=np.int64,
    )
    without = np.setdiff1d(np.arange(len(queries)), pairs["query"])
    if without.size:
        raise ValueError(f"queries without a relevant document: {without[:5].tolist()}")
    outside = ~pairs["document"].between(0, len(corpus) - 1)
    if outside.any():
        raise ValueError(
            f"relevant documents outside the corpus of {len(corpus)}: "
            f"{pairs.loc[outside, 'document'].tolist()[:5]}"
        )
    ranks = []
    by_query = pairs.groupby("query")["document"]
    for row, (_, own) in zip(_scores(queries, corpus), by_query, strict=True):
        for document in own:
            ahead = np.count_nonzero(row > row[document])
            ahead += np.count_nonzero(row[:document] == row[document])
            ranks.append(ahead + 1)
    return pairs.assign(rank=np.array(ranks, dtype=np.int64))


def _scores(queries: np.ndarray, corpus: np.ndarray) -> Iterator[np.ndarray]:
    """For each query its inner products with all documents, float32.

    They are computed in float64, so that equal documents have equal scores.
    """
    documents = corpus.astype(np.float64).T
    step = max(1, _BLOCK // len(corpus))
    for start in range(0, len(queries), step):
        block = queries[start : start + step].astype(np.float64)
        yield from (block @ documents).astype(np.float32)


def retrieval_measures(
    ranks: pd.DataFrame, ks: Sequence[int] = (1, 10)
) -> pd.DataFrame:
    """Measures of each query from the ranks of its relevant documents.

    recall@k is the share of the relevant documents among the first k; mrr@k is one
    over the rank of the first relevant document, 0 where that is beyond k.

    Args:
        ranks: as `relevant_ranks` returns.
        ks: cuts, from 1.

    Returns:
        DataFrame indexed by query, columns ``recall@k`` and ``mrr@k`` in [0, 1].
    """
    by_query = ranks.groupby("query")["rank"]
    first = by_query.min()
    columns = {}
    for k in ks:
        columns[f"recall@{k}"] = (ranks["rank"] <= k).groupby(ranks["query"]).mean()
        columns[f"mrr@{k}"] = (1 / first).where(first <= k, 0.0)
    return pd.DataFrame(columns)


def nearest(
    queries: np.ndarray, corpus: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The documents of the largest inner products with each query.

    Args:
        queries: float array (queries, dim).
        corpus: float array (documents, dim).
        count: how many, at most the size of the corpus.

    Returns:
        Row numbers of ``corpus`` and scores, (queries, count), the best first; of
        equal scores, the earlier row first.

    Raises:
        ValueError: if ``count`` is not between 1 and the size of the corpus.
    """
    if not 1 <= count <= len(corpus):
        raise ValueError(
            f"count must be between 1 and {len(corpus)}, the size of the corpus. "
            f"Received: {count}"
        )
    found, best = [], []
    for scores in _scores(queries, corpus):
        smallest = np.partition(scores, -count)[-count]
        rows = np.flatnonzero(scores >= smallest)
        # A stable sort of the negated scores keeps the order of the corpus in ties.
        rows = rows[np.argsort(-scores[rows], kind="stable")][:count]
        found.append(rows)
        best.append(scores[rows])
    return np.stack(found), np.stack(best)
