"""ESCO occupations → positive pairs."""

import pandas as pd

from usetune.occupations import occupation_labels

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
