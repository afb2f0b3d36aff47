"""ESCO occupations → positive pairs."""

import numpy as np
import pandas as pd

from usetune.data.esco import all_labels, occupation_labels
from usetune.similarity import angular_similarity

_MINOR_GROUP_DIGITS = 3


def positive_pairs_from_occupations(occupations: pd.DataFrame) -> pd.DataFrame:
    """Make positive pairs: a label and the preferred label of its occupation.

    A label that several occupations share is left out: it would be right and wrong at
    once.

    Args:
        occupations: as `load_occupations` returns.

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


COSINE_DESCRIPTION = 1.0
COSINE_ALTERNATIVE = 0.7
COSINE_UNRELATED = 0.0
# The target for texts of two occupations whose ISCO codes agree in their first 0, 1, …
# digits: nearer groups are more alike, and all less than a label and its alternative.
COSINE_OF_COMMON_DIGITS = (COSINE_UNRELATED, 0.1, 0.2, 0.35, 0.5)
# Occupations whose ISCO codes agree in so many digits are not called unrelated.
_RELATED_DIGITS = 2


def scored_pairs_from_occupations(
    occupations: pd.DataFrame,
    anchors: list[str] | None = None,
    unrelated: int = 2,
    isco_distance: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Make training pairs by the article's scheme.

    Each anchor, an English preferred label, is paired with its own descriptions
    (cosine 1), with its alternative labels and its labels in other languages (0.7),
    and with texts of other occupations.

    Args:
        occupations: as `load_occupations` returns.
        anchors: English preferred labels. Default: all of them.
        unrelated: pairs with other occupations for each pair with the own one.
        isco_distance: False draws the other texts from other ISCO sub-major groups,
            all of cosine 0. True draws them evenly from the distances in ISCO that
            there are, with the cosines of `COSINE_OF_COMMON_DIGITS`.
        seed: of the draw and of the order of the rows.

    Returns:
        DataFrame base, ref (str), similarity (float64 in [0.5, 1]) in random order; no
        pair twice. ``attrs["counts"]``: pairs of each kind, and texts of the own
        occupation left out as repeated.

    Raises:
        ValueError: if an anchor is no English preferred label, or too few texts of
            other occupations exist.
    """
    english = occupations[occupations["language"] == "en"].set_index("preferredLabel")
    if anchors is None:
        anchors = list(english.index)
    unknown = [anchor for anchor in anchors if anchor not in english.index]
    if unknown:
        raise ValueError(f"anchors that are no English preferred label: {unknown}")
    generator = np.random.default_rng(seed)
    texts = _texts(occupations)
    of_occupation = texts.groupby("conceptUri").indices
    others = _OtherTexts(texts, isco_distance)
    pairs, repeated = [], 0
    for anchor in anchors:
        uri, code = english.loc[anchor, ["conceptUri", "iscoGroup"]]
        own = texts.iloc[of_occupation[uri]]
        kept = own[own["text"] != anchor].drop_duplicates("text")
        # The anchor itself is one of its labels.
        repeated += len(own) - len(kept) - 1
        count = unrelated * len(kept)
        drawn, cosines = others.draw(
            anchor, code, kept["text"].to_numpy(), count, generator
        )
        refs = [*kept["text"], *drawn]
        cosine = [*kept["cosine"], *cosines]
        pairs.append(pd.DataFrame({"base": anchor, "ref": refs, "cosine": cosine}))
    table = pd.concat(pairs, ignore_index=True)
    table["similarity"] = np.asarray(angular_similarity(table["cosine"].to_numpy()))
    order = generator.permutation(len(table))
    counts = table["cosine"].value_counts().sort_index(ascending=False)
    table = table.loc[order, ["base", "ref", "similarity"]].reset_index(drop=True)
    table.attrs["counts"] = {
        **{f"pairs of cosine {cosine:g}": int(n) for cosine, n in counts.items()},
        "repeated in their occupation": repeated,
    }
    return table


class _OtherTexts:
    """Draws texts of other occupations for an anchor."""

    def __init__(self, texts: pd.DataFrame, isco_distance: bool) -> None:
        self._isco_distance = isco_distance
        self._texts = texts[["text", "iscoGroup"]].drop_duplicates()
        self._between: dict[tuple[str, str | None], np.ndarray] = {}

    def _classes(self, code: str) -> list[tuple[np.ndarray, float]]:
        """Texts and their cosine, for each distance that is drawn from."""
        if not self._isco_distance:
            return [(self._ring("", code[:_RELATED_DIGITS]), COSINE_UNRELATED)]
        prefixes = [code[:digits] for digits in range(len(code) + 1)]
        return [
            (self._ring(outer, inner), COSINE_OF_COMMON_DIGITS[len(outer)])
            for outer, inner in zip(prefixes, [*prefixes[1:], None], strict=True)
        ]

    def _ring(self, outer: str, inner: str | None) -> np.ndarray:
        """Sorted texts under one ISCO prefix and under no occupation of another."""
        if (outer, inner) not in self._between:
            within = self._under(outer)
            if inner is not None:
                within = _without(within, self._under(inner))
            self._between[outer, inner] = within
        return self._between[outer, inner]

    def _under(self, prefix: str) -> np.ndarray:
        within = self._texts["iscoGroup"].str.startswith(prefix)
        return np.unique(self._texts.loc[within, "text"].to_numpy(dtype=object))

    def draw(
        self,
        anchor: str,
        code: str,
        own: np.ndarray,
        count: int,
        generator: np.random.Generator,
    ) -> tuple[list[str], list[float]]:
        own = np.append(own, anchor)
        classes = [
            (_without(texts, own), cosine) for texts, cosine in self._classes(code)
        ]
        available = sum(len(texts) for texts, _ in classes)
        if count > available:
            raise ValueError(
                f"{anchor!r} needs {count} texts of other occupations, and "
                f"{available} exist"
            )
        drawn: list[str] = []
        cosines: list[float] = []
        # The smallest classes first: what they lack comes from the larger ones.
        classes.sort(key=lambda entry: len(entry[0]))
        for number, (texts, cosine) in enumerate(classes):
            share = (count - len(drawn)) // (len(classes) - number)
            share = min(share, len(texts))
            drawn += list(generator.choice(texts, share, replace=False))
            cosines += [cosine] * share
        return drawn, cosines


def _without(ordered: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """A sorted array without some of its values."""
    places = np.searchsorted(ordered, left_out)
    inside = places < len(ordered)
    places, left_out = places[inside], left_out[inside]
    return np.delete(ordered, places[ordered[places] == left_out])


def _texts(occupations: pd.DataFrame) -> pd.DataFrame:
    """Every text with its occupation, its ISCO code and its cosine to the anchor."""
    labels = all_labels(occupations).assign(cosine=COSINE_ALTERNATIVE)
    descriptions = occupations.assign(
        text=occupations["description"], cosine=COSINE_DESCRIPTION
    )
    texts = pd.concat([descriptions, labels], ignore_index=True)
    return texts[["conceptUri", "iscoGroup", "text", "cosine"]]
