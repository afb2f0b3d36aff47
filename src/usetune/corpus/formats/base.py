"""What every reader of a format does, and what readers of lines share."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from usetune.corpus.job import Part
from usetune.data.columns import check_columns

EMBEDDING = "embedding"


class Range(NamedTuple):
    """Rows of a file, and the bytes they take; see `usetune.corpus.job.Part`."""

    start: int
    stop: int
    first_byte: int = 0
    last_byte: int = 0


class Rejected(NamedTuple):
    """A row that holds no text.

    Attributes:
        number: in its part, from 0.
        reason: why it cannot be embedded.
        content: the row, or its line.
    """

    number: int
    reason: str
    content: Any


class Reader(ABC):
    """Reads files of one format.

    Args:
        column: holds the texts.

    Attributes:
        format: its name.
    """

    format: ClassVar[str]

    def __init__(self, column: str) -> None:
        self.column = column

    @abstractmethod
    def columns(self, paths: Sequence[str]) -> dict[str, str]:
        """The columns of all files, and their types, by name.

        Args:
            paths: one or more files of the format.

        Raises:
            ValueError: naming a file that is damaged, lacks the column of the texts,
                has a column "embedding", or columns other than the first file.
        """

    @abstractmethod
    def ranges(self, path: str, rows_per_part: int) -> Iterator[Range]:
        """Cut a file into ranges of rows, and look at all its texts.

        Args:
            path: the file.
            rows_per_part: at most so many rows in a range.

        Raises:
            ValueError: naming the file, if it is damaged.
        """

    @abstractmethod
    def read(
        self, part: Part, types: Mapping[str, str]
    ) -> tuple[pa.Table, list[Rejected]]:
        """Read the rows of a part.

        Args:
            part: which rows.
            types: of the columns, as `columns` gave them.

        Returns:
            The rows with a text, with all columns in the order of ``types``; and the
            others.

        Raises:
            ValueError: naming the file, if it is not what it was.
        """

    def check_columns(self, path: str, names: Iterable[str]) -> None:
        """Refuse a file without the column of the texts, or with one too many."""
        names = list(names)
        check_columns(names, path, [self.column])
        if EMBEDDING in names:
            raise ValueError(
                f"{path} has a column {EMBEDDING!r} already, and the output needs the "
                "name"
            )

    def same_columns(self, types: Mapping[str, dict[str, str]]) -> dict[str, str]:
        """The columns that all files have.

        Args:
            types: of the columns, by name, by file.

        Raises:
            ValueError: naming a file that has others.
        """
        first, expected = next(iter(types.items()))
        for path, own in types.items():
            if own != expected:
                raise ValueError(
                    f"{path} must have the columns of {first}, {expected}. "
                    f"Received: {own}"
                )
        return expected


def changed(path: str, what: str) -> ValueError:
    """The error of a file that is not what it was when its parts were planned."""
    return ValueError(f"{path} has changed since its parts were planned: {what}")


def not_blank(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines that are rows."""
    return (line for line in lines if not line.isspace())


def line_ranges(
    lines: Iterable[bytes], position: int, rows_per_part: int
) -> Iterator[Range]:
    """Cut lines into ranges; blank lines are no rows.

    Args:
        lines: with their line breaks.
        position: the byte where the first one begins.
        rows_per_part: rows of a range, except for the last.
    """
    start = stop = 0
    first_byte = position
    for line in lines:
        if not line.isspace():
            if stop - start == rows_per_part:
                yield Range(start, stop, first_byte, position)
                start, first_byte = stop, position
            stop += 1
        position += len(line)
    if stop:
        yield Range(start, stop, first_byte, position)


def part_bytes(part: Part) -> io.BytesIO:
    """The bytes of a part's rows."""
    with open(part.file, "rb") as file:
        file.seek(part.first_byte)
        return io.BytesIO(file.read(part.last_byte - part.first_byte))
