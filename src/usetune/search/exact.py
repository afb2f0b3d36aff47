"""Exact search: the documents of largest inner product with each query."""

from collections.abc import Iterator
from typing import Any

import numpy as np

# Number of scores that are computed at a time: bounds the memory.
_BLOCK = 4_000_000


def nearest(
    queries: np.ndarray,
    corpus: Any,
    count: int,
    chunk_size: int = 10_000,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the documents that have the largest inner products with each query.

    Scores are computed in float64 and rounded to float32, so that equal documents
    have equal scores, whatever the chunks. Beside what is given and returned, this
    takes memory for one chunk only.

    Args:
        queries: float array (queries, dim).
        corpus: the documents: anything with ``len()`` whose slices are float arrays
            (documents, dim), such as an array or a file that `numpy.memmap` maps;
            or an iterable without ``len()`` that gives such arrays part by part, such
            as ``(encoder.encode(part) for part in parts)``.
        count: number of documents to find, at most the size of the corpus.
        chunk_size: number of documents that are compared at a time.

    Returns:
        Row numbers of the corpus (int64) and scores (float32), both (queries, count),
        the best first; of equal scores, the earlier row first.

    Raises:
        ValueError: if shapes do not fit, a number is not finite, the corpus is empty,
            ``count`` is not between 1 and its size, or ``chunk_size`` is below 1.
    """
    queries = np.asarray(queries)
    check_rows("queries", queries)
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1. Received: {chunk_size}")
    check_count(count, len(corpus) if hasattr(corpus, "__len__") else None)
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
            scores = _scores(queries[start : start + step], documents, size)
            for query, new in enumerate(scores, start):
                rows[query], best[query] = merge(rows[query], best[query], new, size)
        size += len(documents)
    check_count(count, size)
    return rows, best


def check_rows(name: str, rows: np.ndarray, dim: int | None = None) -> None:
    """Check the rows of an argument.

    Args:
        name: name of the argument.
        rows: must be an array (n, dim) of finite numbers.
        dim: number of components that they must have. Default: any.

    Raises:
        ValueError: naming the argument, if they are something else.
    """
    faulty = np.sum(~np.isfinite(rows))
    if rows.ndim != 2 or dim not in (None, rows.shape[1]) or faulty:
        raise ValueError(
            f"{name} must be an array (n, {dim or 'dim'}) of finite numbers. "
            f"Received: shape {rows.shape}, {faulty} of them not finite"
        )


def check_count(count: int, size: int | None) -> None:
    """Check the number of documents to find.

    Args:
        count: must be between 1 and the size of the corpus.
        size: number of documents. Default: not known yet.

    Raises:
        ValueError: if ``count`` is out of range, or the corpus is empty.
    """
    if size == 0:
        raise ValueError("corpus must hold at least one document. Received: none")
    if count < 1 or (size is not None and count > size):
        known = "" if size is None else f"{size}, "
        raise ValueError(
            f"count must be between 1 and {known}the size of the corpus. "
            f"Received: {count}"
        )


def merge(
    rows: np.ndarray, best: np.ndarray, scores: np.ndarray, start: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add documents to the best ones of a query.

    Args:
        rows: rows of the best documents so far, (count,).
        best: their scores, in descending order.
        scores: scores of the new documents, (documents,).
        start: row of the first new document; all rows so far are before it.

    Returns:
        Rows and scores of the best documents now, both (count,); of equal scores, the
        earlier row first.
    """
    # A later document of equal score comes after all that are there.
    better = np.flatnonzero(scores > best[-1])
    if not better.size:
        return rows, best
    if better.size > len(rows):
        least = np.partition(scores[better], -len(rows))[-len(rows)]
        better = better[scores[better] >= least]
    merged = np.concatenate([best, scores[better]])
    # A stable sort of the negated scores keeps the order of the corpus in ties.
    order = np.argsort(-merged, kind="stable")[: len(rows)]
    return np.concatenate([rows, better + start])[order], merged[order]


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
