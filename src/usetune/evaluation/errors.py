"""Looking at an encoder text by text: neighbours, and what it gets most wrong."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from usetune._utils.text import checked_texts
from usetune.data.columns import check_table
from usetune.data.formats import BINARY, SCORED, check_rows, format_of
from usetune.evaluation.inputs import distinct, embed
from usetune.evaluation.scores import Scores
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest
from usetune.similarity import cosine_similarity, unit_length

# What `load_sts` calls the columns of scored pairs.
_STS = {"sentence1": "base", "sentence2": "ref", "score": "similarity"}
_HIGHEST_STS_SCORE = 5


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
        TypeError: if ``titles`` or ``corpus`` is no sequence of ``str``.
        ValueError: if the corpus has a text twice, or fewer texts than ``count``
            beside a title.
    """
    rows, titles = distinct(corpus), checked_texts(titles, "titles")
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
            unit_length(embed(encoder, titles)),
            unit_length(embed(encoder, rows.tolist())),
            min(count + 1, len(rows)),
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
        TypeError: if ``pairs`` is no DataFrame.
        ValueError: if the pairs are of another format, or fewer than two.
    """
    check_table(pairs, "pairs")
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
        cosine_similarity(embed(encoder, first), embed(encoder, second))
    )
    table = pairs.assign(
        cosine=cosine, gold_place=_places(gold), cosine_place=_places(cosine)
    )
    table["error"] = table["cosine_place"] - table["gold_place"]
    order = np.argsort(-table["error"].abs().to_numpy(), kind="stable")
    return table.iloc[order[:count]]


def worst_queries(scores: Scores, count: int = 20) -> pd.DataFrame:
    """The queries whose answer comes last, and what came first instead.

    Args:
        scores: what a `DomainEvaluator` measured; anchors are the queries, their
            positives the answers.
        count: maximum number of rows; queries whose answer comes first are no errors.

    Returns:
        DataFrame anchor, positive, rank (of the positive, from 2), cosine (of the
        positive), first (the text of the corpus that came first) and first_cosine, the
        last rank first; index as of the evaluator's pairs.

    Raises:
        ValueError: if the scores are of another evaluator.
    """
    if scores.answers is None:
        raise ValueError("scores must be of a DomainEvaluator. Received: others")
    wrong = scores.answers.query("rank > 1")
    return wrong.sort_values("rank", ascending=False, kind="stable").head(count)


def _places(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Where values come in their order, from 0 to 1."""
    return (rankdata(values) - 1) / (len(values) - 1)
