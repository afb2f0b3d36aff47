"""Exact search: the documents of largest inner product with each query."""

from collections.abc import Iterator
from typing import Any

import numpy as np

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
