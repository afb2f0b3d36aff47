"""The columns that a table must have, and cells that are not as they should be."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

# Characters that part cells in files of other programs, and their names.
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
# The most rows at fault that an error lists.
_MOST_SHOWN = 5


def check_columns(
    found: Iterable[object], source: str, *expected: Sequence[str], hint: str = ""
) -> None:
    """Refuse a table that lacks columns, or has two of one name.

    Args:
        found: names of its columns.
        source: what the errors call it.
        *expected: lists of columns; it must have all columns of one of them.
        hint: what to do about a column that is lacking.

    Raises:
        ValueError: naming ``source`` and the columns.
    """
    found = list(found)
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        empty = "; delete the commas at the ends of its lines" if "" in twice else ""
        raise ValueError(f"{source} has several columns of the names {twice}{empty}")
    if not expected or any({*names} <= {*found} for names in expected):
        return
    for separator, called in SEPARATORS.items():
        if len(found) == 1 and separator in str(found[0]):
            raise ValueError(
                f"{source} seems to have cells separated by {called}: "
                f"{found[0]!r:.80}; {with_commas(separator)}"
            )
    # By other spaces and capitals too.
    spelt = {str(name).strip().lower(): name for name in found}
    nearest = min(expected, key=lambda names: len({*map(str.lower, names)} - {*spelt}))
    lacking = [name for name in nearest if name not in found]
    near = [
        f"{spelt[name.lower()]!r} is not {name!r}"
        for name in lacking
        if name.lower() in spelt
    ]
    if near:
        hint = f"; spaces and capitals count: {', '.join(near)}"
    elif not all(math.isnan(as_number(name)) for name in found):
        hint = "; a header with the names of the columns seems to be missing"
    if not {*map(str.lower, nearest)} & {*spelt} and len(expected) > 1:
        wanted = " or ".join(dict.fromkeys(str([*names]) for names in expected))
        raise ValueError(
            f"{source} must have the columns {wanted}; found {found}{hint}"
        )
    raise ValueError(
        f"{source} lacks the columns {lacking}; expected {[*nearest]}, found {found}"
        f"{hint}"
    )


def with_commas(separator: str) -> str:
    """What to do about a file whose cells are separated by something else."""
    return f"save it with commas, or give pandas.read_csv(path, sep={separator!r})"


def check_table(table: object, source: str) -> None:
    """Raise TypeError if what should be a DataFrame is something else."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{source} must be a DataFrame: usetune.load_pairs(path) reads one, and "
            "pandas.DataFrame(rows, columns=['base', 'ref', 'similarity']) makes one "
            f"of rows. Received: {type(table).__name__}"
        )


def as_number(cell: Any) -> float:
    """The number that a cell is, or that is written in it; NaN if it is none.

    To Python a boolean is a number, and to NumPy a duration; here they are none.
    """
    if isinstance(cell, str) and ("_" in cell or not cell.isascii()):
        # Python takes 1_0 for 10, and digits of other scripts for these.
        return math.nan
    is_number = isinstance(cell, (str, Real, Decimal))
    if not is_number or isinstance(cell, (bool, np.timedelta64)):
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
        names: new names for columns of the table; None where nobody can give any.

    Raises:
        TypeError: if it is no DataFrame.
        ValueError: naming ``source`` and the columns that it lacks, or has twice.
    """
    check_table(table, source)
    check_columns(table.columns, source, [*(names or {})])
    table = table.rename(columns=names or {})
    hint = "" if names is None else "; names={'title': 'anchor'} renames a column"
    check_columns(table.columns, source, *expected, hint=hint)
    return table


def _shown(cell: Any) -> str:
    try:
        return f"{cell!r:.80}"
    except ValueError:
        # Python writes no integer of more than 4,300 digits.
        return f"something of the type {type(cell).__name__} that is too long"


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
        f"{kind} {places[row]}: {_shown(cell)}"
        for row, cell in zip(rows, first, strict=False)
    )
    more = "; …" if len(rows) > len(first) else ""
    if any(re.fullmatch(r"'-?\d+,\d+'", _shown(cell)) for cell in first):
        more += "; write 0.5, not 0,5"
    raise ValueError(
        f"{source}, column {cells.name}: expected {expected}. Received in {len(rows)} "
        f"of {len(cells)} rows: {shown}{more}"
    )
