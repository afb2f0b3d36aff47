"""The columns that a table must have, and cells that are not as they should be."""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
# The most rows at fault that an error lists.
_MOST_SHOWN = 5


def check_columns(
    found: Sequence[object], source: str, *expected: Sequence[str]
) -> None:
    """Refuse a table that lacks columns, or has two of one name.

    Args:
        found: names of its columns.
        source: what the errors call it.
        *expected: lists of columns; it must have all columns of one of them.

    Raises:
        ValueError: naming ``source`` and the columns.
    """
    found = list(found)
    lacking = [[name for name in names if name not in found] for names in expected]
    if lacking and all(lacking):
        nearest = min(range(len(lacking)), key=lambda number: len(lacking[number]))
        raise ValueError(
            f"{source} lacks the columns {lacking[nearest]}; expected "
            f"{list(expected[nearest])}, found {found}"
            f"{_hint(found, lacking[nearest])}"
        )
    twice = [name for place, name in enumerate(found) if name in found[:place]]
    if twice:
        raise ValueError(f"{source} has several columns of the names {twice}")


def _hint(found: list[object], lacking: Sequence[str]) -> str:
    names = [name for name in found if isinstance(name, str)]
    for separator, called in _SEPARATORS.items():
        if len(names) == 1 and separator in names[0]:
            return (
                f"; the cells seem to be separated by {called}: save the file with "
                f"commas, or give pandas.read_csv(path, sep={separator!r})"
            )
    spelt = {name.strip().lower(): name for name in names}
    near = [f"{spelt[name]!r} for {name!r}" for name in lacking if name in spelt]
    if near:
        return f"; spaces and capitals count: {', '.join(near)}"
    if not all(math.isnan(as_number(name)) for name in found):
        return "; a header with the names of the columns seems to be missing"
    return ""


def as_number(cell: Any) -> float:
    """The number that a cell is, or that is written in it; NaN if it is none.

    To Python a boolean is a number, and to NumPy a duration; here they are none.
    """
    is_number = isinstance(cell, (str, Real, Decimal))
    if not is_number or isinstance(cell, (bool, np.timedelta64)) or "_" in str(cell):
        # Python takes 1_0 for 10.
        return math.nan
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return math.nan


def require_columns(
    table: pd.DataFrame,
    source: str,
    *expected: Sequence[str],
    names: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Rename columns, and check that a table has the columns expected of it.

    Args:
        table: left as it is.
        source: what the errors call it.
        *expected: lists of columns; it must have all columns of one of them.
        names: new names for columns of the table.

    Raises:
        ValueError: naming ``source`` and the columns that it lacks, or has twice.
    """
    names = names or {}
    check_columns(table.columns, source, [*names])
    table = table.rename(columns=names)
    check_columns(table.columns, source, *expected)
    return table


def refuse_cells(
    cells: pd.Series, wrong: np.ndarray, source: str, expected: str
) -> None:
    """Refuse a column if cells are wrong.

    Args:
        cells: of the column, which has its name. The index of a table that was read
            from a file is named "line" or "row".
        wrong: which of them are, bool (rows,).
        source: what the error calls the table.
        expected: what a cell should be.

    Raises:
        ValueError: naming ``source``, the column, the first lines of the file or rows
            (from 1) at fault, and what they hold.
    """
    if not wrong.any():
        return
    rows = np.flatnonzero(wrong)
    kind, places = "row", range(1, len(cells) + 1)
    if cells.index.name in ("line", "row"):
        kind, places = cells.index.name, cells.index
    first = cells.iloc[rows[:_MOST_SHOWN]].tolist()
    shown = "; ".join(
        f"{kind} {places[row]}: {cell!r:.80}"
        for row, cell in zip(rows, first, strict=False)
    )
    more = "; …" if len(rows) > len(first) else ""
    if any(re.fullmatch(r"-?\d+,\d+", str(cell)) for cell in first):
        more += "; write 0.5, not 0,5"
    raise ValueError(
        f"{source}, column {cells.name}: expected {expected}. Received in {len(rows)} "
        f"of {len(cells)} rows: {shown}{more}"
    )
