"""Looking at an encoder text by text: neighbours, and what it gets most wrong."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from usetune.data.formats import BINARY, SCORED, check_rows, format_of
from usetune.evaluation.domain import DomainEvaluator
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest
from usetune.similarity import cosine_similarity, unit_length

# What `load_sts` calls the columns of scored pairs.
_STS = {"sentence1": "base", "sentence2": "ref", "score": "similarity"}
_HIGHEST_STS_SCORE = 5
# Queries that are compared with the whole corpus at a time.
_QUERIES = 512


def neighbours(
    base: TextEncoder,
    tuned: TextEncoder,
    titles: Sequence[str],
    corpus: Sequence[str],
    count: int = 5,
) -> pd.DataFrame:
    """The nearest texts of each title before and after tuning, side by side.

    Args:
        base: the encoder before.
        tuned: the encoder after.
        titles: texts to look at; a title is no neighbour of itself.
        corpus: texts to search in, each once.
        count: neighbours of each title.

    Returns:
        DataFrame title, rank (from 1), base and tuned (the neighbours), base_cosine
        and tuned_cosine, ``count`` rows for each title.

    Raises:
        ValueError: if the corpus has a text twice, or fewer texts than ``count``
            beside a title.
    """
    rows = pd.Index(corpus)
    if not rows.is_unique:
        raise ValueError(
            "corpus must hold each text once. Received twice: "
            f"{rows[rows.duplicated()].tolist()[:5]}"
        )
    own = rows.get_indexer(pd.Index(titles))
    available = len(rows) - bool((own >= 0).any())
    if not 1 <= count <= available:
        raise ValueError(
            f"count must be between 1 and {available}, the texts of the corpus beside "
            f"a title. Received: {count}"
        )
    table = pd.DataFrame(
        {
            "title": np.repeat(np.array(titles, dtype=object), count),
            "rank": np.tile(np.arange(1, count + 1), len(titles)),
        }
    )
    texts = rows.to_numpy()
    for name, encoder in (("base", base), ("tuned", tuned)):
        found, cosines = nearest(
            _unit(encoder, titles), _unit(encoder, corpus), min(count + 1, len(rows))
        )
        # Of each row all but the title itself, or but the last.
        others = found != own[:, None]
        others[others.all(axis=1), count:] = False
        table[name] = texts[found[others]]
        table[f"{name}_cosine"] = cosines[others]
    return table


def most_wrong(
    encoder: TextEncoder, pairs: pd.DataFrame, count: int = 20
) -> pd.DataFrame:
    """The pairs whose cosine is farthest from what the gold score says.

    Scores and cosines have scales of their own, so places are compared: the error of a
    pair is its place in the order of the cosines less its place in the order of the
    scores. Places run from 0, the least of all pairs, to 1; equal values share their
    mean place. Spearman's correlation is what these errors leave of 1: without ties,
    1 less a multiple of the sum of their squares.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        pairs: as `load_sts` returns, or scored pairs, or pairs labelled 0 or 1, as
            `load_pairs` returns; at least two.
        count: rows to return, at most.

    Returns:
        The pairs with the largest errors first, with their index and columns, and
        cosine, gold_place, cosine_place and error, in [-1, 1]: above 0 where the
        encoder takes the texts for more alike than the gold score does.

    Raises:
        ValueError: if the pairs are of another format, or fewer than two.
    """
    named = pairs
    if {*_STS} <= {*pairs.columns}:
        named = pairs.rename(columns=_STS)
        named["similarity"] /= _HIGHEST_STS_SCORE
    format = format_of(named)
    if format not in (SCORED, BINARY) or len(pairs) < 2:
        raise ValueError(
            "pairs must be at least two, with scores or with labels 0 and 1. Received: "
            f"{len(pairs)} {format.name}"
        )
    checked = check_rows(named, format, "pairs")
    first, second, gold = (checked[column].tolist() for column in format.columns)
    cosine = np.asarray(
        cosine_similarity(encoder.encode(first), encoder.encode(second))
    )
    table = pairs.assign(
        cosine=cosine, gold_place=_places(gold), cosine_place=_places(cosine)
    )
    table["error"] = table["cosine_place"] - table["gold_place"]
    order = np.argsort(-table["error"].abs().to_numpy(), kind="stable")
    return table.iloc[order[:count]]


def worst_queries(
    encoder: TextEncoder, evaluator: DomainEvaluator, count: int = 20
) -> pd.DataFrame:
    """The queries whose answer comes last, and what came first instead.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)`` of unit length.
        evaluator: its anchors are the queries, their positives the answers.
        count: maximum number of rows; queries whose answer comes first are no errors.

    Returns:
        DataFrame anchor, positive, rank (of the positive, from 2), cosine (of the
        positive), first (the text of the corpus that came first) and first_cosine, the
        last rank first; index as of the evaluator's pairs.
    """
    pairs, texts = evaluator.pairs, np.array(evaluator.corpus, dtype=object)
    anchors = encoder.encode(pairs["anchor"].tolist())
    corpus = encoder.encode(evaluator.corpus).astype(np.float64)
    own = pd.Index(texts).get_indexer(pairs["positive"])
    places = np.arange(len(texts))
    parts = []
    for start in range(0, len(pairs), _QUERIES):
        rows = slice(start, start + _QUERIES)
        # As a search has them, so that ties are the same.
        cosines = (anchors[rows].astype(np.float64) @ corpus.T).astype(np.float32)
        answer = np.take_along_axis(cosines, own[rows, None], axis=1)
        # Of equal cosines the earlier row of the corpus comes first, as in a search.
        is_before = (cosines > answer) | (
            (cosines == answer) & (places < own[rows, None])
        )
        first = cosines.argmax(axis=1)
        part = (
            pairs[["anchor", "positive"]]
            .iloc[rows]
            .assign(
                rank=1 + is_before.sum(axis=1),
                cosine=answer[:, 0],
                first=texts[first],
                first_cosine=cosines.max(axis=1),
            )
        )
        parts.append(part[part["rank"] > 1])
    wrong = pd.concat(parts)
    return wrong.sort_values("rank", ascending=False, kind="stable").head(count)


def _unit(encoder: TextEncoder, texts: Sequence[str]) -> np.ndarray:
    return unit_length(np.asarray(encoder.encode(list(texts))))


def _places(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Where values come in their order, from 0 to 1."""
    return (rankdata(values) - 1) / (len(values) - 1)
