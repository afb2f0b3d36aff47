"""JSON Lines: columns of one type from rows of many."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from usetune._utils.json import parse_object
from usetune.corpus.formats.base import (
    Range,
    Reader,
    Rejected,
    line_ranges,
    not_blank,
    part_bytes,
)
from usetune.corpus.job import Part
from usetune.data.text_files import lines_of, open_lines

# Integers up to here are floating numbers too.
_EXACT = 2**53
# Seconds of work before a progress bar is shown.
_DELAY = 3.0


class JsonLinesReader(Reader):
    """JSON Lines in UTF-8; rows that hold no text are rejected, with their line.

    The first look is at all rows, since any may have a further column or type. Blank
    lines are no rows.
    """

    format = "JSON Lines"

    def columns(self, paths: Sequence[str]) -> dict[str, str]:
        """See `Reader.columns`: of each, a type that holds all its values unchanged.

        Returns:
            "bool", "int64", "double" or "string"; or "json" where the values are of
            several types, lists or objects, which are stored as JSON text.
        """
        kinds: dict[str, set[str]] = {}
        for path in tqdm(paths, desc="files read", unit="file", delay=_DELAY):
            own = self._kinds(path)
            self.check_columns(path, own)
            for name, found in own.items():
                kinds.setdefault(name, set()).update(found)
        return {name: _column_type(own - {"null"}) for name, own in kinds.items()}

    def ranges(self, path: str, rows_per_part: int) -> Iterator[Range]:
        """See `Reader.ranges`."""
        with open_lines(path) as file:
            yield from line_ranges(lines_of(file, path), file.tell(), rows_per_part)

    def read(
        self, part: Part, types: Mapping[str, str]
    ) -> tuple[pa.Table, list[Rejected]]:
        """See `Reader.read`; a column that a row lacks is null there."""
        rows, rejected = [], []
        for number, line in enumerate(not_blank(part_bytes(part))):
            try:
                rows.append(self._parse(line))
            except ValueError as error:
                content = line.decode("utf-8", "replace").rstrip("\r\n")
                rejected.append(Rejected(number, str(error), content))
        columns = {
            name: pa.array(
                [_cell(row.get(name), kind) for row in rows],
                pa.string() if kind == "json" else kind,
            )
            for name, kind in types.items()
        }
        return pa.table(columns), rejected

    def _parse(self, line: bytes) -> dict[str, Any]:
        """Read a row with a text; a ValueError says why it has none."""
        row = parse_object(line)
        if self.column not in row:
            raise ValueError(f"no column {self.column!r}")
        text = row[self.column]
        if text is None:
            raise ValueError("null")
        if not isinstance(text, str):
            raise ValueError(f"not a text but {type(text).__name__}")
        return row

    def _kinds(self, path: str) -> dict[str, set[str]]:
        """Of the values in each column, in the rows with a text."""
        kinds: dict[str, set[str]] = {}
        is_empty = True
        with open_lines(path) as file:
            for line in not_blank(lines_of(file, path)):
                is_empty = False
                try:
                    row = self._parse(line)
                except ValueError:
                    # Told of when it is read.
                    continue
                for name, value in row.items():
                    kinds.setdefault(name, set()).add(_kind(value))
        if is_empty:
            raise ValueError(f"{path} is empty: it has no rows")
        if not kinds:
            raise ValueError(
                f"{path} has no row with a text in a column {self.column!r}"
            )
        return kinds


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() if abs(value) <= _EXACT:
            return "int64"
        case int() if -(2**63) <= value < 2**63:
            return "long"
        case float():
            return "double"
        case str():
            return "string"
    return "json"


def _column_type(kinds: set[str]) -> str:
    """The type that holds values of all of the kinds unchanged."""
    if not kinds:
        return "string"
    if kinds <= {"int64", "long"}:
        return "int64"
    if kinds <= {"int64", "double"}:
        return "double"
    return kinds.pop() if len(kinds) == 1 else "json"


def _cell(value: Any, kind: str) -> Any:
    if kind == "json" and value is not None:
        return json.dumps(value, ensure_ascii=False)
    return value
