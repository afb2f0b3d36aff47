"""Any text as Markdown that shows it as it is."""

import re
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from usetune._utils.text import utf8

# What Markdown or HTML would not show as it is. An underscore is harmless where a
# letter or digit follows it: emphasis cannot end there.
_ACTIVE = re.compile(r"[\\`*\[\]<>|~&$]|_(?![^\W_])")


def one_line(text: object) -> str:
    """A text without line breaks, and without what UTF-8 cannot hold."""
    return " ".join(utf8([str(text)])[0].decode().split())


def escape(text: object) -> str:
    """A text on one line, what Markdown and HTML act on as character references."""
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", one_line(text))


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    bold: Collection[int] = (),
) -> str:
    """A Markdown table.

    Args:
        head: names of the columns.
        rows: their cells.
        bold: numbers of rows to emphasise.
    """
    lines = [_row(map(escape, head)), _row("---" for _ in head)]
    for number, row in enumerate(rows):
        cells = [escape(cell) for cell in row]
        if number in bold:
            cells = [f"**{cell}**" for cell in cells]
        lines.append(_row(cells))
    return "\n".join(lines)


def number(value: float, form: str = ".4f") -> str:
    """A number in a format of Python's, or a dash for NaN."""
    return "–" if np.isnan(value) else format(value, form)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
