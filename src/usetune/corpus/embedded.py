"""Reading an embedded corpus, and searching in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from usetune._utils.digest import digest
from usetune._utils.paths import expand
from usetune.corpus.formats.base import EMBEDDING
from usetune.corpus.manifest import MANIFEST, QUANTIZER
from usetune.corpus.part import parquet_name
from usetune.encoders.base import Encoder
from usetune.encoders.identity import encoder_identity
from usetune.search.quantization import Quantizer


class EmbeddedCorpus:
    """An output of `embed_corpus`: a corpus that `usetune.search.nearest` searches in.

    ``nearest(queries, EmbeddedCorpus(folder), 10)`` is an exact search that reads the
    files one after the other; `usetune.corpus.build_index` makes a faster one. Rows are
    numbered from 0 in the order of the files. Rejected rows are not among them.

    Beside what is asked for, memory holds the embeddings of one part. All sizes of
    files are compared at once, the SHA-256 of a part when it is read first.

    Args:
        folder: the output.
        encoder: the encoder of the queries. It must be the one that embedded the
            corpus. Default: not checked.

    Attributes:
        folder: absolute path of the output.
        dim: components of an embedding.
        identity: SHA-256 of what the corpus was made of.

    Raises:
        FileNotFoundError: if the folder holds no embedded corpus, or lacks a file.
        ValueError: if parts are not embedded yet, a file is not the one that was
            written, or the encoder is another. A method that reads a part raises this
            too, where the file has been changed.
    """

    def __init__(self, folder: str | Path, encoder: Encoder | None = None) -> None:
        self.folder = expand(folder).absolute()
        if not (self.folder / MANIFEST.file).is_file():
            raise FileNotFoundError(
                f"folder must be the output of embed_corpus, with a {MANIFEST.file}. "
                f"Received: {folder}"
            )
        plan = MANIFEST.read(self.folder)
        names = [parquet_name(part) for part in plan.parts]
        if not plan.files:
            done = sum((self.folder / name).exists() for name in names)
            raise ValueError(
                f"{folder} has {done} of {len(names)} parts; the same call of "
                "embed_corpus as before goes on"
            )
        MANIFEST.check_files(self.folder, plan.files, measured=("size",))
        if encoder is not None and encoder_identity(encoder) != plan.request.encoder:
            raise ValueError(f"{folder} was embedded by another encoder than was given")
        self.dim = plan.dim
        self.identity = digest([asdict(plan.request), plan.types, len(names)])
        self._quantizer = None
        if QUANTIZER in plan.files:
            MANIFEST.check_files(self.folder, {QUANTIZER: plan.files[QUANTIZER]})
            self._quantizer = Quantizer.load(self.folder / QUANTIZER)
        self._names = names
        self._columns = [*plan.types]
        self._unread = {name: plan.files[name] for name in names}
        self._ends = np.cumsum(plan.rows)
        self._read: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Read the embeddings of some rows.

        Args:
            rows: a slice, or an int array of row numbers.

        Returns:
            float32 array (rows, dim); rows of codes are decoded, see
            `usetune.search.Quantizer.dequantize`.

        Raises:
            IndexError: if there is no row of a number.
        """
        numbers = self._numbers(rows)
        embeddings = np.empty((len(numbers), self.dim), np.float32)
        for part, places, own in self._by_part(numbers):
            codes = self._codes(part)[own]
            if self._quantizer is not None:
                codes = self._quantizer.dequantize(codes)
            embeddings[places] = codes
        return embeddings

    def rows(self, numbers: np.ndarray) -> pd.DataFrame:
        """Read rows of the corpus, without their embeddings.

        Args:
            numbers: int array of row numbers, as `usetune.search.nearest` finds them.

        Returns:
            DataFrame in the order of ``numbers``, which are its index.

        Raises:
            IndexError: if there is no row of a number.
        """
        numbers = self._numbers(numbers)
        tables, order = [], []
        for part, places, own in self._by_part(numbers):
            tables.append(self._table(part, self._columns).take(own))
            order.append(places)
        table = pa.concat_tables(tables).take(np.argsort(np.concatenate(order)))
        frame = table.to_pandas()
        if not isinstance(frame.index, pd.RangeIndex):
            # What pandas had made the index when it wrote the corpus.
            frame = frame.reset_index()
        return frame.set_axis(numbers)

    def _numbers(self, rows: slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        numbers = np.asarray(rows)
        if numbers.size == 0:
            return numbers.reshape(-1).astype(np.int64)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise IndexError(
                "rows must be a slice or an int array (n,). "
                f"Received: {numbers.dtype} {numbers.shape}"
            )
        outside = numbers[(numbers < 0) | (numbers >= len(self))]
        if outside.size:
            raise IndexError(
                f"rows must be from 0 to {len(self) - 1}. Received: {outside[:5]}"
            )
        return numbers.astype(np.int64)

    def _by_part(
        self, numbers: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Parts with such rows; where they stand in the numbers, and in the part."""
        parts = np.searchsorted(self._ends, numbers, "right")
        # No rows are read from the first part, for their columns.
        for part in np.unique(parts) if len(parts) else [0]:
            places = np.flatnonzero(parts == part)
            first = self._ends[part - 1] if part else 0
            yield int(part), places, numbers[places] - first

    def _codes(self, part: int) -> np.ndarray:
        """Embeddings of a part as they are stored; those of the last one are kept."""
        if self._read is None or self._read[0] != part:
            # The old ones go before the new ones come.
            self._read = None
            codes = self._table(part, [EMBEDDING])[EMBEDDING].combine_chunks()
            shape = len(codes), codes.type.list_size
            self._read = part, codes.flatten().to_numpy().reshape(shape)
        return self._read[1]

    def _table(self, part: int, columns: list[str]) -> pa.Table:
        """Read columns of a part, which must be the one that was written."""
        name = self._names[part]
        if name in self._unread:
            MANIFEST.check_files(self.folder, {name: self._unread[name]})
            del self._unread[name]
        return pq.read_table(
            self.folder / name, columns=columns, page_checksum_verification=True
        )
