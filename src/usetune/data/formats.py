"""The formats of training data: their columns and what these may hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from usetune._utils.checks import check_choice
from usetune.data.columns import as_number, check_columns, check_table, refuse_cells
from usetune.data.scales import scale_hint

# What names the thing, or the group of things, that texts are about.
GROUP_COLUMNS = ("occupation", "concept", "group")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT_COLUMN = re.compile(r"base|ref|anchor|positive|negative(_\d+)?|text")


@dataclass(frozen=True)
class Format:
    """A format of training data.

    Attributes:
        name: what people call it.
        columns: those that it must have.
    """

    name: str
    columns: tuple[str, ...]


SCORED = Format("scored pairs", ("base", "ref", "similarity"))
BINARY = Format("pairs labelled 0 or 1", ("base", "ref", "label"))
LABELLED = Format("pairs labelled with a class", ("base", "ref", "label"))
POSITIVE = Format("positive pairs", ("anchor", "positive"))
TRIPLETS = Format("triplets", ("anchor", "positive", "negative"))
CLASSES = Format("texts with a class", ("text", "label"))
FORMATS = (SCORED, BINARY, LABELLED, POSITIVE, TRIPLETS, CLASSES)


def text_columns(table: pd.DataFrame) -> list[str]:
    """Names of the columns that hold texts."""
    # Of a DataFrame, numbers may be names as well.
    return [name for name in table if _TEXT_COLUMN.fullmatch(str(name))]


def format_of(
    table: pd.DataFrame, name: str | None = None, source: str = "pairs"
) -> Format:
    """The format of a table, recognised by its columns.

    Pairs with a label are `BINARY` if every label is 0 or 1, otherwise `LABELLED`.

    Args:
        table: training data.
        name: name of the format, where the columns would fit several.
        source: what the errors call the table.

    Raises:
        ValueError: if no format fits, several do, or the one named does not, or two
            columns have one name.
    """
    check_table(table, source)
    if name is not None:
        check_choice("format", name, [format.name for format in FORMATS])
    named = [format for format in FORMATS if name in (None, format.name)]
    check_columns(table.columns, source, *(format.columns for format in named))
    fitting = [format for format in named if {*format.columns} <= {*table.columns}]
    if {BINARY, LABELLED} <= {*fitting}:
        binary = _numbers(table["label"]).isin([0, 1]).all()
        fitting.remove(LABELLED if binary else BINARY)
    if {POSITIVE, TRIPLETS} <= {*fitting}:
        fitting.remove(POSITIVE)
    if len(fitting) > 1:
        names = " and ".join(format.name for format in fitting)
        raise ValueError(
            f"{source}: the columns fit {names}; say which with format=, or leave out "
            f"columns. Received: {[*table.columns]}"
        )
    return fitting[0]


def check_rows(table: pd.DataFrame, format: Format, source: str) -> pd.DataFrame:
    """Check every cell, and keep the columns that training looks at.

    Args:
        table: left as it is.
        format: what it should be.
        source: what the errors call it.

    Returns:
        DataFrame of the texts, the similarity (float64) or label (int64), and the
        columns occupation and group where there are any, with the index of ``table``.

    Raises:
        ValueError: naming ``source``, column, the first lines of the file or rows
            (from 1) at fault and what they hold, if a column is missing or comes
            twice, there are no rows, or a cell is wrong: a text that is empty or
            missing or holds lone surrogates, a similarity outside of [0, 1], a label
            that is not a whole number from 0 (`BINARY`: 0 or 1). Booleans, times and
            durations are no numbers.
    """
    check_table(table, source)
    check_columns(table.columns, source, format.columns)
    if not len(table):
        raise ValueError(f"{source} has no rows")
    names = [*format.columns]
    if format is POSITIVE:
        names += [name for name in text_columns(table) if name.startswith("negative_")]
    names += [name for name in GROUP_COLUMNS if name in table]
    if format is POSITIVE and "label" in table:
        names.append("label")
    rules = _RULES | {"label": _BINARY} if format is BINARY else _RULES
    checked = table[names].assign(
        **{name: _numbers(table[name]) for name in names if name in rules}
    )
    for name in names:
        expected, are_right = rules.get(name, _TEXT)
        wrong = ~np.asarray(are_right(checked[name]), bool)
        if name == "similarity":
            expected += scale_hint(checked[name])
        refuse_cells(table[name], wrong, source, expected)
    return checked.astype({"label": "int64"}) if "label" in checked else checked


def are_texts(cells: pd.Series) -> np.ndarray:
    """Which cells are texts: not empty, without lone surrogates; bool (rows,)."""
    return np.array([_is_text(cell) for cell in cells.tolist()], bool)


def _is_text(cell: object) -> bool:
    return (
        isinstance(cell, str)
        and not cell.isspace()
        and cell != ""
        and (cell.isascii() or not _SURROGATE.search(cell))
    )


def _numbers(cells: pd.Series) -> pd.Series:
    """Cells as float64, NaN where they are no numbers."""
    if cells.dtype.kind in "iuf":
        return cells.astype("float64")
    numbers = [as_number(cell) for cell in cells.tolist()]
    return pd.Series(numbers, cells.index, "float64")


# What a cell must be, for errors; and which cells are.
_Rule = tuple[str, Callable[[pd.Series], pd.Series | np.ndarray]]
_TEXT: _Rule = ("a text that is not empty and can be written as UTF-8", are_texts)
_BINARY: _Rule = ("0 or 1", lambda numbers: numbers.isin([0, 1]))
_RULES: dict[str, _Rule] = {
    "similarity": ("a number in [0, 1]", lambda numbers: numbers.between(0, 1)),
    # Keras hands labels to losses as float32, exact up to 2**24.
    "label": (
        "a whole number from 0 to 16,777,216 (pandas.factorize numbers names)",
        lambda numbers: numbers.between(0, 2**24) & (numbers % 1 == 0),
    ),
}
