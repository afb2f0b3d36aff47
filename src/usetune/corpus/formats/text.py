"""Plain text: a text on each line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from usetune.corpus.formats.base import (
    Range,
    Reader,
    Rejected,
    line_ranges,
    not_blank,
    part_bytes,
)
from usetune.corpus.job import Part
from usetune.data.text_files import decoded, lines_of, open_lines

_COLUMN = "text"


class TextReader(Reader):
    """Plain text in UTF-8, which has one column, named "text".

    Blank lines are no rows. A line ends with a line feed, a carriage return before it
    or not; all else is of the text.
    """

    format = "plain text"

    def columns(self, paths: Sequence[str]) -> dict[str, str]:
        """See `Reader.columns`."""
        self.check_columns(paths[0], [_COLUMN])
        return {_COLUMN: "string"}

    def ranges(self, path: str, rows_per_part: int) -> Iterator[Range]:
        """See `Reader.ranges`."""
        with open_lines(path) as file:
            lines = lines_of(file, path)
            yield from line_ranges(_checked(lines, path), file.tell(), rows_per_part)

    def read(
        self, part: Part, types: Mapping[str, str]
    ) -> tuple[pa.Table, list[Rejected]]:
        """See `Reader.read`; no row is rejected."""
        lines = _checked(not_blank(part_bytes(part)), part.file)
        texts = [line.decode().removesuffix("\n").removesuffix("\r") for line in lines]
        return pa.table(
            {name: pa.array(texts, kind) for name, kind in types.items()}
        ), []


def _checked(lines: Iterable[bytes], path: str) -> Iterator[bytes]:
    """The lines, each of them UTF-8."""
    for number, line in enumerate(lines, start=1):
        decoded(line, path, number)
        yield line
