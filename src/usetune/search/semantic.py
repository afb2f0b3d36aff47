"""Semantic search, paraphrases and communities, by the cosine of embeddings.

The definitions are those of ``semantic_search``, ``paraphrase_mining_embeddings`` and
``community_detection`` in ``sentence_transformers.util``; where it leaves the order of
equal scores open, the earlier row comes first.
"""

from typing import Any

import numpy as np

from usetune._utils.checks import check_at_least
from usetune.search.exact import check_rows, nearest
from usetune.similarity import unit_length

# Number of documents that are divided by their lengths at a time.
_CHUNK = 10_000
# Number of cosines that are computed at a time.
_BLOCK = 4_000_000


def semantic_search(
    queries: np.ndarray, corpus: Any, top_k: int = 10
) -> list[list[dict[str, Any]]]:
    """Find the documents of the largest cosines with each query.

    `nearest` gives the same as arrays, for embeddings of unit length.

    Args:
        queries: float array (queries, dim), or (dim,) for a single query. Rows may have
            any length; the cosine with a row of zeros is 0.
        corpus: the documents: a float array (documents, dim), or anything with
            ``len()`` whose slices are such arrays.
        top_k: number of documents to find for each query; all of a smaller corpus.

    Returns:
        For each query a list of ``{"corpus_id": row, "score": cosine}``, the largest
        cosine first.

    Raises:
        ValueError: if shapes do not fit, a number is not finite, or ``top_k`` is below
            1.
    """
    check_at_least("top_k", top_k)
    parts = (
        _units(corpus[start : start + _CHUNK])
        for start in range(0, len(corpus), _CHUNK)
    )
    queries = np.atleast_2d(_units(queries))
    if not len(corpus):
        return [[] for _ in queries]
    rows, scores = nearest(queries, parts, min(top_k, len(corpus)))
    return [
        [{"corpus_id": row, "score": score} for row, score in zip(*own, strict=True)]
        for own in zip(rows.tolist(), scores.tolist(), strict=True)
    ]


def paraphrase_mining(
    embeddings: np.ndarray, top_k: int = 100, max_pairs: int = 500_000
) -> list[list[Any]]:
    """Find the pairs of rows that have the largest cosines.

    Args:
        embeddings: float array (n, dim), of any length.
        top_k: number of other rows that each row is paired with, the nearest ones.
        max_pairs: largest number of pairs to return, the best ones.

    Returns:
        ``[cosine, row, later row]`` for each pair, once, the largest cosine first.

    Raises:
        ValueError: if ``embeddings`` has another shape or no rows, a number is not
            finite, or ``top_k`` or ``max_pairs`` is below 1.
    """
    check_at_least("top_k", top_k)
    check_at_least("max_pairs", max_pairs)
    units = _units(embeddings)
    check_rows("embeddings", units)
    others, scores = nearest(units, units, min(top_k + 1, max(len(units), 1)))
    rows = np.arange(len(units))[:, None]
    is_other = others != rows
    # Where the row itself is not among them, for others that equal it, one too many is.
    is_other[is_other.all(axis=1), -1] = False
    pairs = np.stack([np.minimum(rows, others), np.maximum(rows, others)], -1)[is_other]
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    scores = scores[is_other][first]
    # A stable sort keeps the order of the rows in ties.
    best = np.argsort(-scores, kind="stable")[:max_pairs]
    found = zip(scores[best].tolist(), pairs[best].tolist(), strict=True)
    return [[score, *pair] for score, pair in found]


def community_detection(
    embeddings: np.ndarray, threshold: float = 0.75, min_community_size: int = 10
) -> list[list[int]]:
    """Find groups of rows that are close to one row of the group.

    Each row and all rows whose cosine with it is at least ``threshold`` are a
    candidate. The largest candidates come first, each without the rows that an earlier
    one has taken. This takes memory for one block of cosines.

    Args:
        embeddings: float array (n, dim), of any length.
        threshold: least cosine with the row at the centre, in [-1, 1].
        min_community_size: least number of rows in a group.

    Returns:
        The groups, the largest first, each a list of rows in the order of their cosines
        with the centre. No row is in two.

    Raises:
        ValueError: if ``embeddings`` has another shape, a number is not finite, or
            ``min_community_size`` is below 1.
    """
    check_at_least("min_community_size", min_community_size)
    if not len(embeddings):
        return []
    units = _units(embeddings)
    check_rows("embeddings", units)
    step = max(1, _BLOCK // len(units))
    counts = np.empty(len(units), np.int64)
    for start in range(0, len(units), step):
        block = slice(start, start + step)
        counts[block] = (_cosines(units[block], units) >= threshold).sum(axis=1)
    centres = np.argsort(-counts, kind="stable")[: np.sum(counts >= min_community_size)]
    free = np.arange(len(units))
    communities = []
    for start in range(0, len(centres), step):
        cosines = _cosines(units[centres[start : start + step]], units[free])
        is_free = np.ones(len(free), bool)
        for own in cosines:
            members = np.flatnonzero((own >= threshold) & is_free)
            if len(members) >= min_community_size:
                members = members[np.argsort(-own[members], kind="stable")]
                communities.append(free[members].tolist())
                is_free[members] = False
        free = free[is_free]
    return sorted(communities, key=len, reverse=True)


def _units(embeddings: np.ndarray) -> np.ndarray:
    return unit_length(np.asarray(embeddings, np.float64))


def _cosines(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # Rounded, so that equal rows have equal cosines, and 1 with each other.
    return (u @ v.T).astype(np.float32)
