"""Training pairs from ESCO's occupations: positive pairs and scored pairs."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from usetune.data.counts import counts, with_counts
from usetune.data.esco import all_labels, occupation_labels
from usetune.similarity import angular_similarity

# Targets of scored pairs: a preferred label with its description, with another label of
# its occupation, with a text of another occupation.
COSINE_DESCRIPTION = 1.0
COSINE_ALTERNATIVE = 0.7
COSINE_UNRELATED = 0.0
# The target for texts of two occupations whose ISCO codes agree in their first 0, 1, …
# digits: the nearer the groups the higher, and always lower than for another label.
COSINE_OF_COMMON_DIGITS = (COSINE_UNRELATED, 0.1, 0.2, 0.35, 0.5)
# Occupations whose ISCO codes agree in this many digits are not called unrelated.
_RELATED_DIGITS = 2
_MINOR_GROUP_DIGITS = 3


def positive_pairs_from_occupations(occupations: pd.DataFrame) -> pd.DataFrame:
    """Make positive pairs: a label and the preferred label of its occupation.

    A label that several occupations share is left out: it would be right and wrong at
    once.

    Args:
        occupations: as `load_occupations` returns.

    Returns:
        DataFrame anchor (a label), positive (the preferred label in the first of the
        file's languages), occupation (conceptUri), subgroup (ISCO unit group, four
        digits) and group (ISCO minor group, three digits), one row for each further
        label. `counts` has the counts of `occupation_labels`, the labels left out as
        shared, and the pairs.
    """
    labels = occupation_labels(occupations)
    names = labels[labels["preferred"]].drop_duplicates("conceptUri")
    pairs = labels.drop(index=names.index).merge(
        names[["conceptUri", "text"]], on="conceptUri", suffixes=("", "_name")
    )
    result = pd.DataFrame(
        {
            "anchor": pairs["text"],
            "positive": pairs["text_name"],
            "occupation": pairs["conceptUri"],
            "subgroup": pairs["iscoGroup"],
            "group": pairs["iscoGroup"].str[:_MINOR_GROUP_DIGITS],
        }
    )[~pairs["shared"]].reset_index(drop=True)
    return with_counts(
        result,
        {
            **counts(labels),
            "left out as shared": len(pairs) - len(result),
            "pairs": len(result),
        },
    )


def scored_pairs_from_occupations(
    occupations: pd.DataFrame,
    anchors: Sequence[str] | None = None,
    unrelated: int = 2,
    isco_distance: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Make scored pairs by the article's scheme.

    Each anchor, an English preferred label, is paired with its own descriptions
    (cosine 1), with its alternative labels and its labels in other languages (0.7),
    and with texts of other occupations.

    Args:
        occupations: as `load_occupations` returns.
        anchors: English preferred labels. Default: all of them.
        unrelated: number of pairs with texts of other occupations for each pair with a
            text of the anchor's own occupation.
        isco_distance: False draws the other texts from other ISCO sub-major groups,
            all with cosine 0. True draws them evenly from all distances in ISCO that
            occur, with the cosines of `COSINE_OF_COMMON_DIGITS`.
        seed: seed of the draw and of the order of the rows.

    Returns:
        DataFrame base, ref (str), similarity (float64 in [0.5, 1]) in random order; no
        pair occurs twice. `counts` has the pairs of each cosine, and the texts left out
        because they are repeated in their occupation.

    Raises:
        ValueError: if an anchor is not an English preferred label, or there are too few
            texts of other occupations.
    """
    english = occupations[occupations["language"] == "en"].set_index("preferredLabel")
    if anchors is None:
        anchors = list(english.index)
    unknown = [anchor for anchor in anchors if anchor not in english.index]
    if unknown:
        raise ValueError(f"anchors that are no English preferred label: {unknown}")
    generator = np.random.default_rng(seed)
    texts = _texts(occupations)
    own_texts: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for uri, text, cosine in texts[["conceptUri", "text", "cosine"]].to_numpy():
        own_texts[uri].append((text, cosine))
    codes = dict(zip(english.index, english["iscoGroup"], strict=True))
    uris = dict(zip(english.index, english["conceptUri"], strict=True))
    others = _OtherTexts(texts, isco_distance)
    rows, repeated = [], 0
    for anchor in anchors:
        own = own_texts[uris[anchor]]
        # The first of each text, but for the anchor itself, which is a label.
        kept: dict[str, float] = {}
        for text, cosine in own:
            kept.setdefault(text, cosine)
        del kept[anchor]
        repeated += len(own) - len(kept) - 1
        count = unrelated * len(kept)
        drawn = others.draw(anchor, codes[anchor], [*kept], count, generator)
        rows += [(anchor, *pair) for pair in (*kept.items(), *drawn)]
    table = pd.DataFrame(rows, columns=["base", "ref", "cosine"])
    table["similarity"] = np.asarray(angular_similarity(table["cosine"].to_numpy()))
    numbers = table["cosine"].value_counts().sort_index(ascending=False)
    order = generator.permutation(len(table))
    table = table.loc[order, ["base", "ref", "similarity"]].reset_index(drop=True)
    return with_counts(
        table,
        {
            **{f"pairs of cosine {cosine:g}": int(n) for cosine, n in numbers.items()},
            "repeated in their occupation": repeated,
        },
    )


def _texts(occupations: pd.DataFrame) -> pd.DataFrame:
    """Every text with its occupation, its ISCO code and its cosine to the anchor."""
    labels = all_labels(occupations).assign(cosine=COSINE_ALTERNATIVE)
    descriptions = occupations.assign(
        text=occupations["description"], cosine=COSINE_DESCRIPTION
    )
    texts = pd.concat([descriptions, labels], ignore_index=True)
    return texts[["conceptUri", "iscoGroup", "text", "cosine"]]


class _Ring:
    """Texts in their order, and the place of each."""

    def __init__(self, texts: Collection[str]) -> None:
        self._texts = np.array(sorted(texts), dtype=object)
        self._places = {text: place for place, text in enumerate(self._texts)}

    def without(self, texts: Collection[str]) -> np.ndarray:
        """The others, in their order."""
        places = [self._places[text] for text in texts if text in self._places]
        return np.delete(self._texts, places)


class _OtherTexts:
    """Draws texts of other occupations for an anchor.

    Args:
        texts: as `_texts` returns.
        isco_distance: see `scored_pairs_from_occupations`.
    """

    def __init__(self, texts: pd.DataFrame, isco_distance: bool) -> None:
        self._isco_distance = isco_distance
        self._texts = texts[["text", "iscoGroup"]].drop_duplicates()
        self._rings: dict[tuple[str, str | None], _Ring] = {}

    def draw(
        self,
        anchor: str,
        code: str,
        own: Collection[str],
        count: int,
        generator: np.random.Generator,
    ) -> list[tuple[str, float]]:
        """Draw texts, none twice, and give each its cosine.

        Args:
            anchor: a label.
            code: ISCO code of its occupation.
            own: the other texts of its occupation.
            count: number of texts to draw.
            generator: draws them.

        Raises:
            ValueError: if there are fewer texts.
        """
        classes = [
            (ring.without([*own, anchor]), cosine)
            for ring, cosine in self._classes(code)
        ]
        available = sum(len(texts) for texts, _ in classes)
        if count > available:
            raise ValueError(
                f"{anchor!r} needs {count} texts of other occupations, and "
                f"{available} exist"
            )
        drawn: list[tuple[str, float]] = []
        # The smallest classes first: what they lack comes from the larger ones.
        classes.sort(key=lambda entry: len(entry[0]))
        for number, (texts, cosine) in enumerate(classes):
            share = (count - len(drawn)) // (len(classes) - number)
            share = min(share, len(texts))
            refs = generator.choice(texts, share, replace=False)
            drawn += [(ref, cosine) for ref in refs]
        return drawn

    def _classes(self, code: str) -> list[tuple[_Ring, float]]:
        """The texts at each distance that is drawn from, with their cosine."""
        if not self._isco_distance:
            return [(self._ring("", code[:_RELATED_DIGITS]), COSINE_UNRELATED)]
        prefixes = [code[:digits] for digits in range(len(code) + 1)]
        return [
            (self._ring(outer, inner), COSINE_OF_COMMON_DIGITS[len(outer)])
            for outer, inner in zip(prefixes, [*prefixes[1:], None], strict=True)
        ]

    def _ring(self, outer: str, inner: str | None) -> _Ring:
        """Texts that occur under one ISCO prefix and nowhere under another."""
        if (outer, inner) not in self._rings:
            within = self._under(outer)
            if inner is not None:
                within -= self._under(inner)
            self._rings[outer, inner] = _Ring(within)
        return self._rings[outer, inner]

    def _under(self, prefix: str) -> set[str]:
        within = self._texts["iscoGroup"].str.startswith(prefix)
        return {*self._texts.loc[within, "text"]}
