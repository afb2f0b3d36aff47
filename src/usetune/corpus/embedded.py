"""Reading what `usetune.embed_corpus` wrote, and searching in it."""

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
from usetune.corpus.manifest import MANIFEST, QUANTIZER, precision_name
from usetune.corpus.part import embedded_rows, part_path
from usetune.encoders.base import Encoder
from usetune.encoders.identity import encoder_identity
from usetune.search.quantization import Quantizer


class EmbeddedCorpus:
    """An output of `usetune.embed_corpus`: a corpus for `usetune.search.nearest`.

    ``nearest(queries, EmbeddedCorpus(folder), 10)`` is an exact search that reads the
    files one after the other; `usetune.corpus.build_index` makes a faster one. Rows are
    numbered from 0 in the order of the files. Rejected rows are not among them.

    Beside what is asked for, memory holds the embeddings of one part.

    Args:
        folder: the output.
        encoder: what embeds the queries: it must be the one that embedded the corpus.
            Default: not checked.

    Attributes:
        folder: absolute path of the output.
        dim: components of an embedding.
        identity: SHA-256 of what the corpus was made of.

    Raises:
        FileNotFoundError: if the folder holds no embedded corpus.
        ValueError: if parts are missing, a file is damaged, or the encoder or the
            quantizer is another.
    """

    def __init__(self, folder: str | Path, encoder: Encoder | None = None) -> None:
        self.folder = expand(folder).absolute()
        if not (self.folder / MANIFEST.file).is_file():
            raise FileNotFoundError(
                f"folder must be the output of embed_corpus, with a {MANIFEST.file}. "
                f"Received: {folder}"
            )
        plan = MANIFEST.read(self.folder)
        request = plan.request
        paths = [part_path(self.folder, part) for part in plan.parts]
        found = {part.name: embedded_rows(part, self.folder) for part in plan.parts}
        counts = [count for count in found.values() if count is not None]
        if len(counts) < len(paths):
            missing = [name for name, count in found.items() if count is None]
            raise ValueError(
                f"{folder} lacks {len(missing)} of {len(paths)} parts, {missing[0]} "
                "first; the same call of embed_corpus as before goes on"
            )
        if encoder is not None and encoder_identity(encoder) != request.encoder:
            raise ValueError(f"{folder} was embedded by another encoder than was given")
        made_of = {**asdict(request), "types": plan.types, "parts": len(paths)}
        self.identity = digest(made_of)
        self._quantizer = None
        if not request.precision.startswith("float"):
            self._quantizer = Quantizer.load(self.folder / QUANTIZER)
            if precision_name(self._quantizer) != request.precision:
                raise ValueError(
                    f"{self.folder / QUANTIZER} is not the quantizer of these codes"
                )
        self._paths = paths
        self._ends = np.cumsum(counts)
        self._read: tuple[int, np.ndarray] | None = None
        self.dim = self[:0].shape[1]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The embeddings of some rows.

        Args:
            rows: a slice, or an int array of row numbers.

        Returns:
            float32 array (rows, dim); rows of codes are decoded, see
            `usetune.search.Quantizer.dequantize`.

        Raises:
            IndexError: if a number is not of a row.
        """
        numbers = self._numbers(rows)
        codes = None
        for part, places, own in self._by_part(numbers):
            found = self._codes(part)[own]
            if codes is None:
                codes = np.empty((len(numbers), found.shape[1]), found.dtype)
            codes[places] = found
        if codes is None:
            codes = self._codes(0)[:0]
        if self._quantizer is None:
            return codes.astype(np.float32)
        return self._quantizer.dequantize(codes)

    def rows(self, numbers: np.ndarray) -> pd.DataFrame:
        """The rows of the corpus, without their embeddings.

        Args:
            numbers: int array of row numbers, as `usetune.search.nearest` finds them.

        Returns:
            DataFrame in the order of ``numbers``, which are its index.

        Raises:
            IndexError: if a number is not of a row.
        """
        numbers = self._numbers(numbers)
        names = pq.read_schema(self._paths[0]).names
        names.remove(EMBEDDING)
        tables = [pq.read_table(self._paths[0], columns=names)[:0]]
        order = [np.empty(0, np.int64)]
        for part, places, own in self._by_part(numbers):
            tables.append(pq.read_table(self._paths[part], columns=names).take(own))
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
        for part in np.unique(parts):
            places = np.flatnonzero(parts == part)
            first = self._ends[part - 1] if part else 0
            yield int(part), places, numbers[places] - first

    def _codes(self, part: int) -> np.ndarray:
        """Embeddings of a part as they are stored; those of the last one are kept."""
        if self._read is None or self._read[0] != part:
            # The old ones go before the new ones come.
            self._read = None
            table = pq.read_table(
                self._paths[part], columns=[EMBEDDING], page_checksum_verification=True
            )
            codes = table[EMBEDDING].combine_chunks()
            shape = len(codes), codes.type.list_size
            self._read = part, codes.flatten().to_numpy().reshape(shape)
        return self._read[1]
