"""ESCO occupations → positive pairs, and their hard negatives."""

import pandas as pd

from usetune.occupations import occupation_labels
from usetune.retrieval import nearest
from usetune.sts import TextEncoder

_MINOR_GROUP_DIGITS = 3


def label_pairs(occupations: pd.DataFrame) -> pd.DataFrame:
    """Make positive pairs: a label and the preferred label of its occupation.

    A label that several occupations share is left out: it would be right and wrong at
    once.

    Args:
        occupations: as `read_occupations` returns.

    Returns:
        DataFrame anchor (a label), positive (the preferred label in the first of the
        file's languages), occupation (conceptUri) and group (ISCO minor group, three
        digits), one row for each further label. ``attrs["counts"]``: as of
        `occupation_labels`, and the labels left out as shared.
    """
    labels = occupation_labels(occupations)
    names = _names(labels)
    pairs = labels.drop(index=names.index).merge(
        names[["conceptUri", "text"]], on="conceptUri", suffixes=("", "_name")
    )
    kept = pairs[~pairs["shared"]]
    result = pd.DataFrame(
        {
            "anchor": kept["text"],
            "positive": kept["text_name"],
            "occupation": kept["conceptUri"],
            "group": kept["iscoGroup"].str[:_MINOR_GROUP_DIGITS],
        }
    ).reset_index(drop=True)
    result.attrs["counts"] = {
        **labels.attrs["counts"],
        "left out as shared": len(pairs) - len(kept),
        "pairs": len(result),
    }
    return result


def _names(labels: pd.DataFrame) -> pd.DataFrame:
    """Of each occupation the preferred label in the first of its languages."""
    return labels[labels["preferred"]].drop_duplicates("conceptUri")


def hard_negatives(
    encoder: TextEncoder,
    pairs: pd.DataFrame,
    occupations: pd.DataFrame,
    count: int = 1,
) -> pd.DataFrame:
    """Add to each pair the nearest wrong occupations.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)`` of unit length.
        pairs: as `label_pairs` returns.
        occupations: as `read_occupations` returns; all its preferred labels are
            candidates, but those of occupations that have the anchor as a label. Leave
            out what is held out, or its names are trained on.
        count: negatives of each pair.

    Returns:
        ``pairs`` with the columns negative_1, negative_2, …, the nearest first.

    Raises:
        ValueError: if ``count`` is not positive or there are too few occupations.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1. Received: {count}")
    labels = occupation_labels(occupations)
    names = _names(labels)
    owners = labels.groupby("text")["conceptUri"].agg(set)
    anchors = pairs["anchor"].tolist()
    right = [
        owners.get(anchor, set()) | {occupation}
        for anchor, occupation in zip(anchors, pairs["occupation"], strict=True)
    ]
    most = count + max(map(len, right), default=0)
    candidates = encoder.encode(names["text"].tolist())
    found, _ = nearest(encoder.encode(anchors), candidates, min(most, len(names)))
    uris, texts = names["conceptUri"].to_numpy(), names["text"].to_numpy()
    rows = []
    for anchor, ranked, own in zip(anchors, found, right, strict=True):
        wrong = [texts[row] for row in ranked if uris[row] not in own][:count]
        if len(wrong) < count:
            raise ValueError(
                f"count must be at most the number of wrong occupations, here "
                f"{len(wrong)} for {anchor!r}. Received: {count}"
            )
        rows.append(wrong)
    columns = [f"negative_{number}" for number in range(1, count + 1)]
    return pairs.join(pd.DataFrame(rows, columns=columns, index=pairs.index))
