"""The rows of a CSV file, by RFC 4180, with the line and the byte of each.

The csv module takes a quote within a cell that is not in quotes, knows no bytes, and
its bound on the length of a cell holds for the whole process. pandas and pyarrow take
text behind a closing quote, too.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from usetune.data.columns import SEPARATORS, with_commas
from usetune.data.text_files import LONGEST, decoded

_QUOTED, _PLAIN = r'"([^"]*+(?:""[^"]*+)*+)"', r'([^",\r]*+)'
_CELLS = re.compile(rf"(?:^|,)(?:{_QUOTED}|{_PLAIN})")
_ROW = re.compile(rf"(?:{_QUOTED}|{_PLAIN})(?:,(?:{_QUOTED}|{_PLAIN}))*+")


class Row(NamedTuple):
    """A row of a CSV file.

    Attributes:
        cells: as they are written, without the quotes around them.
        line: of the file, where the row begins, from 1.
        end: byte of the file where it has ended.
    """

    cells: list[str]
    line: int
    end: int


def csv_rows(lines: Iterable[bytes], path: str | Path, start: int = 0) -> Iterator[Row]:
    """Cut lines into rows and these into cells; a blank line is a row with one cell.

    Args:
        lines: each with its line feed.
        path: what the errors call the file.
        start: byte of the file where the first line begins.

    Raises:
        ValueError: naming file and line, if they are not UTF-8, or a row is not as
            RFC 4180 has it.
    """
    texts: list[str] = []
    first, quotes, position = 1, 0, start
    for number, line in enumerate(lines, start=1):
        texts.append(decoded(line, path, number))
        quotes += line.count(b'"')
        position += len(line)
        # Within quotes a line break is of the cell.
        if quotes % 2 == 0 or position - start > LONGEST:
            yield Row(_cells("".join(texts), path, first), first, position)
            texts, first, quotes, start = [], number + 1, 0, position
    if texts:
        _cells("".join(texts), path, first)


def csv_header(rows: Iterator[Row], path: str | Path) -> Row:
    """The first row that is not blank.

    Raises:
        ValueError: if there is none.
    """
    for row in rows:
        if not _is_blank(row):
            return row
    raise ValueError(f"{path} is empty")


def full_rows(rows: Iterable[Row], path: str | Path, width: int) -> Iterator[Row]:
    """Rows of the header's width.

    Where there is one column, a blank line is an empty cell; elsewhere it is no row.

    Raises:
        ValueError: naming file and line, if a row has more or fewer cells.
    """
    for row in rows:
        if len(row.cells) == width:
            yield row
        elif not _is_blank(row):
            hint = "; put cells with commas in double quotes, and write 0.5, not 0,5"
            raise ValueError(
                f"{path}, line {row.line} has {len(row.cells)} cells, and the header "
                f"{width}: {','.join(row.cells)!r:.80}"
                f"{hint if len(row.cells) > width else ''}"
            )


def _is_blank(row: Row) -> bool:
    return len(row.cells) == 1 and not row.cells[0].strip()


def _cells(text: str, path: str | Path, line: int) -> list[str]:
    row = text.removesuffix("\n").removesuffix("\r")
    if '"' not in row and "\r" not in row:
        return row.split(",")
    found = _ROW.match(row)
    end = found.end() if found else 0
    if end == len(row):
        return [
            quoted.replace('""', '"') or plain for quoted, plain in _CELLS.findall(row)
        ]
    if row[end] == "\r":
        fault, hint = "a carriage return ends no line", "save the file as CSV UTF-8"
    else:
        hint = 'put such a cell in double quotes, and double those in it: "5"" nail"'
        if row[end] != '"':
            fault = "text stands behind a closing quote"
            if row[end] in SEPARATORS:
                fault = f"cells seem to be separated by {SEPARATORS[row[end]]}"
                hint = with_commas(row[end])
        elif end == 0 or row[end - 1] == ",":
            fault = "a quote is opened and never closed"
        else:
            fault = "a quote stands within a cell that is not in quotes"
    where = line + row.count("\n", 0, end)
    begins = f" (of a row that begins in line {line})" if where > line else ""
    shown = row[max(end - 20, 0) : end + 20]
    raise ValueError(f"{path}, line {where}{begins}: {fault}: {shown!r}; {hint}")
