"""Exact search in codes of one bit per dimension."""

from typing import Any

import numpy as np

from usetune.search.quantization import QuantizedCorpus

# Documents whose bits are compared at a time: they stay in the processor's cache.
_CHUNK = 4096


def nearest_binary(
    queries: np.ndarray,
    corpus: QuantizedCorpus,
    count: int,
    rescore: int = 0,
    rescore_with: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the documents whose codes have most bits in common with the query's.

    The search looks at every document. With ``rescore``, the best ``rescore × count``
    are put in order by the inner product of the query, as it is, with their
    embeddings (Yamada et al., "Efficient Passage Retrieval with Hashing for
    Open-domain Question Answering", 2021, section 3.2). NOTE: there a bit stands for
    -1 or 1 in every dimension, here for what `Quantizer` says.

    Args:
        queries: float array (queries, dim), rows of unit length.
        corpus: the documents, of binary precision.
        count: how many to find, at most the size of the corpus.
        rescore: candidates for each document wanted; 0 keeps the order of the bits.
        rescore_with: the documents' embeddings, in the rows of ``corpus``: an array, or
            a `QuantizedCorpus` of int8 precision, say. Default: ``corpus``.

    Returns:
        Row numbers of the corpus (int64) and scores (float32), both (queries, count),
        the best first; of equal scores, the earlier row first. Scores are the bits in
        common, of dim, or with ``rescore`` the inner products.

    Raises:
        ValueError: if ``corpus`` is not binary, ``count`` or ``rescore`` is out of
            range, or shapes do not fit.
    """
    if corpus.quantizer.precision != "binary":
        raise ValueError(
            f"corpus must be of binary precision. Received: "
            f"{corpus.quantizer.precision!r}"
        )
    if not 1 <= count <= len(corpus):
        raise ValueError(
            f"count must be between 1 and {len(corpus)}, the size of the corpus. "
            f"Received: {count}"
        )
    if rescore < 0:
        raise ValueError(f"rescore must be at least 0. Received: {rescore}")
    documents = corpus if rescore_with is None else rescore_with
    shape = (len(documents), *documents[:1].shape[1:])
    if shape != (len(corpus), corpus.quantizer.dim):
        raise ValueError(
            "rescore_with must be the documents' embeddings, of shape "
            f"({len(corpus)}, {corpus.quantizer.dim}). Received: {shape}"
        )
    queries = np.asarray(queries)
    bits = corpus.quantizer.quantize(queries)
    depth = min(count * max(rescore, 1), len(corpus))
    rows, distances = _fewest_different_bits(bits, corpus.codes, depth)
    if not rescore:
        return rows, (corpus.quantizer.dim - distances).astype(np.float32)
    # In the order of the corpus, which a stable sort keeps in ties.
    rows = np.sort(rows, axis=1)
    scores = np.empty(rows.shape, dtype=np.float32)
    for query, own, result in zip(queries, rows, scores, strict=True):
        # In float64, so that equal documents have equal scores.
        result[:] = documents[own].astype(np.float64) @ query.astype(np.float64)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(rows, order, axis=1)
    return best, np.take_along_axis(scores, order, axis=1)


def _fewest_different_bits(
    queries: np.ndarray, codes: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and Hamming distances of the nearest codes, equal distances by row."""
    queries = _words(queries)
    rows = np.zeros((len(queries), count), dtype=np.int64)
    most = np.iinfo(np.uint16).max
    distances = np.full((len(queries), count), most, dtype=np.uint16)
    for start in range(0, len(codes), _CHUNK):
        # Transposed, so that the sum over the words runs along the documents.
        documents = np.ascontiguousarray(_words(codes[start : start + _CHUNK]).T)
        for query, own_rows, own in zip(queries, rows, distances, strict=True):
            different = np.bitwise_count(documents ^ query[:, None])
            different = different.sum(axis=0, dtype=np.uint16)
            # A later document of equal distance comes after all that are there.
            better = np.flatnonzero(different < own[-1])
            if better.size:
                merged = np.concatenate([own, different[better]])
                order = np.argsort(merged, kind="stable")[:count]
                own[:] = merged[order]
                own_rows[:] = np.concatenate([own_rows, better + start])[order]
    return rows, distances


def _words(codes: np.ndarray) -> np.ndarray:
    """Codes as integers of 64 bits, filled with zeros."""
    filled = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return filled.view(np.uint64)
