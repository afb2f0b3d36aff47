"""Exact search on embeddings, and measures of how well it finds what is relevant."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

# Scores of one block, in numbers: bounds the memory beside the embeddings.
_BLOCK = 4_000_000


def nearest(
    queries: np.ndarray,
    corpus: Any,
    count: int,
    chunk_size: int = 10_000,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the documents of the largest inner products with each query.

    Scores are computed in float64 and rounded to float32, so that equal documents
    have equal scores, whatever the chunks. Beside what is given and returned, this
    takes memory for one chunk only.

    Args:
        queries: float array (queries, dim).
        corpus: the documents: anything with ``len()`` whose slices are float arrays
            (documents, dim), such as an array or a file that `numpy.memmap` maps;
            or an iterable without ``len()`` that gives such arrays part by part, such
            as ``(encoder.encode(part) for part in parts)``.
        count: how many to find, at most the size of the corpus.
        chunk_size: documents that are compared at a time.

    Returns:
        Row numbers of the corpus (int64) and scores (float32), both (queries, count),
        the best first; of equal scores, the earlier row first.

    Raises:
        ValueError: if shapes do not fit, a number is not finite, the corpus is empty,
            ``count`` is not between 1 and its size, or ``chunk_size`` is below 1.
    """
    queries = np.asarray(queries)
    if queries.ndim != 2 or not np.isfinite(queries).all():
        raise ValueError(
            "queries must be an array (queries, dim) of finite numbers. Received: "
            f"shape {queries.shape}, {np.sum(~np.isfinite(queries))} of them not finite"
        )
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1. Received: {chunk_size}")
    _check_count(count, len(corpus) if hasattr(corpus, "__len__") else None)
    rows = np.zeros((len(queries), count), dtype=np.int64)
    best = np.full((len(queries), count), -np.inf, dtype=np.float32)
    size = 0
    for documents in _chunks(corpus, chunk_size):
        if documents.ndim != 2 or documents.shape[1] != queries.shape[1]:
            raise ValueError(
                f"corpus must give arrays (documents, {queries.shape[1]}), as long as "
                f"the queries. Received: shape {documents.shape}"
            )
        documents = documents.astype(np.float64)
        step = max(1, _BLOCK // max(1, len(documents)))
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            scores = _scores(queries[block], documents, size)
            _merge(rows[block], best[block], scores, size)
        size += len(documents)
    _check_count(count, size)
    return rows, best


def _check_count(count: int, size: int | None) -> None:
    if size == 0:
        raise ValueError("corpus must hold at least one document. Received: none")
    if count < 1 or (size is not None and count > size):
        known = "" if size is None else f"{size}, "
        raise ValueError(
            f"count must be between 1 and {known}the size of the corpus. "
            f"Received: {count}"
        )


def _chunks(corpus: Any, chunk_size: int) -> Iterator[np.ndarray]:
    parts = [corpus] if hasattr(corpus, "__len__") else corpus
    for part in parts:
        for start in range(0, len(part), chunk_size):
            yield np.asarray(part[start : start + chunk_size])


def _scores(queries: np.ndarray, documents: np.ndarray, start: int) -> np.ndarray:
    # What is not finite shows in the scores, and is cheaper to look for there.
    with np.errstate(over="ignore", invalid="ignore"):
        scores = (queries.astype(np.float64) @ documents.T).astype(np.float32)
    faulty = np.flatnonzero(~np.isfinite(scores).all(axis=0))
    if faulty.size:
        raise ValueError(
            "corpus must hold finite numbers whose inner products with the queries "
            f"fit float32. Received: others in the rows {(faulty[:5] + start).tolist()}"
        )
    return scores


def _merge(rows: np.ndarray, best: np.ndarray, scores: np.ndarray, start: int) -> None:
    """Let new documents into the best of each query, in place.

    Args:
        rows: of the best so far, (queries, count).
        best: their scores, in descending order.
        scores: of the new documents, (queries, documents).
        start: row of the first new document; all rows so far are before it.
    """
    count = rows.shape[1]
    for own_rows, own_best, new in zip(rows, best, scores, strict=True):
        # A later document of equal score comes after all that are there.
        better = np.flatnonzero(new > own_best[-1])
        if not better.size:
            continue
        if better.size > count:
            least = np.partition(new[better], -count)[-count]
            better = better[new[better] >= least]
        merged = np.concatenate([own_best, new[better]])
        # A stable sort of the negated scores keeps the order of the corpus in ties.
        order = np.argsort(-merged, kind="stable")[:count]
        own_best[:] = merged[order]
        own_rows[:] = np.concatenate([own_rows, better + start])[order]


def relevant_ranks(
    found: np.ndarray, relevant: Sequence[Iterable[int]]
) -> pd.DataFrame:
    """Look up where the relevant documents of each query come.

    Args:
        found: int array (queries, depth), row numbers as `nearest` returns them.
        relevant: for each query the rows of the corpus that answer it, at least one.

    Returns:
        DataFrame query, document (row numbers) and rank (float, from 1; NaN if it is
        not among the found), one row for each query and relevant document.

    Raises:
        ValueError: if the two differ in length, or a query has no relevant document.
    """
    if len(relevant) != len(found):
        raise ValueError(
            "found and relevant must have an entry for each query. "
            f"Received: {len(found)} and {len(relevant)}"
        )
    ranks = []
    for query, (row, documents) in enumerate(zip(found, relevant, strict=True)):
        place = {document: rank for rank, document in enumerate(row.tolist(), start=1)}
        own = sorted(set(documents))
        if not own:
            raise ValueError(
                f"relevant must name documents of each query. Received: none of {query}"
            )
        ranks += [(query, document, place.get(document, np.nan)) for document in own]
    return pd.DataFrame(ranks, columns=["query", "document", "rank"])


def retrieval_measures(
    ranks: pd.DataFrame, ks: Sequence[int] = (1, 10)
) -> pd.DataFrame:
    """Measures of each query from the ranks of its relevant documents.

    Of the first k documents, the hits are those that are relevant:

    - accuracy@k: 1 if there is a hit, otherwise 0;
    - precision@k: hits / k, also where the corpus is smaller than k;
    - recall@k: hits / relevant documents;
    - mrr@k: 1 / rank of the first hit, 0 if there is none;
    - ndcg@k: the sum of 1 / log2(rank + 1) over the hits, as a share of its largest
      possible value (Järvelin and Kekäläinen, 2002, with gains of 0 and 1);
    - map@k: the sum of the precisions at the ranks of the hits, divided by k or, where
      they are fewer, the relevant documents. NOTE: trec_eval divides by the relevant
      documents, so its figure is smaller where they are more than k.

    Args:
        ranks: as `relevant_ranks` returns. The search must have gone as deep as the
            largest k, or through the whole corpus.
        ks: cuts, from 1.

    Returns:
        DataFrame indexed by query, these columns for each k, all in [0, 1].

    Raises:
        ValueError: if a cut is below 1.
    """
    if min(ks) < 1:
        raise ValueError(f"ks must be at least 1. Received: {list(ks)}")
    ranks = ranks.sort_values(["query", "rank"])
    query, rank = ranks["query"], ranks["rank"]
    by_query = rank.groupby(query)
    first, relevant = by_query.min(), by_query.size()
    precision = (by_query.cumcount() + 1) / rank
    gain = 1 / np.log2(rank + 1)
    columns = {}
    for k in ks:
        is_hit = rank <= k
        hits = is_hit.groupby(query).sum()
        most = relevant.clip(upper=k)
        ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
        columns[f"accuracy@{k}"] = (hits > 0).astype(float)
        columns[f"precision@{k}"] = hits / k
        columns[f"recall@{k}"] = hits / relevant
        columns[f"mrr@{k}"] = (1 / first).where(first <= k, 0.0)
        gains = gain.where(is_hit, 0.0).groupby(query).sum()
        columns[f"ndcg@{k}"] = gains / ideal[most - 1]
        columns[f"map@{k}"] = precision.where(is_hit, 0.0).groupby(query).sum() / most
    return pd.DataFrame(columns)
