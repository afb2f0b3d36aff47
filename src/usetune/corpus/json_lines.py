"""JSON Lines: where their rows lie, and columns of one type from rows of many."""

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

# Integers up to here are floating numbers too.
_EXACT = 2**53


class JsonLines:
    """One look at all rows of a file.

    Args:
        path: the file.
        column: holds the texts.
        rows_per_part: rows of a span, but for the last.

    Attributes:
        spans: (first row, row after the last, first byte, byte after the last).
        texts: number of rows with a text.
        kinds: of the values in each column of these rows, see `column_types`.
    """

    def __init__(self, path: str, column: str, rows_per_part: int) -> None:
        self.spans: list[tuple[int, int, int, int]] = []
        self.texts = 0
        self.kinds: dict[str, set[str]] = {}
        start = stop = first_byte = last_byte = 0
        with open(path, "rb") as lines:
            for line in lines:
                if not line.isspace():
                    if stop - start == rows_per_part:
                        self.spans.append((start, stop, first_byte, last_byte))
                        start, first_byte = stop, last_byte
                    stop += 1
                    self._look(parse_row(line, column)[0])
                last_byte += len(line)
        if stop:
            self.spans.append((start, stop, first_byte, last_byte))

    def _look(self, row: Mapping[str, Any] | None) -> None:
        if row is not None:
            self.texts += 1
            for name, value in row.items():
                self.kinds.setdefault(name, set()).add(_kind(value))


def column_types(files: Iterable[JsonLines]) -> dict[str, str]:
    """A type for each column, that holds all its values unchanged.

    Returns:
        "bool", "int64", "double" or "string"; or "json" where the values are of several
        types, lists or objects, which are stored as JSON text.
    """
    kinds: dict[str, set[str]] = {}
    for file in files:
        for name, own in file.kinds.items():
            kinds.setdefault(name, set()).update(own)
    return {name: _column_type(own - {"null"}) for name, own in kinds.items()}


def read_rows(
    path: str, first_byte: int, last_byte: int, column: str, types: Mapping[str, str]
) -> tuple[pa.Table, list[tuple[int, str, str]]]:
    """Read a span of a file.

    Args:
        path: the file.
        first_byte: where the first row begins.
        last_byte: where the last has ended.
        column: holds the texts.
        types: of `column_types`.

    Returns:
        The rows with a text, null where one lacks a column; and for each other row its
        number in the span, why it has no text, and its line.
    """
    with open(path, "rb") as file:
        file.seek(first_byte)
        content = file.read(last_byte - first_byte)
    rows, rejected = [], []
    lines = (line for line in io.BytesIO(content) if not line.isspace())
    for number, line in enumerate(lines):
        row, reason = parse_row(line, column)
        if row is None:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            rejected.append((number, reason, text))
        else:
            rows.append(row)
    columns = {
        name: pa.array(
            [_cell(row.get(name), kind) for row in rows],
            pa.string() if kind == "json" else kind,
        )
        for name, kind in types.items()
    }
    return pa.table(columns), rejected


def parse_row(line: bytes, column: str) -> tuple[dict[str, Any] | None, str]:
    """Read a line of a JSON Lines file.

    Args:
        line: its bytes.
        column: holds the text.

    Returns:
        The row and "", or None and why its text cannot be embedded.
    """
    try:
        row = json.loads(line.decode("utf-8-sig"))
        if not isinstance(row, dict):
            return None, "not a JSON object"
        if b"\\u" in line:
            # Escapes can spell lone surrogates, which are no text a file can hold.
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return None, f"not JSON in UTF-8: {error}"
    if column not in row:
        return None, f"no column {column!r}"
    if row[column] is None:
        return None, "null"
    if not isinstance(row[column], str):
        return None, f"not a text but {type(row[column]).__name__}"
    return row, ""


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
