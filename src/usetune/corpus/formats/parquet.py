"""Parquet: row groups, put together or cut."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from usetune.corpus.formats.base import Range, Reader, Rejected, changed
from usetune.corpus.job import Part
from usetune.data.parquet import (
    as_bytes,
    check_whole,
    holds_texts,
    open_parquet,
    undecodable,
)

# Rows that are decoded at a time.
_BATCH_ROWS = 8192


class ParquetReader(Reader):
    """Parquet files; rows whose text is null or not UTF-8 are rejected."""

    format = "Parquet"

    def columns(self, paths: Sequence[str]) -> dict[str, str]:
        """See `Reader.columns`; the column of the texts must be of texts."""
        types = {}
        for path in paths:
            with open_parquet(path) as file:
                schema = file.schema_arrow
            self.check_columns(path, schema.names)
            types[path] = _types(schema)
            kind = schema.field(self.column).type
            if not holds_texts(kind):
                raise ValueError(
                    f"{path}, column {self.column!r} must hold texts. "
                    f"Received: type {kind}"
                )
        return self.same_columns(types)

    def ranges(self, path: str, rows_per_part: int) -> Iterator[Range]:
        """See `Reader.ranges`: row groups, small ones together, large ones cut."""
        with open_parquet(path) as file:
            metadata = file.metadata
            batches = file.iter_batches(columns=[self.column])
            check_whole(file, sum(len(batch) for batch in batches))
        start = stop = 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if start < stop and stop + rows - start > rows_per_part:
                yield Range(start, stop)
                start = stop
            stop += rows
            while stop - start > rows_per_part:
                yield Range(start, start + rows_per_part)
                start += rows_per_part
        if start < stop:
            yield Range(start, stop)

    def read(
        self, part: Part, types: Mapping[str, str]
    ) -> tuple[pa.Table, list[Rejected]]:
        """See `Reader.read`."""
        table = _read_rows(part, types).select(list(types))
        texts = table[self.column]
        reasons = {int(row): "null" for row in np.flatnonzero(texts.is_null())}
        reasons |= dict.fromkeys(undecodable(texts), "not UTF-8")
        if not reasons:
            return table, []
        numbers = sorted(reasons)
        place = table.column_names.index(self.column)
        others = table.take(numbers)
        cells = as_bytes(others[self.column]).to_pylist()
        shown = pa.array([cell and cell.decode("utf-8", "replace") for cell in cells])
        rows = others.set_column(place, self.column, shown.cast(pa.string()))
        rejected = [
            Rejected(number, reasons[number], row)
            for number, row in zip(numbers, rows.to_pylist(), strict=True)
        ]
        kept = np.ones(len(table), dtype=bool)
        kept[numbers] = False
        return table.filter(pa.array(kept)), rejected


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}


def _read_rows(part: Part, types: Mapping[str, str]) -> pa.Table:
    """The row groups that hold the rows, cut to them, a batch at a time."""
    with open_parquet(part.file) as file:
        schema = file.schema_arrow
        if _types(schema) != types:
            raise changed(part.file, f"its columns are {_types(schema)}")
        ends = np.cumsum(
            [
                file.metadata.row_group(group).num_rows
                for group in range(file.metadata.num_row_groups)
            ]
        )
        first, last = np.searchsorted(ends, [part.start, part.stop - 1], "right")
        position = ends[first - 1] if first else 0
        batches = []
        # Where there are fewer groups than there were, fewer rows come.
        groups = [*range(first, min(last + 1, len(ends)))]
        for batch in file.iter_batches(_BATCH_ROWS, groups):
            start = max(part.start - position, 0)
            if start < len(batch):
                batches.append(batch.slice(start, part.stop - position - start))
            position += len(batch)
            if position >= part.stop:
                break
        return pa.Table.from_batches(batches, schema)
