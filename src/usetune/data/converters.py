"""Converters of training data from one format to another."""

import numpy as np
import pandas as pd

from usetune.data.counts import with_counts
from usetune.data.formats import (
    BINARY,
    CLASSES,
    GROUP_COLUMNS,
    POSITIVE,
    TRIPLETS,
    Format,
    check_rows,
    text_columns,
)
from usetune.data.tables import require_columns

# More pairs than this are made only where ``per_class`` asks for them.
_MOST_PAIRS = 10_000_000


def pairs_from_triplets(triplets: pd.DataFrame) -> pd.DataFrame:
    """Take triplets apart: anchor and positive get the label 1, the negative 0.

    Equal pairs count once. A negative that is a positive of the same anchor elsewhere
    is left out.

    Args:
        triplets: DataFrame anchor, positive, and negative or negative_1, …

    Returns:
        DataFrame base, ref, label (0 or 1), and occupation and group where
        ``triplets`` has them. `counts` has the triplets, the pairs and what is left
        out.

    Raises:
        ValueError: if ``triplets`` lacks a column, has no rows or an empty cell.
    """
    several = [*POSITIVE.columns, "negative_1"]
    table = require_columns(triplets, "triplets", TRIPLETS.columns, several)
    names = [name for name in text_columns(table) if name.startswith("negative")]
    format = Format(TRIPLETS.name, (*POSITIVE.columns, *names))
    table = check_rows(table, format, "triplets")
    owners = [column for column in GROUP_COLUMNS if column in table]
    pairs = table.reset_index(drop=True).melt(
        ["anchor", *owners], var_name="label", value_name="ref", ignore_index=False
    )
    pairs["label"] = (pairs["label"] == "positive").astype("int64")
    # The pairs of a triplet come together.
    pairs = pairs.sort_index(kind="stable").rename(columns={"anchor": "base"})
    best = pairs.groupby(["base", "ref"])["label"].transform("max")
    kept = pairs[pairs["label"] == best]
    result = kept[["base", "ref", "label", *owners]]
    result = result.drop_duplicates(["base", "ref"], ignore_index=True)
    return _converted(
        result,
        {
            "triplets": len(table),
            "pairs of them": len(pairs),
            "left out as positives elsewhere": len(pairs) - len(kept),
            "left out as equal": len(kept) - len(result),
            "pairs": len(result),
        },
    )


def positive_pairs_from_labelled(pairs: pd.DataFrame) -> pd.DataFrame:
    """Keep the pairs with the label 1, as positive pairs.

    Args:
        pairs: DataFrame base, ref, label (0 or 1).

    Returns:
        DataFrame anchor, positive, and occupation and group where ``pairs`` has them.
        `counts` has the pairs, those left out and those kept.

    Raises:
        ValueError: if ``pairs`` lacks a column, has no rows, an empty cell, a label
            other than 0 and 1, or no label 1.
    """
    table = require_columns(pairs, "pairs", BINARY.columns)
    table = check_rows(table, BINARY, "pairs")
    kept = table[table["label"] == 1]
    if kept.empty:
        raise ValueError("pairs must have the label 1 in some row. Received: only 0")
    result = kept.drop(columns="label").reset_index(drop=True)
    result = result.rename(columns={"base": "anchor", "ref": "positive"})
    return _converted(
        result,
        {
            "pairs": len(table),
            "left out, labelled 0": len(table) - len(result),
            "positive pairs": len(result),
        },
    )


def triplets_from_classes(
    texts: pd.DataFrame, per_anchor: int = 1, limit: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """Draw triplets: a text, another one of its class, and one of another class.

    A text that occurs in several classes would be right and wrong at once, and is left
    out. A text that is alone in its class serves as a negative only.

    Args:
        texts: DataFrame text, label (of any type).
        per_anchor: number of triplets drawn for each text, at least 1.
        limit: maximum number of triplets, drawn from all at random; None for all.
        seed: seed of the random draw.

    Returns:
        DataFrame anchor, positive, negative, class by class. `counts` has the texts and
        those left out, the triplets asked for, and those left out.

    Raises:
        ValueError: if ``texts`` lacks a column, has no rows or an empty cell, holds
            fewer than two classes or none of two texts, or a number is below 1.
    """
    _check_number("per_anchor", per_anchor)
    _check_number("limit", limit)
    table, numbers = _by_class(texts)
    classes = table["class"].to_numpy()
    sizes = np.bincount(classes)
    if len(sizes) < 2:
        raise ValueError(
            "texts must be of at least two classes. "
            f"Received: {table['label'].unique().tolist()}"
        )
    anchors = np.flatnonzero(sizes[classes] > 1)
    asked = len(anchors) * per_anchor
    generator = np.random.default_rng(seed)
    drawn = _drawn(asked, limit, generator)
    anchors = anchors[drawn // per_anchor]
    size = sizes[classes[anchors]]
    first = (np.cumsum(sizes) - sizes)[classes[anchors]]
    # A class is a range of rows. Draw a number among the other rows, and step over the
    # anchor, or over the anchor's class.
    positives = first + generator.integers(size - 1)
    positives += positives >= anchors
    negatives = generator.integers(len(table) - size)
    negatives += np.where(negatives >= first, size, 0)
    values = table["text"].to_numpy()
    triplets = pd.DataFrame(
        {
            "anchor": values[anchors],
            "positive": values[positives],
            "negative": values[negatives],
        }
    )
    result = triplets.drop_duplicates(ignore_index=True)
    return _converted(
        result,
        {
            **numbers,
            "triplets asked for": asked,
            "left out by limit": asked - len(drawn),
            "left out as drawn twice": len(drawn) - len(result),
            "triplets": len(result),
        },
    )


def positive_pairs_from_classes(
    texts: pd.DataFrame, per_class: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """Pair the texts of each class: every two of them once, or some pairs at random.

    A class of n texts has n (n - 1) / 2 pairs; with ``per_class`` no more than that
    number are ever made. A text that occurs in several classes is left out.

    Args:
        texts: DataFrame text, label (of any type).
        per_class: maximum number of pairs of each class; None for all, up to 10,000,000
            in total.
        seed: seed of the random draw.

    Returns:
        DataFrame anchor, positive, label, class by class. `counts` has the texts and
        those left out, the possible pairs, and those left out.

    Raises:
        ValueError: if ``texts`` lacks a column, has no rows or an empty cell, or no
            class of two texts; if ``per_class`` is below 1, or None with more pairs
            than that.
    """
    _check_number("per_class", per_class)
    table, numbers = _by_class(texts)
    sizes = np.bincount(table["class"])
    totals = sizes * (sizes - 1) // 2
    possible = int(totals.sum())
    if per_class is None and possible > _MOST_PAIRS:
        raise ValueError(
            f"per_class must be given for more than {_MOST_PAIRS:,} pairs; these "
            f"classes make {possible:,}. Received: None"
        )
    generator = np.random.default_rng(seed)
    anchors, positives = [], []
    for first, total in zip(np.cumsum(sizes) - sizes, totals, strict=True):
        earlier, later = _couple(_drawn(total, per_class, generator))
        anchors.append(first + earlier)
        positives.append(first + later)
    rows = np.concatenate(anchors)
    values = table["text"].to_numpy()
    result = pd.DataFrame(
        {
            "anchor": values[rows],
            "positive": values[np.concatenate(positives)],
            "label": table["label"].to_numpy()[rows],
        }
    )
    return _converted(
        result,
        {
            **numbers,
            "possible pairs": possible,
            "left out by per_class": possible - len(result),
            "pairs": len(result),
        },
    )


def _converted(table: pd.DataFrame, numbers: dict[str, int]) -> pd.DataFrame:
    """Store what was counted; the attributes of the input are not the table's."""
    table.attrs = {}
    return with_counts(table, numbers)


def _check_number(name: str, number: int | None) -> None:
    if number is not None and number < 1:
        raise ValueError(f"{name} must be at least 1. Received: {number}")


def _by_class(texts: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Texts of one class only, sorted by its number, and what was counted."""
    table = require_columns(texts, "texts", CLASSES.columns)
    checked = check_rows(table[["text"]], Format(CLASSES.name, ("text",)), "texts")
    table = checked.assign(label=table["label"])
    unlabelled = np.flatnonzero(table["label"].isna())
    if unlabelled.size:
        raise ValueError(
            f"texts, column label: expected a class. Received in {len(unlabelled)} of "
            f"{len(table)} rows: none in row {unlabelled[0] + 1}"
        )
    distinct = table.drop_duplicates()
    single = distinct[~distinct["text"].duplicated(keep=False)].copy()
    single["class"] = pd.factorize(single["label"])[0]
    alone = ~single["class"].duplicated(keep=False)
    if alone.all():
        raise ValueError(
            "texts must hold a class of at least two texts. "
            f"Received: {len(single)} texts of as many classes"
        )
    numbers = {
        "texts": len(table),
        "left out as equal": len(table) - len(distinct),
        "left out, of several classes": len(distinct) - len(single),
        "alone in their class": int(alone.sum()),
    }
    return single.sort_values("class", kind="stable", ignore_index=True), numbers


def _drawn(total: int, most: int | None, generator: np.random.Generator) -> np.ndarray:
    """The numbers below ``total``, or ``most`` of them drawn at random, ascending."""
    if most is None or total <= most:
        return np.arange(total)
    return np.sort(generator.choice(total, most, replace=False))


def _couple(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Couples i < j by their numbers, which count (0, 1), (0, 2), (1, 2), (0, 3).

    The root is exact enough for numbers below 10**15, a class of 44 million texts.
    """
    later = ((1 + np.sqrt(8.0 * numbers + 1)) / 2).astype(np.int64)
    return numbers - later * (later - 1) // 2, later
