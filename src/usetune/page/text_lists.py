"""Lists of texts: lines that were typed, the lines of a file, a column of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usetune._utils.paths import expand
from usetune.data.columns import refuse_cells
from usetune.data.tables import check_size, read_table
from usetune.data.text_files import read_lines

MOST_TITLES = 50_000
# Of a file, repeated texts, empty cells and empty lines too.
MOST_ROWS = 1_000_000
# The memory that some encoders take, BERT say, grows with the square of a length.
MOST_CHARACTERS = 2_000

# The first of these that a table has is taken for the column of its texts.
_TEXT_COLUMNS = ["title", "text", "preferredlabel", "label", "name", "anchor", "base"]


@dataclass(frozen=True)
class TextList:
    """Texts, each once, in the order in which they were found.

    Attributes:
        texts: at least one; white space within is one space.
        source: what they are, how many, and how many were left out.
        column: of the table that they come from; None if there was no table.
        columns: all columns of that table.
    """

    texts: list[str]
    source: str
    column: str | None = None
    columns: Sequence[str] = ()


def text_lines(typed: str) -> list[str]:
    """The lines of what was typed, one text each; empty lines are left out.

    Raises:
        ValueError: if a text is longer than 2,000 characters.
    """
    return [text for text in _tidied(typed.split("\n"), "your texts") if text]


def text_list(
    texts: Iterable[str],
    name: str,
    column: str | None = None,
    columns: Sequence[str] = (),
) -> TextList:
    """Make a list of texts that are at hand.

    Args:
        texts: any number; empty ones and repeats are left out, and ``source`` counts
            them.
        name: what ``source`` and the errors call them.
        column: see `TextList`.
        columns: see `TextList`.

    Raises:
        ValueError: if no text is left or more than 50,000, or one is longer than 2,000
            characters.
    """
    tidied = _tidied(texts, name)
    filled = [text for text in tidied if text]
    distinct = list(dict.fromkeys(filled))
    if not 1 <= len(distinct) <= MOST_TITLES:
        raise ValueError(
            f"{name} must hold 1 to {MOST_TITLES:,} texts. Received: {len(distinct):,}"
        )
    source = f"{name}: {len(distinct):,} texts"
    empty, repeated = len(tidied) - len(filled), len(filled) - len(distinct)
    for what, count in ("empty", empty), ("repeated", repeated):
        source += f", {count:,} {what} left out" if count else ""
    return TextList(distinct, source, column, columns)


def read_texts(path: str | Path, column: str | None = None) -> TextList:
    """Read a list from a file.

    Args:
        path: UTF-8 text (``.txt``) with one text a line, or a table with any ending
            that `usetune.data.tables.read_table` knows.
        column: of the table. Default: title, text, preferredLabel, label, name, anchor
            or base, the first that there is in small or capital letters; if there is
            none, the first column.

    Returns:
        The list; ``source`` names the file and the column.

    Raises:
        OSError: if the file cannot be read.
        ValueError: naming the file, and the column or line at fault.
    """
    path = expand(path)
    try:
        if path.suffix.lower() == ".txt":
            lines: list[str] = []
            for line in read_lines(path):
                lines.append(line)
                check_size(path, len(lines), MOST_ROWS)
            if not any(map(str.strip, lines)):
                raise ValueError(f"{path} is empty")
            return text_list(lines, path.name)
        expected = [] if column is None else [[column]]
        table = read_table(path, *expected, most_rows=MOST_ROWS)
    except ValueError as error:
        # An uploaded file lies in a folder that its owner has never seen.
        raise ValueError(str(error).replace(str(path), path.name)) from error
    columns = [str(name) for name in table.columns]
    table = table.set_axis(columns, axis=1)
    column = column or _text_column(columns)
    cells = table[column].where(table[column].notna(), "")
    wrong = np.array([not isinstance(cell, str) for cell in cells], bool)
    refuse_cells(cells, wrong, path.name, "a text")
    return text_list(cells, f"{path.name}, column {column}", column, columns)


def _text_column(columns: Sequence[str]) -> str:
    lower = [name.lower() for name in columns]
    known = [name for name in _TEXT_COLUMNS if name in lower]
    return columns[lower.index(known[0])] if known else columns[0]


def _tidied(texts: Iterable[str], name: str) -> list[str]:
    tidied = [" ".join(text.split()) for text in texts]
    for number, text in enumerate(tidied, start=1):
        if len(text) > MOST_CHARACTERS:
            raise ValueError(
                f"{name}, number {number}: a text has at most {MOST_CHARACTERS:,} "
                f"characters. Received: {len(text):,}, {text:.40}…"
            )
    return tidied
