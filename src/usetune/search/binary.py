"""Exact search in codes of one bit per dimension."""

from typing import Any

import numpy as np

from usetune.search.exact import check_count, merge
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
        count: number of documents to find, at most the size of the corpus.
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
    check_count(count, len(corpus))
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
    depth = min(count * max(rescore, 1), len(corpus))
    rows, common = _most_bits_in_common(queries, corpus, depth)
    if not rescore:
        return rows, common.astype(np.float32)
    # In the order of the corpus, which a stable sort keeps in ties.
    rows = np.sort(rows, axis=1)
    scores = np.empty(rows.shape, dtype=np.float32)
    for query, own, result in zip(queries, rows, scores, strict=True):
        # In float64, so that equal documents have equal scores.
        result[:] = documents[own].astype(np.float64) @ query.astype(np.float64)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(rows, order, axis=1)
    return best, np.take_along_axis(scores, order, axis=1)


def _most_bits_in_common(
    queries: np.ndarray, corpus: QuantizedCorpus, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and bits in common of the nearest codes; of equal ones, by row."""
    words = _words(corpus.quantizer.quantize(queries))
    rows = np.zeros((len(words), count), dtype=np.int64)
    best = np.full((len(words), count), -1, dtype=np.int32)
    for start in range(0, len(corpus), _CHUNK):
        # Transposed, so that the sum over the words runs along the documents.
        codes = np.ascontiguousarray(_words(corpus.codes[start : start + _CHUNK]).T)
        for query, word in enumerate(words):
            different = np.bitwise_count(codes ^ word[:, None])
            common = corpus.quantizer.dim - different.sum(axis=0, dtype=np.int32)
            rows[query], best[query] = merge(rows[query], best[query], common, start)
    return rows, best


def _words(codes: np.ndarray) -> np.ndarray:
    """Codes as integers of 64 bits, filled with zeros."""
    filled = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return filled.view(np.uint64)
