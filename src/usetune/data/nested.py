"""Rows whose cells are lists of texts, taken apart."""

from itertools import cycle, islice

import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least
from usetune._utils.warn import warn
from usetune.data.columns import refuse_cells
from usetune.data.counts import with_counts
from usetune.data.formats import text_columns


def unnested(table: pd.DataFrame, per_row: int | None, source: str) -> pd.DataFrame:
    """Make examples of rows that hold lists of texts.

    A row gives as many examples as its longest list has texts: each text of each list
    comes at least once, those of a shorter list again from its beginning.

    Args:
        table: left as it is.
        per_row: the most examples of a row, those from the beginning of its lists; None
            for all.
        source: what the errors call it.

    Returns:
        ``table`` itself, if no column of texts holds lists. Otherwise a table of texts,
        whose index says of which row of ``table`` each is. `counts` has the rows, those
        left out as one of their lists is empty, and the examples.

    Raises:
        ValueError: if ``per_row`` is below 1, or a column holds lists and other cells.
    """
    check_at_least("per_row", per_row)
    lists = {name: [*map(_is_list, table[name])] for name in text_columns(table)}
    nested = [name for name, are_lists in lists.items() if any(are_lists)]
    if not nested:
        return table
    for name in nested:
        wrong = ~(np.array(lists[name]) | table[name].isna().to_numpy())
        refuse_cells(table[name], wrong, source, "a list of texts")
    cells = {
        name: [cell if _is_list(cell) else [] for cell in table[name]]
        for name in nested
    }
    sizes = np.array([[*map(len, own)] for own in cells.values()])
    asked = np.where(sizes.min(axis=0) > 0, sizes.max(axis=0), 0)
    kept = asked if per_row is None else np.minimum(asked, per_row)
    for name, own in cells.items():
        both = zip(own, kept, strict=True)
        cells[name] = [[*islice(cycle(texts), size)] for texts, size in both]
    if table.index.name != "line":
        table = table.set_axis(pd.RangeIndex(1, len(table) + 1, name="row"))
    result = table.assign(**cells)[kept > 0].explode(nested)
    empty = int((asked == 0).sum())
    if empty:
        warn(f"{source}: {empty} of {len(table)} rows have no text in one of {nested}")
    numbers = {
        "rows": len(table),
        "left out, without texts": empty,
        "examples of them": int(asked.sum()),
        "left out by per_row": int(asked.sum()) - len(result),
        "examples": len(result),
    }
    return with_counts(result, numbers)


def _is_list(cell: object) -> bool:
    return isinstance(cell, (list, tuple, np.ndarray))
