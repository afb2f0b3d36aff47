"""An approximate index of a corpus, by FAISS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from usetune._utils.extras import require
from usetune._utils.files import check_new, replacing
from usetune._utils.manifest import ManifestFormat
from usetune.corpus.embedded import EmbeddedCorpus

_INDEX = "index.faiss"
# Of what it was made is what reading gives.
_MANIFEST: ManifestFormat[str] = ManifestFormat(
    "usetune-index", "usetune-index.json", 1, lambda content: content["corpus"]
)
_CONSTRUCTION = "efConstruction=200"
# Embeddings that are added to an index at a time.
_ROWS = 10_000


class CorpusIndex:
    """An approximate index of a corpus, for the inner product.

    `build_index` and `load_index` make it.

    Args:
        faiss_index: a ``faiss.Index``.

    Attributes:
        faiss_index: as given.
    """

    def __init__(self, faiss_index: Any) -> None:
        self.faiss_index = faiss_index

    def __len__(self) -> int:
        return self.faiss_index.ntotal

    def nearest(
        self, queries: np.ndarray, count: int, setting: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find most of the rows of the largest inner products with each query.

        Args:
            queries: float array (queries, dim).
            count: how many to find, at most the size of the corpus.
            setting: how far to look, in FAISS's language: "efSearch=256" in a graph,
                "nprobe=32" in lists. It is kept. Default: the one kept so far.

        Returns:
            Row numbers of the corpus (int64) and scores (float32), both (queries,
            count), the best first, as `usetune.search.nearest` gives them; -1 and -inf
            where no further row was found.

        Raises:
            ValueError: if shapes do not fit, a number is not finite, ``count`` is not
                between 1 and the size of the corpus, or the setting is not one of
                this index.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        dim = self.faiss_index.d
        if queries.shape[1:] != (dim,) or not np.isfinite(queries).all():
            raise ValueError(
                f"queries must be an array (queries, {dim}) of finite numbers. "
                f"Received: shape {queries.shape}, {np.sum(~np.isfinite(queries))} of "
                "them not finite"
            )
        if not 1 <= count <= len(self):
            raise ValueError(
                f"count must be between 1 and {len(self)}, the size of the corpus. "
                f"Received: {count}"
            )
        if setting is not None:
            self._set(setting)
        scores, rows = self.faiss_index.search(queries, count)
        return rows, np.where(rows < 0, -np.inf, scores).astype(np.float32)

    def _set(self, setting: str) -> None:
        faiss = require("faiss", "search", "an approximate index")
        try:
            faiss.ParameterSpace().set_index_parameters(self.faiss_index, setting)
        except RuntimeError as error:
            raise ValueError(
                f"setting must be one of the index. Received: {setting!r} "
                f"({_reason(error)})"
            ) from error


def build_index(
    corpus: EmbeddedCorpus,
    filepath: str | Path,
    description: str = "HNSW32_SQ8",
    settings: str | None = None,
    *,
    training_rows: int = 100_000,
    seed: int = 0,
) -> CorpusIndex:
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
        The index, whose ``nearest`` gives row numbers of ``corpus``; `recall_table`
        says with which setting it finds how much.

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
            f"({_reason(error)})"
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
    return CorpusIndex(index)


def load_index(filepath: str | Path, corpus: EmbeddedCorpus) -> CorpusIndex:
    """Read what `build_index` wrote.

    Args:
        filepath: the folder.
        corpus: what the index was made of.

    Returns:
        The index.

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
    return CorpusIndex(index)


def _reason(error: RuntimeError) -> str:
    """What FAISS says, without its place in the source."""
    return str(error).splitlines()[-1]
