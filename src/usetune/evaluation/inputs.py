"""What evaluators are given, checked: tables, texts, and their embeddings."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from usetune._utils.text import checked_texts
from usetune.data.columns import require_columns
from usetune.data.formats import Format, check_rows
from usetune.protocols import TextEncoder


def checked_table(data: Sequence[Any], format: Format, source: str) -> pd.DataFrame:
    """The columns of a format, of a table or given one by one.

    Args:
        data: a DataFrame, or a sequence for each column of ``format``.
        format: what the table should be.
        source: what errors call it.

    Raises:
        TypeError: if it is neither.
        ValueError: if a column is missing, there are no rows, or a cell is wrong.
    """
    names = [*format.columns]
    if len(data) == len(names) and all(map(_is_column, data)):
        lengths = [len(column) for column in data]
        if len({*lengths}) > 1:
            raise ValueError(f"{names} must have one length. Received: {lengths}")
        table = pd.DataFrame(dict(zip(names, map(list, data), strict=True)))
    elif len(data) == 1 and isinstance(data[0], pd.DataFrame):
        table = require_columns(data[0], source, names)
    else:
        raise TypeError(
            f"{source} must be a DataFrame with the columns {names}, or a list for "
            f"each. Received: {', '.join(type(given).__name__ for given in data)}"
        )
    return check_rows(table[names], format, source)


def _is_column(given: Any) -> bool:
    is_sequence = isinstance(given, (Sequence, np.ndarray, pd.Series))
    return is_sequence and not isinstance(given, (str, bytes))


def distinct(corpus: Iterable[str], least: int = 1) -> pd.Index:
    """The texts of a corpus, which find their rows in it.

    Raises:
        TypeError: if it is no sequence of texts.
        ValueError: if there are fewer than ``least``, or one is there twice.
    """
    rows = pd.Index(checked_texts(corpus, "corpus"))
    if not rows.is_unique or len(rows) < least:
        raise ValueError(
            f"corpus must hold at least {least} texts, each once. Received: "
            f"{len(rows)}, twice {rows[rows.duplicated()].tolist()[:5]}"
        )
    return rows


def embed(encoder: TextEncoder, texts: Sequence[str]) -> np.ndarray:
    """Embed texts, and refuse what cannot be measured.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        texts: what is embedded.

    Returns:
        Float array (n, dim).

    Raises:
        ValueError: if an embedding is not finite, as after a training that diverged, or
            there is not one for each text.
    """
    embeddings = np.asarray(encoder.encode(list(texts)))
    if embeddings.ndim != 2 or len(embeddings) != len(texts):
        raise ValueError(
            f"encoder must give an array ({len(texts)}, dim) for so many texts. "
            f"Received: shape {embeddings.shape}"
        )
    faulty = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if faulty.size:
        raise ValueError(
            "encoder must give finite embeddings. Received: others in "
            f"{faulty.size} of {len(texts)} rows, the first for "
            f"{texts[faulty[0]]!r:.80}"
        )
    return embeddings
