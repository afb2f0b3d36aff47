"""What files and tables say, read without the package: the oracle of its readers.

Where a format leaves a choice (a lone carriage return, a quote within a cell), all
readings are given, and any of them is right; what has none must be refused.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
# The columns that each format needs; "label" tells two of them apart by its cells.
_NEEDED = {
    "scored pairs": {"base", "ref", "similarity"},
    "pairs labelled 0 or 1": {"base", "ref", "label"},
    "pairs labelled with a class": {"base", "ref", "label"},
    "positive pairs": {"anchor", "positive"},
    "triplets": {"anchor", "positive", "negative"},
    "texts with a class": {"text", "label"},
}


class Table(NamedTuple):
    """Names of the columns, and the rows' cells in their order.

    A cell that a row lacks is None.
    """

    header: list[str]
    rows: list[list[Any]]

    def column(self, name: str) -> list[Any]:
        """The cells of the one column of a name."""
        place = self.header.index(name)
        return [row[place] for row in self.rows]


def csv_tables(content: bytes) -> list[Table]:
    """Every reading of a CSV file."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return []
    tables = []
    for lone_return_ends in (True, False):
        records = _records(text.removeprefix("\ufeff"), lone_return_ends)
        for kept in [] if records is None else _without_blank_lines(records):
            header, *rows = kept or [[]]
            if header and all(len(row) <= len(header) for row in rows):
                gaps = [[None] * (len(header) - len(row)) for row in rows]
                filled = [row + gap for row, gap in zip(rows, gaps, strict=True)]
                tables.append(Table(header, filled))
    return tables


def _without_blank_lines(records: list[list[str]]) -> list[list[list[str]]]:
    """Lines without a character, or with spaces only, are no rows or empty cells."""
    while records and records[0] == [""]:
        records = records[1:]
    without = [row for row in records if row != [""]]
    return [records, without, [row for row in without if row[1:] or row[0].strip()]]


def _records(text: str, lone_return_ends: bool) -> list[list[str]] | None:
    """RFC 4180, cell by cell; None where a quote breaks its rules.

    A quote within a cell that does not begin with one is a character like others.
    """
    ends = re.compile(r",|\n|\r\n?" if lone_return_ends else r",|\r?\n")
    records, row, place = [], [], 0
    while place < len(text):
        stop = place
        if text[place] == '"':
            closing = _closing(text, place + 1)
            if closing is None:
                return None
            cell, stop = text[place + 1 : closing].replace('""', '"'), closing + 1
        end = ends.search(text, stop)
        last = end.start() if end else len(text)
        if stop > place and last > stop:
            return None
        row.append(cell if stop > place else text[place:last])
        place = end.end() if end else len(text)
        is_comma = end is not None and end[0] == ","
        if is_comma and place == len(text):
            row.append("")
        if not is_comma or place == len(text):
            records.append(row)
            row = []
    return records


def _closing(text: str, place: int) -> int | None:
    """Where the quoted cell ends that begins here."""
    while (place := text.find('"', place)) >= 0:
        if text[place + 1 : place + 2] != '"':
            return place
        place += 2
    return None


def json_rows(content: bytes) -> Iterator[dict[str, Any] | None]:
    """The row of each line of JSON Lines, None where it is none."""
    for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if line.strip():
            yield _json_row(line)


def _json_row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_distinct)
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key given twice")
    return dict(pairs)


def json_tables(content: bytes) -> list[Table]:
    """The one reading of a JSON Lines file, or none."""
    rows = list(json_rows(content))
    if not rows or None in rows:
        return []
    header = list(dict.fromkeys(name for row in rows for name in row))
    return [Table(header, [[row.get(name) for name in header] for row in rows])]


def frame_table(frame: pd.DataFrame) -> Table:
    """A DataFrame, cell by cell."""
    columns = [frame.iloc[:, place].tolist() for place in range(frame.shape[1])]
    rows = [[column[row] for column in columns] for row in range(len(frame))]
    return Table(list(frame.columns), rows)


def told(value: Any) -> str:
    """What people are told of a value."""
    try:
        return f"{value!r:.200}"
    except ValueError:
        return "something with an integer that is too long to be written"


def number(cell: Any) -> float | None:
    """The number that a cell holds or spells; None where it is none."""
    if isinstance(cell, (bool, np.bool_)):
        return None
    if isinstance(cell, str):
        if not _NUMBER.fullmatch(cell):
            return None
        return float(cell)
    if isinstance(cell, (int, float, np.integer, np.floating, Decimal)):
        try:
            value = float(cell)
        except OverflowError:
            return None
        return value if math.isfinite(value) else None
    return None


def is_text(cell: Any) -> bool:
    """Whether a cell holds a text that UTF-8 can write."""
    if not isinstance(cell, str) or not cell.strip():
        return False
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def misread(found: pd.DataFrame, tables: Sequence[Table]) -> str:
    """Why training data are none of the readings; "" where they are one."""
    if not tables:
        return "accepted, though it has no reading"
    faults = [_misread(found, _unnested(table)) for table in tables]
    return "" if "" in faults else faults[0]


def _misread(found: pd.DataFrame, table: Table) -> str:
    name = found.attrs.get("format")
    wanted = set(_NEEDED[name])
    optional = {"occupation", "group"}
    if name == "positive pairs":
        optional |= {"label"}
        optional |= {own for own in table.header if _is_negative(own)}
    wanted |= optional & {*table.header}
    if {*found.columns} != wanted or len(found.columns) != len(wanted):
        return f"{name} of {table.header!r:.200} has {list(found.columns)!r:.200}"
    if len(found) != len(table.rows):
        return f"{len(table.rows)} rows became {len(found)}"
    for column in wanted:
        if table.header.count(column) > 1:
            return f"column {column!r} is there twice"
        pairs = zip(table.column(column), found[column].tolist(), strict=True)
        for row, (cell, own) in enumerate(pairs, start=1):
            if not _is_same(column, cell, own):
                return f"row {row}, {column}: {told(cell)} became {told(own)}"
    return ""


def _unnested(table: Table) -> Table:
    """Examples of rows with lists of texts; those of a shorter list come again.

    A row with an empty or missing list gives none. A list beside a text stays a list,
    which is none.
    """
    names = "base|ref|anchor|positive|negative(_[0-9]+)?|text"
    texts = [bool(re.fullmatch(names, str(name))) for name in table.header]
    columns = [
        place
        for place, is_of_texts in enumerate(texts)
        if is_of_texts and any(_is_list(row[place]) for row in table.rows)
    ]
    if not columns:
        return table
    rows = []
    for row in table.rows:
        lists = [row[place] for place in columns]
        if not all(_is_list(own) or _is_missing(own) for own in lists):
            return table
        lists = [[*own] if _is_list(own) else [] for own in lists]
        for number in range(max(map(len, lists)) if all(lists) else 0):
            filled = list(row)
            for place, own in zip(columns, lists, strict=True):
                filled[place] = own[number % len(own)]
            rows.append(filled)
    return Table(table.header, rows)


def _is_missing(cell: Any) -> bool:
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def _is_list(cell: Any) -> bool:
    return isinstance(cell, (list, tuple, np.ndarray))


def _is_negative(name: Any) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"negative_[0-9]+", name))


def _is_same(column: str, cell: Any, own: Any) -> bool:
    if column == "similarity":
        value = number(cell)
        return value is not None and 0 <= value <= 1 and value == own
    if column == "label":
        value = number(cell)
        return value is not None and value >= 0 and value % 1 == 0 and value == own
    return is_text(cell) and isinstance(own, str) and cell == own
