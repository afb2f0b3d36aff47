"""How small embeddings can be made: what they find, by dimensions and precision."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least, check_choice
from usetune.evaluation.ranking import (
    Relevant,
    grades,
    relevant_ranks,
    retrieval_metrics,
)
from usetune.search.binary import nearest_binary
from usetune.search.exact import nearest
from usetune.search.quantization import QuantizedCorpus, Quantizer
from usetune.similarity import unit_length

PRECISIONS = ("float32", "float16", "int8", "binary", "binary, rescored")

_METRICS = ["recall@1", "mrr@10"]
# How deep to search.
_COUNT = 10

Search = Callable[[np.ndarray, Any, int], tuple[np.ndarray, np.ndarray]]


def size_table(
    queries: np.ndarray,
    corpus: np.ndarray,
    relevant: Iterable[Relevant],
    dims: Sequence[int],
    precisions: Sequence[str] = PRECISIONS,
    rescore: int = 4,
    repeats: int = 3,
) -> pd.DataFrame:
    """Search with embeddings cut and quantised, and measure what is found and how fast.

    Embeddings are cut to their first components and divided by their length again. Only
    the corpus is quantised, calibrated on itself; queries keep their numbers, but for
    the bits that "binary" compares.

    Args:
        queries: float array (queries, dim).
        corpus: float array (documents, dim).
        relevant: for each query the rows of ``corpus`` that answer it, at least one;
            or row → grade, see `relevant_ranks`.
        dims: how many components to keep.
        precisions: of `PRECISIONS`.
        rescore: of "binary, rescored", see `nearest_binary`.
        repeats: searches, of whose times the median is taken.

    Returns:
        DataFrame with a row for each dim and precision: dim, precision, bytes (of an
        embedding), recall@1 and mrr@10 in [0, 1], the two as a share of those at full
        size ("recall@1 share", "mrr@10 share"; full size is all dims in float32),
        seconds (to search with 1,000 queries) and n (the number of queries).

    Raises:
        ValueError: if an argument is out of range, shapes do not fit, a number is not
            finite, an embedding has length 0, or a relevant document is not there.
    """
    for precision in precisions:
        check_choice("precisions", precision, PRECISIONS)
    check_at_least("rescore", rescore)
    check_at_least("repeats", repeats)
    queries, corpus = np.asarray(queries), np.asarray(corpus)
    if queries.ndim != 2 or corpus.ndim != 2 or queries.shape[1] != corpus.shape[1]:
        raise ValueError(
            "queries and corpus must be arrays (n, dim) of one dim. "
            f"Received: shapes {queries.shape} and {corpus.shape}"
        )
    full_dim = corpus.shape[1]
    if not all(1 <= dim <= full_dim for dim in dims):
        raise ValueError(f"dims must be from 1 to {full_dim}. Received: {list(dims)}")
    answers = [grades(rows) for rows in relevant]
    outside = {row for rows in answers for row in rows} - {*range(len(corpus))}
    if outside:
        raise ValueError(
            f"relevant must name rows of the corpus, 0 to {len(corpus) - 1}. "
            f"Received: {sorted(outside)[:5]}"
        )
    count, n = min(_COUNT, len(corpus)), len(queries)
    whole = _first(queries, full_dim, "queries"), _first(corpus, full_dim, "corpus")
    # With nothing found at full size there is no share: NaN.
    full = _metrics(nearest(*whole, count)[0], answers).replace(0, np.nan)
    table = []
    for dim in dims:
        own_queries = _first(queries, dim, "queries")
        own_corpus = _first(corpus, dim, "corpus")
        for precision in precisions:
            search, documents, size = _prepared(own_corpus, precision, rescore)
            seconds = []
            for _ in range(repeats):
                start = time.perf_counter()
                found, _ = search(own_queries, documents, count)
                seconds.append(time.perf_counter() - start)
            metrics = _metrics(found, answers)
            shares = (metrics / full).add_suffix(" share")
            row = {"dim": dim, "precision": precision, "bytes": size}
            row |= {**metrics, **shares}
            row |= {"seconds": np.median(seconds) * 1000 / n, "n": n}
            table.append(row)
    return pd.DataFrame(table)


def _first(embeddings: np.ndarray, dim: int, name: str) -> np.ndarray:
    """The first ``dim`` components, divided by their length."""
    cut = embeddings[:, :dim].astype(np.float32)
    faulty = np.flatnonzero(~np.isfinite(cut).all(axis=1) | ~cut.any(axis=1))
    if faulty.size:
        raise ValueError(
            f"{name} must be finite, and not zero in the first {dim} components. "
            f"Received: others in the rows {faulty[:5].tolist()}"
        )
    return unit_length(cut)


def _prepared(
    corpus: np.ndarray, precision: str, rescore: int
) -> tuple[Search, Any, int]:
    """What searches, in what, and the bytes of an embedding in it."""
    if precision.startswith("float"):
        floats = corpus.astype(precision)
        return nearest, floats, floats[0].nbytes
    quantizer = Quantizer(precision.split(",")[0]).fit(corpus)
    documents = QuantizedCorpus(quantizer, quantizer.quantize(corpus))
    if precision == "int8":
        search = nearest
    else:
        rescored = rescore if "rescored" in precision else 0
        search = partial(nearest_binary, rescore=rescored)
    return search, documents, quantizer.bytes_per_embedding


def _metrics(found: np.ndarray, relevant: Sequence[Relevant]) -> pd.Series:
    return retrieval_metrics(relevant_ranks(found, relevant))[_METRICS].mean()
