"""CSV: where rows lie whose cells may hold line breaks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

import pyarrow as pa

from usetune.corpus.formats.base import Range, Reader, Rejected, changed, part_bytes
from usetune.corpus.job import Part

# Of UTF-8, at the beginning of a file.
_MARK = "\ufeff"
# Characters of a cell. A missing quote makes one cell of many rows.
_LONGEST_CELL = 10_000_000


class CsvReader(Reader):
    """CSV in UTF-8 with a header; every cell is a text, as it is written.

    A blank line is an empty cell where there is one column, and no row elsewhere. Only
    who reads a file from its beginning knows where a row begins, since a line break
    may stand within quotes: `ranges` does, and notes the bytes.

    The csv module reads it: pyarrow.csv, which is quicker, takes a quote that is never
    closed and letters after a closing quote for good, drops blank lines of one column,
    and does not tell where a row lies.
    """

    format = "CSV"

    def columns(self, paths: Sequence[str]) -> dict[str, str]:
        """See `Reader.columns`; all types are "string"."""
        types = {}
        for path in paths:
            header = self._header(path)
            self.check_columns(path, header)
            types[path] = dict.fromkeys(header, "string")
        return self.same_columns(types)

    def ranges(self, path: str, rows_per_part: int) -> Iterator[Range]:
        """See `Reader.ranges`; all cells are counted."""
        with _open(path) as file:
            rows = _rows(file)
            header, first_byte = _first(path, rows)
            start = stop = 0
            last_byte = first_byte
            for _, end in _checked(path, rows, len(header)):
                if stop - start == rows_per_part:
                    yield Range(start, stop, first_byte, last_byte)
                    start, first_byte = stop, last_byte
                stop, last_byte = stop + 1, end
            if stop:
                yield Range(start, stop, first_byte, last_byte)

    def read(
        self, part: Part, types: Mapping[str, str]
    ) -> tuple[pa.Table, list[Rejected]]:
        """See `Reader.read`; no row is rejected."""
        header = self._header(part.file)
        if sorted(header) != sorted(types):
            raise changed(part.file, f"its columns are {header}")
        with _parsing(part.file):
            file = io.TextIOWrapper(part_bytes(part), "utf-8", newline="")
            rows = _rows(file, part.first_byte)
            cells = [own for own, _ in _checked(part.file, rows, len(header))]
        places = {name: header.index(name) for name in types}
        columns = {
            name: pa.array([row[places[name]] for row in cells], kind)
            for name, kind in types.items()
        }
        return pa.table(columns), []

    def _header(self, path: str) -> list[str]:
        with _open(path) as file:
            return _first(path, _rows(file))[0]


@contextmanager
def _parsing(path: str) -> Iterator[None]:
    """Allow for long cells, and name the file in errors."""
    longest = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error}); save it as UTF-8 and try again"
        ) from error
    finally:
        csv.field_size_limit(longest)


@contextmanager
def _open(path: str) -> Iterator[TextIO]:
    with _parsing(path), open(path, encoding="utf-8", newline="") as file:
        yield file


def _rows(file: TextIO, position: int = 0) -> Iterator[tuple[list[str], int]]:
    """Rows, blank ones too, each with the byte where it has ended."""

    def lines() -> Iterator[str]:
        nonlocal position
        for line in file:
            is_first = position == 0
            position += len(line.encode())
            yield line.removeprefix(_MARK) if is_first else line

    # It takes a further line only where a row goes on.
    for cells in csv.reader(lines(), strict=True):
        yield cells, position


def _first(path: str, rows: Iterator[tuple[list[str], int]]) -> tuple[list[str], int]:
    """The header, and the byte where it has ended."""
    for header, end in rows:
        if header:
            return header, end
    raise ValueError(f"{path} is empty")


def _checked(
    path: str, rows: Iterator[tuple[list[str], int]], width: int
) -> Iterator[tuple[list[str], int]]:
    """Rows of the header's width."""
    number = 0
    for cells, end in rows:
        if not cells:
            if width > 1:
                continue
            cells = [""]
        number += 1
        if len(cells) != width:
            raise ValueError(
                f"{path}, row {number} has {len(cells)} cells, and the header "
                f"{width}; put texts with commas in double quotes"
            )
        yield cells, end
