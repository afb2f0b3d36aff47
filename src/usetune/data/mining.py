"""Hard negatives: texts that an encoder takes for the answer, and that are not."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from usetune._utils.checks import check_at_least, check_choice
from usetune._utils.text import checked_texts
from usetune.data.converters import converted
from usetune.data.formats import GROUP_COLUMNS, POSITIVE, Format, check_rows
from usetune.data.mining_limits import MiningLimits
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest

_Sampling = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
# Which of the candidates, the nearest first, are taken.
_SAMPLINGS: dict[str, _Sampling] = {
    "top": lambda rows, count, generator: rows[:count],
    "random": lambda rows, count, generator: rows[
        np.sort(generator.choice(len(rows), min(count, len(rows)), replace=False))
    ],
}


def mine_hard_negatives(
    encoder: TextEncoder,
    pairs: pd.DataFrame,
    corpus: Sequence[str] | None = None,
    *,
    count: int = 3,
    limits: MiningLimits | None = None,
    sampling: str = "top",
    output: str = "triplets",
    seed: int = 0,
    scores: bool = False,
) -> pd.DataFrame:
    """Find the texts nearest to each anchor that are not its positives.

    The rules are those of sentence-transformers' function of this name. Of the nearest
    texts of the corpus, positives are left out first, then what the limits of scores
    refuse; of the rest, those of rank ``range_min`` to ``range_max`` are candidates.
    Many of the nearest are positives that nobody wrote down:
    ``MiningLimits(relative_margin=0.05)`` keeps away from them (TopK-PercPos of Moreira
    et al., "NV-Retriever", 2024, arXiv:2407.15831).

    NOTE: The anchor itself is never a negative, and where the pairs have the column
    occupation, no text of an occupation is a negative of another of its texts.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)`` of unit length.
        pairs: DataFrame anchor, positive; an anchor with several positives has several
            rows. With the column occupation, every text of an anchor's occupations
            counts as its positive, except for the margins, which look at its own rows.
        corpus: texts to draw from in addition to the positives; None for these alone.
        count: number of negatives of each anchor.
        limits: scores and ranks that negatives may have. Default: any.
        sampling: "top" takes the nearest candidates, "random" any of them.
        output: "triplets", one row for each negative; "columns", one for each pair that
            has all its negatives; "labelled", one for each pair (label 1) and each
            anchor and negative (label 0).
        seed: seed of the random draw.
        scores: whether to add the scores, in [-1, 1].

    Returns:
        DataFrame anchor, positive, negative ("triplets"), anchor, positive, negative_1,
        … ("columns") or base, ref, label ("labelled"); anchors in the order of
        ``pairs``, their negatives the nearest first, of equal scores the earlier in the
        corpus; then occupation, concept and group where ``pairs`` has them, and the
        scores: positive_score, negative_score (negative_score_1, …), or score. Equal
        pairs count once. `counts` has what was found and what was dropped.

    Raises:
        TypeError: if ``corpus`` is a table, a mapping, one text or else no sequence of
            texts, see `usetune.Encoder.encode`.
        ValueError: if an argument is out of range, or ``pairs`` lacks a column, has no
            rows or an empty cell.
    """
    check_at_least("count", count)
    check_choice("sampling", sampling, _SAMPLINGS)
    check_choice("output", output, _OUTPUTS)
    further = [] if corpus is None else checked_texts(corpus, "corpus")
    limits = limits or MiningLimits()
    # Without the negatives and the label that the pairs may have.
    pairs = check_rows(pairs, Format(POSITIVE.name, POSITIVE.columns), "pairs")
    owners = [column for column in GROUP_COLUMNS if column in pairs]
    pairs["query"], queries = pd.factorize(pairs["anchor"])
    # The rows of an anchor come together, where its first one is.
    pairs = pairs.sort_values("query", kind="stable")
    known = pairs.drop_duplicates(["query", "positive"], ignore_index=True)
    documents = pd.Index([*further, *known["positive"]]).unique()
    excluded = _excluded(pairs, documents)
    most = max(map(len, excluded))
    last = limits.last_rank(count, most)

    anchors = encoder.encode(queries.tolist())
    embeddings = encoder.encode(documents.tolist())
    positives = _parts(documents.get_indexer(known["positive"]), known["query"])
    positive_scores = [
        # In float64, as `nearest` has it.
        (embeddings[own].astype(np.float64) @ anchor).astype(np.float32)
        for own, anchor in zip(positives, anchors, strict=True)
    ]
    known["positive_score"] = np.concatenate(positive_scores)
    lowest = np.array([own.min() for own in positive_scores])[:, None]
    rows, values = nearest(anchors, embeddings, min(last + most, len(documents)))
    refused = {"positives": np.array([*map(np.isin, rows, excluded)])}
    left, dropped = _left(refused | limits.refused(values, lowest))
    candidates = [np.flatnonzero(row)[limits.range_min : last] for row in left]
    query, place = _drawn(candidates, count, sampling, np.random.default_rng(seed))
    negatives = pd.DataFrame(
        {
            "query": query,
            "negative": documents[rows[query, place]],
            "negative_score": values[query, place],
        }
    )

    table, columns, score_columns = _OUTPUTS[output](known, negatives, count)
    columns += [*owners, *(score_columns if scores else [])]
    per_pair = np.bincount(query, minlength=len(queries))[known["query"]]
    numbers = {
        "pairs": len(known),
        "equal pairs left out": len(pairs) - len(known),
        "anchors": len(queries),
        "corpus": len(documents),
        "negatives": len(negatives),
        "pairs without negatives": int((per_pair == 0).sum()),
        "pairs with too few negatives": int((per_pair < count).sum()),
    }
    numbers |= {f"candidates dropped by {name}": n for name, n in dropped.items()}
    return converted(table[columns].reset_index(drop=True), numbers)


def _excluded(pairs: pd.DataFrame, documents: pd.Index) -> list[np.ndarray]:
    """Find for each query the rows of ``documents`` that are never its negatives."""
    owner = "occupation" if "occupation" in pairs else "anchor"
    things = pd.factorize(pairs[owner])[0]
    rows = np.concatenate([documents.get_indexer(pairs[c]) for c in POSITIVE.columns])
    twice = np.tile(things, 2)
    order = np.argsort(twice, kind="stable")
    order = order[rows[order] >= 0]
    own = [np.unique(part) for part in _parts(rows[order], twice[order])]
    excluded = []
    for mine in map(np.unique, _parts(things, pairs["query"])):
        # Most have one thing: they share its array.
        several = len(mine) > 1
        parts = [own[thing] for thing in mine]
        excluded.append(np.unique(np.concatenate(parts)) if several else parts[0])
    return excluded


def _left(refused: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, int]]:
    """Find the candidates that nothing refuses, and count for the others what did."""
    left = ~np.zeros_like(next(iter(refused.values())))
    dropped = {}
    for name, candidates in refused.items():
        dropped[name] = int((left & candidates).sum())
        left &= ~candidates
    return left, dropped


def _drawn(
    candidates: Sequence[np.ndarray],
    count: int,
    sampling: str,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw from each query's candidates: the query and the candidate of each draw."""
    drawn = [_SAMPLINGS[sampling](own, count, generator) for own in candidates]
    query = np.repeat(np.arange(len(drawn)), [*map(len, drawn)])
    return query, np.concatenate(drawn)


def _parts(values: np.ndarray, groups: ArrayLike) -> list[np.ndarray]:
    """Cut values where the group, in ascending order, changes."""
    return np.split(values, np.flatnonzero(np.diff(groups)) + 1)


_Output = tuple[pd.DataFrame, list[str], list[str]]


def _triplets(known: pd.DataFrame, negatives: pd.DataFrame, count: int) -> _Output:
    table = known.merge(negatives, on="query")
    scores = ["positive_score", "negative_score"]
    return table, [*POSITIVE.columns, "negative"], scores


def _columns(known: pd.DataFrame, negatives: pd.DataFrame, count: int) -> _Output:
    table = known.merge(negatives, on="query")
    found = table.groupby(["query", "positive"])["negative"].transform("size")
    full = table[found == count]
    places = range(1, count + 1)
    # The negatives of a pair follow each other.
    side_by_side = {
        f"{name}_{place}": full[name].to_numpy()[place - 1 :: count]
        for name in ("negative", "negative_score")
        for place in places
    }
    table = full[::count].reset_index(drop=True).join(pd.DataFrame(side_by_side))
    columns = [*POSITIVE.columns, *(f"negative_{place}" for place in places)]
    scores = ["positive_score", *(f"negative_score_{place}" for place in places)]
    return table, columns, scores


def _labelled(known: pd.DataFrame, negatives: pd.DataFrame, count: int) -> _Output:
    wrong = known.drop_duplicates("query").merge(negatives, on="query")
    right = known.assign(ref=known["positive"], label=1, score=known["positive_score"])
    wrong = wrong.assign(ref=wrong["negative"], label=0, score=wrong["negative_score"])
    table = pd.concat([right, wrong]).sort_values("query", kind="stable")
    table = table.rename(columns={"anchor": "base"})
    return table, ["base", "ref", "label"], ["score"]


_OUTPUTS = {"triplets": _triplets, "columns": _columns, "labelled": _labelled}
