"""An approximate index of a corpus, by FAISS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tqdm import tqdm

from usetune._utils.extras import require
from usetune._utils.files import check_new, replacing
from usetune._utils.manifest import Files, ManifestFormat
from usetune._utils.paths import expand
from usetune.corpus.embedded import EmbeddedCorpus
from usetune.search.exact import check_count, check_rows

_INDEX = "index.faiss"
# Reading it gives the identity of the corpus that the index was made of, and the files.
_MANIFEST: ManifestFormat[tuple[str, Files]] = ManifestFormat(
    "usetune-index",
    "usetune-index.json",
    2,
    ("corpus", "description"),
    lambda content: (content["corpus"], content["files"]),
    "build it again",
    lists_files=True,
)
_CONSTRUCTION = "efConstruction=200"
# Number of embeddings that are added to an index at a time.
_ROWS = 10_000


@dataclass(frozen=True, eq=False)
class CorpusIndex:
    """An approximate index of a corpus, for the inner product.

    `build_index` and `load_index` make it.

    Attributes:
        faiss_index: the ``faiss.Index``.
    """

    faiss_index: Any

    def __len__(self) -> int:
        return self.faiss_index.ntotal

    def nearest(
        self, queries: np.ndarray, count: int, setting: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find most of the rows that have the largest inner products with each query.

        Args:
            queries: float array (queries, dim).
            count: number of rows to find, at most the size of the corpus.
            setting: how far the index looks, in FAISS's language: "efSearch=256" in a
                graph, "nprobe=32" in lists. The index keeps it. Default: the last one.

        Returns:
            Row numbers of the corpus (int64) and scores (float32), both (queries,
            count), the best first, as `usetune.search.nearest` gives them; -1 and -inf
            where the index found no further row.

        Raises:
            ValueError: if shapes do not fit, a number is not finite, ``count`` is not
                between 1 and the size of the corpus, or the index does not have the
                setting.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        check_rows("queries", queries, self.faiss_index.d)
        check_count(count, len(self))
        if setting is not None:
            space = _faiss().ParameterSpace()
            try:
                space.set_index_parameters(self.faiss_index, setting)
            except RuntimeError as error:
                raise ValueError(
                    f"setting must be one of the index. Received: {setting!r} "
                    f"({_reason(error)})"
                ) from error
        scores, rows = self.faiss_index.search(queries, count)
        return rows, np.where(rows < 0, -np.inf, scores).astype(np.float32)


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
        corpus: the corpus to search in.
        filepath: a new folder, which `load_index` reads.
        description: the kind of index, in FAISS's language (its wiki, "The index
            factory"). "HNSW32_SQ8" is a graph over codes of 8 bits and takes dim + 280
            bytes a row. "IVF4096,SQ8" looks through lists of near rows, takes dim + 8
            bytes, and is built sooner. "OPQ64_256,IVF65536,PQ64" takes 64 + 8 bytes,
            for a corpus that fits no memory otherwise.
        settings: settings for building it, such as "efConstruction=500". Default: 200
            for graphs; FAISS's own 40 is quick, and finds far less where rows are much
            alike.
        training_rows: number of rows that are drawn from the corpus to choose levels
            and lists; FAISS wants 39 for each list.
        seed: seed of the draw.

    Returns:
        The index. Its ``nearest`` gives row numbers of ``corpus``; `recall_table`
        compares settings.

    Raises:
        ImportError: if FAISS is not installed.
        FileExistsError: if ``filepath`` exists and is not an empty folder.
        ValueError: if FAISS refuses the description or the settings, or needs more
            rows to train on, or ``training_rows`` is below 1.
    """
    faiss = _faiss()
    filepath = expand(filepath)
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
    """Read an index that `build_index` wrote.

    Args:
        filepath: the folder of the index.
        corpus: the corpus that the index was made of.

    Raises:
        ImportError: if FAISS is not installed.
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no index, a changed one, or one of another corpus.
    """
    faiss = _faiss()
    folder = expand(filepath)
    if not folder.is_dir():
        raise FileNotFoundError(f"filepath must be a folder. Received: {filepath}")
    try:
        made_of, files = _MANIFEST.read(folder)
        _MANIFEST.check_files(folder, files)
        # Nothing in the file is longer than the file, whatever it says of itself.
        size = (folder / _INDEX).stat().st_size
        faiss.set_deserialization_vector_byte_limit(size)
        index = faiss.read_index(str(folder / _INDEX))
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{filepath} is no whole index: {error}") from error
    if (made_of, index.ntotal) != (corpus.identity, len(corpus)):
        raise ValueError(
            f"{filepath} was made of another corpus than {corpus.folder}: "
            f"{index.ntotal} rows, where {len(corpus)} are now"
        )
    return CorpusIndex(index)


def _faiss() -> ModuleType:
    return require("faiss", "search", "an approximate index")


def _reason(error: RuntimeError) -> str:
    """What FAISS says, without the place in its source."""
    return str(error).splitlines()[-1]
