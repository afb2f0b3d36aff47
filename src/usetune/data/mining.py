"""Hard negatives: texts that an encoder takes for the answer, and that are not."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from usetune.data.formats import GROUP_COLUMNS, POSITIVE, check_rows
from usetune.data.tables import require_columns
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest

# Negatives that are drawn from for each one wanted, where rules may drop some.
_SPARE = 10

# What drops a candidate: its score, the lowest score of a positive, the setting.
_RULES = {
    "absolute_margin": lambda score, positive, margin: score + margin > positive,
    "relative_margin": lambda score, positive, margin: (
        score > positive - abs(positive) * margin
    ),
    "max_score": lambda score, positive, limit: score > limit,
    "min_score": lambda score, positive, limit: score < limit,
}
# Which of the candidates, the nearest first, are taken.
_SAMPLINGS = {
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
    range_min: int = 0,
    range_max: int | None = None,
    max_score: float | None = None,
    min_score: float | None = None,
    absolute_margin: float | None = None,
    relative_margin: float | None = None,
    sampling: str = "top",
    output: str = "triplets",
    seed: int = 0,
    scores: bool = False,
) -> pd.DataFrame:
    """Find the texts nearest to each anchor that are not its positives.

    The rules are those of sentence-transformers' function of this name. Of the nearest
    texts of the corpus, positives are left out first, then what the margins and limits
    refuse; of the rest, those of rank ``range_min`` to ``range_max`` are drawn from.
    Many of the nearest are positives that nobody wrote down: ``relative_margin=0.05``
    keeps away from them (TopK-PercPos of Moreira et al., "NV-Retriever", 2024,
    arXiv:2407.15831).

    NOTE: The anchor itself is never a negative, and where the pairs have the column
    occupation, no text of an occupation is a negative of another of its texts.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)`` of unit length.
        pairs: DataFrame anchor, positive; an anchor with several positives has several
            rows. With the column occupation, every text of an anchor's occupations
            counts as its positive, but for the margins, which look at its own rows.
        corpus: texts to draw from beside the positives; None for these alone.
        count: negatives of each anchor.
        range_min: how many of the nearest candidates to skip.
        range_max: candidates beyond this rank are not looked at, at least ``range_min
            + count``. None: ``range_min`` + the most positives of an anchor +
            ``count``, or ten times ``count`` with a margin or ``max_score``.
        max_score: candidates with a higher score are dropped.
        min_score: candidates with a lower score are dropped.
        absolute_margin: scores must be this far below the anchor's lowest positive.
        relative_margin: the same, as a share of the positive's score.
        sampling: "top" takes the nearest, "random" any of the range.
        output: "triplets", one row for each negative; "columns", one for each pair that
            has all its negatives; "labelled", one for each pair (label 1) and each
            anchor and negative (label 0).
        seed: of the random draw.
        scores: whether to add the scores, in [-1, 1].

    Returns:
        DataFrame anchor, positive, negative ("triplets"), anchor, positive, negative_1,
        … ("columns") or base, ref, label ("labelled"); anchors in the order of
        ``pairs``, their negatives the nearest first, of equal scores the earlier in the
        corpus; then occupation and group where ``pairs`` has them, and the scores:
        positive_score, negative_score (negative_score_1, …), or score. Equal pairs
        count once. ``attrs["counts"]`` says what was found and what was dropped.

    Raises:
        TypeError: if ``corpus`` is a single string.
        ValueError: if an argument is out of range, or ``pairs`` lacks a column, has
            none or empty cells.
    """
    _check(count, range_min, range_max, sampling, output, corpus)
    given = (absolute_margin, relative_margin, max_score, min_score)
    limits = dict(zip(_RULES, given, strict=True))
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    pairs = require_columns(pairs, "pairs", POSITIVE.columns)
    owners = [column for column in GROUP_COLUMNS if column in pairs]
    pairs = check_rows(pairs[[*POSITIVE.columns, *owners]], POSITIVE, "pairs")
    pairs["query"], queries = pd.factorize(pairs["anchor"])
    # The rows of an anchor come together, where its first one is.
    pairs = pairs.sort_values("query", kind="stable")
    known = pairs.drop_duplicates(["query", "positive"], ignore_index=True)
    documents = pd.Index([*([] if corpus is None else corpus), *known["positive"]])
    documents = documents.unique()

    excluded = _excluded(pairs, documents)
    most = max(map(len, excluded))
    if range_max is None:
        wanted = count * (_SPARE if limits.keys() - {"min_score"} else 1)
        range_max = range_min + wanted + most
    depth = min(range_max + most, len(documents))
    positives = _parts(documents.get_indexer(known["positive"]), known["query"])
    anchors = encoder.encode(queries.tolist())
    embeddings = encoder.encode(documents.tolist())
    generator = np.random.default_rng(seed)
    dropped = dict.fromkeys(["positives", *_RULES], 0)
    found, positive_scores = [], []
    ranked = zip(*nearest(anchors, embeddings, depth), strict=True)
    for query, (rows, similarity) in enumerate(ranked):
        # In float64, as `nearest` has it.
        own = embeddings[positives[query]].astype(np.float64) @ anchors[query]
        positive_scores.append(own.astype(np.float32))
        lowest = positive_scores[-1].min()
        free = ~np.isin(rows, excluded[query])
        dropped["positives"] += len(rows) - int(free.sum())
        rows, similarity = rows[free], similarity[free]
        for name, limit in limits.items():
            refused = _RULES[name](similarity, lowest, limit)
            dropped[name] += int(refused.sum())
            rows, similarity = rows[~refused], similarity[~refused]
        places = np.arange(len(rows))[range_min:range_max]
        places = _SAMPLINGS[sampling](places, count, generator)
        found.append((np.full(len(places), query), rows[places], similarity[places]))

    known["positive_score"] = np.concatenate(positive_scores)
    query, rows, values = map(np.concatenate, zip(*found, strict=True))
    negatives = pd.DataFrame(
        {"query": query, "negative": documents[rows], "negative_score": values}
    )
    table, columns, score_columns = _OUTPUTS[output](known, negatives, count)
    columns += [*owners, *(score_columns if scores else [])]
    result = table[columns].reset_index(drop=True)
    per_pair = np.bincount(query, minlength=len(queries))[known["query"]]
    counts = {
        "pairs": len(known),
        "equal pairs left out": len(pairs) - len(known),
        "anchors": len(queries),
        "corpus": len(documents),
        "negatives": len(negatives),
        "pairs without negatives": int((per_pair == 0).sum()),
        "pairs with too few negatives": int((per_pair < count).sum()),
    }
    counts |= {f"candidates dropped by {name}": n for name, n in dropped.items()}
    result.attrs = {"counts": counts}
    return result


def _check(
    count: int,
    range_min: int,
    range_max: int | None,
    sampling: str,
    output: str,
    corpus: Sequence[str] | None,
) -> None:
    if count < 1 or range_min < 0:
        raise ValueError(
            "count must be at least 1 and range_min at least 0. "
            f"Received: {count} and {range_min}"
        )
    if range_max is not None and range_max < range_min + count:
        raise ValueError(
            f"range_max must be at least range_min + count, here {range_min + count}. "
            f"Received: {range_max}"
        )
    if sampling not in _SAMPLINGS:
        raise ValueError(
            f"sampling must be one of {[*_SAMPLINGS]}. Received: {sampling!r}"
        )
    if output not in _OUTPUTS:
        raise ValueError(f"output must be one of {[*_OUTPUTS]}. Received: {output!r}")
    if isinstance(corpus, str):
        raise TypeError(f"corpus must be a sequence of str. Received: {corpus!r:.80}")


def _excluded(pairs: pd.DataFrame, documents: pd.Index) -> list[np.ndarray]:
    """For each query the rows of ``documents`` that are no negatives of it."""
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


def _parts(values: np.ndarray, groups: Sequence[int]) -> list[np.ndarray]:
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
    names = [f"negative_{place}" for place in range(1, count + 1)]
    score_names = [f"negative_score_{place}" for place in range(1, count + 1)]
    texts = full["negative"].to_numpy().reshape(-1, count)
    values = full["negative_score"].to_numpy().reshape(-1, count)
    side_by_side = [
        full[::count].reset_index(drop=True),
        pd.DataFrame(texts, columns=names),
        pd.DataFrame(values, columns=score_names),
    ]
    table = pd.concat(side_by_side, axis=1)
    return table, [*POSITIVE.columns, *names], ["positive_score", *score_names]


def _labelled(known: pd.DataFrame, negatives: pd.DataFrame, count: int) -> _Output:
    wrong = known.drop_duplicates("query").merge(negatives, on="query")
    right = known.assign(ref=known["positive"], label=1, score=known["positive_score"])
    wrong = wrong.assign(ref=wrong["negative"], label=0, score=wrong["negative_score"])
    table = pd.concat([right, wrong]).sort_values("query", kind="stable")
    table = table.rename(columns={"anchor": "base"})
    return table, ["base", "ref", "label"], ["score"]


_OUTPUTS = {"triplets": _triplets, "columns": _columns, "labelled": _labelled}
