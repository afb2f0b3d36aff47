"""The formats of training data: their columns and what these may hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

# What names the thing, or the group of things, that texts are about.
GROUP_COLUMNS = ("occupation", "group")
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
    return [column for column in table if _TEXT_COLUMN.fullmatch(column)]


def format_of(table: pd.DataFrame, name: str | None = None) -> Format:
    """The format of a table, recognised by its columns.

    Pairs with a label are `BINARY` if every label is 0 or 1, otherwise `LABELLED`.

    Args:
        table: training data.
        name: name of the format, where the columns would fit several.

    Raises:
        ValueError: if no format fits, several do, or the one named does not.
    """
    named = [format for format in FORMATS if name in (None, format.name)]
    if not named:
        raise ValueError(
            f"format must be one of {[format.name for format in FORMATS]}. "
            f"Received: {name!r}"
        )
    fitting = [format for format in named if {*format.columns} <= {*table.columns}]
    if {BINARY, LABELLED} <= {*fitting}:
        # As text too: cells of a CSV file are what is written there.
        binary = table["label"].isin([0, 1, "0", "1"]).all()
        fitting.remove(LABELLED if binary else BINARY)
    if {POSITIVE, TRIPLETS} <= {*fitting}:
        fitting.remove(POSITIVE)
    if len(fitting) == 1:
        return fitting[0]
    found = f"Received: {list(table.columns)}"
    if fitting:
        raise ValueError(
            f"the columns fit {' and '.join(format.name for format in fitting)}; say "
            f"which with format=, or leave out columns. {found}"
        )
    expected = " or ".join(str(list(format.columns)) for format in named)
    raise ValueError(f"pairs must have the columns {expected}. {found}")


def check_rows(table: pd.DataFrame, format: Format, source: str) -> pd.DataFrame:
    """Check every cell, and keep the columns that training looks at.

    Args:
        table: has the columns of ``format``; left as it is.
        format: what it should be.
        source: what the errors call it.

    Returns:
        DataFrame of the texts, the similarity (float64) or label (int64), and the
        columns occupation and group where there are any, with the index of ``table``.

    Raises:
        ValueError: naming ``source``, column, the first rows at fault (counted from 1)
            and what they hold, if there are no rows, or a cell is wrong: a text that
            is empty or missing, a similarity outside of [0, 1], a label that is not a
            whole number from 0 (`BINARY`: 0 or 1).
    """
    if table.empty:
        raise ValueError(f"{source} has no rows")
    names = [*format.columns]
    if format is POSITIVE:
        names += [name for name in table if re.fullmatch(r"negative_\d+", name)]
    cells = {
        "similarity": _SIMILARITY,
        "label": _BINARY if format is BINARY else _LABEL,
    }
    schema = {name: cells.get(name, _TEXT) for name in names}
    schema |= {name: _TEXT for name in GROUP_COLUMNS if name in table}
    if format is POSITIVE and "label" in table:
        schema["label"] = _LABEL
    kept = table[list(schema)]
    try:
        checked = pa.DataFrameSchema(schema).validate(
            kept.reset_index(drop=True), lazy=True
        )
    except pa.errors.SchemaErrors as error:
        fault = error.failure_cases.iloc[0]
        column, expected = fault["column"], fault["check"]
        faults = error.failure_cases.query("column == @column")
        rows = np.sort(faults["index"].astype(int).unique())
        first = kept[column].reset_index(drop=True).loc[rows[:5]].to_dict()
        shown = "; ".join(f"row {row + 1}: {cell!r}" for row, cell in first.items())
        raise ValueError(
            f"{source}, column {column}: expected {expected}. Received in {len(rows)} "
            f"of {len(table)} rows: {shown}{'; …' if len(rows) > 5 else ''}"
        ) from None
    if "label" in checked:
        checked["label"] = checked["label"].astype("int64")
    return checked.set_index(table.index)


def _numbers(cells: pd.Series) -> pd.Series:
    return pd.to_numeric(cells, errors="coerce").astype("float64")


def _cells(
    expected: str, are_right: Callable[[pd.Series], pd.Series], numbers: bool = False
) -> pa.Column:
    return pa.Column(
        checks=pa.Check(are_right, error=expected, ignore_na=False),
        parsers=[pa.Parser(_numbers)] if numbers else None,
        nullable=True,
    )


_TEXT = _cells(
    "a text",
    lambda cells: cells.map(lambda cell: isinstance(cell, str) and cell.strip() != ""),
)
_SIMILARITY = _cells(
    "a number in [0, 1]", lambda cells: cells.between(0, 1), numbers=True
)
# Keras hands labels to losses as float32, exact up to 2**24.
_LABEL = _cells(
    "a whole number from 0 (pandas.factorize numbers names)",
    lambda cells: cells.between(0, 2**24) & (cells % 1 == 0),
    numbers=True,
)
_BINARY = _cells("0 or 1", lambda cells: cells.isin([0, 1]), numbers=True)
