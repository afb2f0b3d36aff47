"""An approximate index of a corpus, by FAISS, and how much of the nearest it finds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from usetune._utils.extras import require
from usetune._utils.files import check_new, replacing
from usetune._utils.manifest import ManifestFormat
from usetune.corpus.embedded import EmbeddedCorpus
from usetune.evaluation.bootstrap import bootstrap, interval_table
from usetune.search.exact import nearest

_INDEX = "index.faiss"
# Of what it was made is what reading gives.
_MANIFEST: ManifestFormat[str] = ManifestFormat(
    "usetune-index", "usetune-index.json", 1, lambda content: content["corpus"]
)
_CONSTRUCTION = "efConstruction=200"
# Embeddings that are added to an index at a time.
_ROWS = 10_000
# Inner products of one pair, computed in two ways, differ by less.
_ROUNDING = 1e-6
_SAMPLES = 1000


def build_index(
    corpus: EmbeddedCorpus,
    filepath: str | Path,
    description: str = "HNSW32_SQ8",
    settings: str | None = None,
    *,
    training_rows: int = 100_000,
    seed: int = 0,
) -> Any:
    """Make an index for the inner product, and write it to a folder.

    The index is held in memory; the corpus is read part by part.

    Args:
        corpus: what to search in.
        filepath: a new folder, that `load_index` reads.
        description: of the index, in FAISS's language (its wiki, "The index factory").
            "HNSW32_SQ8" is a graph over codes of 8 bits: dim + 280 bytes a row;
            "IVF4096,SQ8" looks through lists of near rows: dim + 8 bytes, and is built
            sooner; for what fits no memory otherwise, "OPQ64_256,IVF65536,PQ64" keeps
            64 + 8 bytes.
        settings: to build with, such as "efConstruction=500". Default: 200 for graphs;
            FAISS's own 40 is quick, and finds far less where rows are much alike.
        training_rows: drawn from the corpus to choose levels and lists; FAISS wants 39
            for each list.
        seed: of the draw.

    Returns:
        A ``faiss.Index``: its ``search(queries, count)`` gives scores and row numbers,
        the best first, -1 where it found no further row. Row numbers are those of
        ``corpus.rows``. ``faiss.ParameterSpace().set_index_parameters(index,
        "efSearch=256")`` sets how far it looks; see `recall_table`.

    Raises:
        ImportError: if FAISS is not installed.
        FileExistsError: if ``filepath`` exists and is not an empty folder.
        ValueError: if FAISS refuses the description or the settings, or needs more
            rows to train on, or ``training_rows`` is below 1.
    """
    faiss = require("faiss", "search", "an approximate index")
    check_new(filepath)
    if training_rows < 1:
        raise ValueError(f"training_rows must be at least 1. Received: {training_rows}")
    count = min(training_rows, len(corpus))
    drawn = np.random.default_rng(seed).choice(len(corpus), count, replace=False)
    try:
        index = faiss.index_factory(corpus.dim, description, faiss.METRIC_INNER_PRODUCT)
        if settings is None:
            settings = _CONSTRUCTION if "HNSW" in description else ""
        faiss.ParameterSpace().set_index_parameters(index, settings)
        index.train(corpus[np.sort(drawn)])
    except RuntimeError as error:
        raise ValueError(
            "description and settings must be ones that FAISS reads, and can train on "
            f"{count} rows. Received: {description!r} and {settings!r} "
            f"({str(error).splitlines()[-1]})"
        ) from error
    with tqdm(total=len(corpus), desc="build_index", unit="row", delay=3) as bar:
        for start in range(0, len(corpus), _ROWS):
            rows = corpus[start : start + _ROWS]
            index.add(rows)
            bar.update(len(rows))
    with replacing(filepath) as folder:
        folder.mkdir()
        faiss.write_index(index, str(folder / _INDEX))
        fields = {"corpus": corpus.identity, "description": description}
        _MANIFEST.write(folder, fields)
    return index


def load_index(filepath: str | Path, corpus: EmbeddedCorpus) -> Any:
    """Read what `build_index` wrote.

    Args:
        filepath: the folder.
        corpus: what the index was made of.

    Returns:
        A ``faiss.Index``.

    Raises:
        ImportError: if FAISS is not installed.
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no index, a damaged one, or one of another corpus.
    """
    faiss = require("faiss", "search", "an approximate index")
    folder = Path(filepath)
    if not folder.is_dir():
        raise FileNotFoundError(f"filepath must be a folder. Received: {filepath}")
    try:
        made_of = _MANIFEST.read(folder)
        index = faiss.read_index(str(folder / _INDEX))
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{filepath} is no whole index: {error}") from error
    if (made_of, index.ntotal) != (corpus.identity, len(corpus)):
        raise ValueError(
            f"{filepath} was made of another corpus than {corpus.folder}: "
            f"{index.ntotal} rows, where {len(corpus)} are now"
        )
    return index


def recall_table(
    index: Any,
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
        index: of `build_index`.
        corpus: what it was made of.
        queries: float array (queries, dim), not rows of the corpus: the nearest of
            those is easy to find.
        settings: of the index, in FAISS's language: "efSearch=64" of a graph,
            "nprobe=32" of lists. The index keeps the last one.
        count: how many to find.
        seed: of the intervals' samples of queries.

    Returns:
        DataFrame, "exact" first, then each setting: setting, recall in [0, 1] (the
        share of the nearest that is found), low and high (its 95 % interval), seconds
        (to search with all queries; reading the files is part of "exact") and n (the
        number of queries).

    Raises:
        ValueError: if a setting is not of the index, or as `usetune.search.nearest`.
    """
    faiss = require("faiss", "search", "an approximate index")
    queries = np.ascontiguousarray(queries, np.float32)
    started = time.perf_counter()
    _, best = nearest(queries, corpus, count)
    seconds = {"exact": time.perf_counter() - started}
    found = {}
    for setting in settings:
        try:
            faiss.ParameterSpace().set_index_parameters(index, setting)
        except RuntimeError as error:
            raise ValueError(
                f"settings must be of the index. Received: {setting!r} "
                f"({str(error).splitlines()[-1]})"
            ) from error
        started = time.perf_counter()
        _, found[setting] = index.search(queries, count)
        seconds[setting] = time.perf_counter() - started
    hits = {"exact": np.ones(len(queries))}
    hits |= _recalls(found, corpus, queries, best[:, -1])
    hits = pd.DataFrame(hits)
    drawn = bootstrap(
        lambda rows: hits.iloc[rows].mean().to_dict(), len(queries), _SAMPLES, seed
    )
    table = interval_table({"recall": hits.mean().to_dict()}, drawn)
    table["seconds"] = pd.Series(seconds)
    return table.assign(n=len(queries)).rename_axis("setting").reset_index()


def _recalls(
    found: dict[str, np.ndarray],
    corpus: EmbeddedCorpus,
    queries: np.ndarray,
    least: np.ndarray,
) -> dict[str, np.ndarray]:
    """For each setting and query, the share of rows that score at least so much."""
    every = [np.empty(0, np.int64), *(rows.ravel() for rows in found.values())]
    wanted = np.unique(np.concatenate(every))
    wanted = wanted[wanted >= 0]
    embeddings = corpus[wanted].astype(np.float64)
    recalls = {}
    for setting, rows in found.items():
        is_hit = rows >= 0
        query, _ = np.nonzero(is_hit)
        own = embeddings[np.searchsorted(wanted, rows[is_hit])]
        scores = np.einsum("nd,nd->n", queries[query], own)
        is_hit[is_hit] = scores >= least[query] - _ROUNDING
        recalls[setting] = is_hit.mean(axis=1)
    return recalls
