"""CSV: where rows lie whose cells may hold line breaks."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from usetune.corpus.formats.base import Range, Reader, Rejected, changed, part_bytes
from usetune.corpus.job import Part
from usetune.data.csv_rows import csv_header, csv_rows, full_rows
from usetune.data.text_files import lines_of, open_lines


class CsvReader(Reader):
    """CSV in UTF-8 with a header; every cell is a text, as it is written.

    Only who reads a file from its beginning knows where a row begins, since a line
    break may stand within quotes: `ranges` does, and notes the bytes.
    """

    format = "CSV"

    def columns(self, paths: Sequence[str]) -> dict[str, str]:
        """See `Reader.columns`; all types are "string"."""
        types = {}
        for path in paths:
            header = _header(path)
            self.check_columns(path, header)
            types[path] = dict.fromkeys(header, "string")
        return self.same_columns(types)

    def ranges(self, path: str, rows_per_part: int) -> Iterator[Range]:
        """See `Reader.ranges`; all cells are counted."""
        with open_lines(path) as file:
            rows = csv_rows(lines_of(file, path), path, file.tell())
            header, _, first_byte = csv_header(rows, path)
            start = stop = 0
            last_byte = first_byte
            for row in full_rows(rows, path, len(header)):
                if stop - start == rows_per_part:
                    yield Range(start, stop, first_byte, last_byte)
                    start, first_byte = stop, last_byte
                stop, last_byte = stop + 1, row.end
            if stop:
                yield Range(start, stop, first_byte, last_byte)

    def read(
        self, part: Part, types: Mapping[str, str]
    ) -> tuple[pa.Table, list[Rejected]]:
        """See `Reader.read`; no row is rejected."""
        header = _header(part.file)
        if sorted(header) != sorted(types):
            raise changed(part.file, f"its columns are {header}")
        rows = csv_rows(part_bytes(part), f"{part.file}, {part.name}")
        cells = [row.cells for row in full_rows(rows, part.file, len(header))]
        places = {name: header.index(name) for name in types}
        columns = {
            name: pa.array([row[places[name]] for row in cells], kind)
            for name, kind in types.items()
        }
        return pa.table(columns), []


def _header(path: str) -> list[str]:
    with open_lines(path) as file:
        return csv_header(csv_rows(lines_of(file, path), path), path).cells
