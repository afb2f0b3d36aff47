"""Converters of texts with a class into pairs and triplets."""

import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least
from usetune._utils.warn import warn
from usetune.data.columns import refuse_cells, require_columns
from usetune.data.converters import converted
from usetune.data.formats import CLASSES, TRIPLETS, Format, check_rows

# More pairs than this are made only where ``per_class`` asks for them.
_MOST_PAIRS = 10_000_000


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
    check_at_least("per_anchor", per_anchor)
    check_at_least("limit", limit)
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
    rows = np.column_stack([anchors, positives, negatives])
    texts = table["text"].to_numpy()[rows]
    triplets = pd.DataFrame(texts, columns=TRIPLETS.columns)
    result = triplets.drop_duplicates(ignore_index=True)
    return converted(
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
    check_at_least("per_class", per_class)
    table, numbers = _by_class(texts)
    sizes = np.bincount(table["class"])
    totals = sizes * (sizes - 1) // 2
    possible = int(totals.sum())
    if per_class is None and possible > _MOST_PAIRS:
        raise ValueError(
            f"per_class must be given for more than {_MOST_PAIRS:,} pairs; these "
            f"classes make {possible:,}. Received: None"
        )
    if np.count_nonzero(totals) == 1:
        warn(
            "texts: all pairs are of one class, so that in a batch of them no text is "
            "a negative of another: in-batch losses learn nothing"
        )
    generator = np.random.default_rng(seed)
    couples = [
        end - size + _couples(_drawn(total, per_class, generator), size)
        for end, size, total in zip(np.cumsum(sizes), sizes, totals, strict=True)
    ]
    anchors, positives = np.concatenate(couples, axis=1)
    texts = table["text"].to_numpy()
    result = pd.DataFrame(
        {
            "anchor": texts[anchors],
            "positive": texts[positives],
            "label": table["label"].to_numpy()[anchors],
        }
    )
    return converted(
        result,
        {
            **numbers,
            "possible pairs": possible,
            "left out by per_class": possible - len(result),
            "pairs": len(result),
        },
    )


def _by_class(texts: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Texts of one class only, sorted by its number, and what was counted."""
    table = require_columns(texts, "texts", CLASSES.columns)
    checked = check_rows(table[["text"]], Format(CLASSES.name, ("text",)), "texts")
    table = checked.assign(label=table["label"])
    labels = table["label"]
    refuse_cells(labels, labels.isna().to_numpy(), "texts", "a class")
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


def _couples(numbers: np.ndarray, size: int) -> np.ndarray:
    """Couples i < j of a class, (2, n), numbered (0, 1), (0, 2), (1, 2), (0, 3)."""
    j = np.arange(size)
    # The number of the first couple of each j.
    first = j * (j - 1) // 2
    later = np.searchsorted(first, numbers, side="right") - 1
    return np.array([numbers - first[later], later])
