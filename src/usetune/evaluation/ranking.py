"""Where relevant documents come in a search, and metrics of that."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least

# Queries that are compared with the whole corpus at a time.
_QUERIES = 512


Relevant: TypeAlias = Iterable[Any] | Mapping[Any, float]


def grades(relevant: Relevant) -> dict[Any, float]:
    """The relevant documents of a query with their grades.

    Args:
        relevant: documents, which have grade 1, or document → grade; with a grade of 0
            or less a document is not relevant.

    Raises:
        ValueError: if a grade is not a finite number, or one text is given.
    """
    if isinstance(relevant, str):
        raise ValueError(
            f"relevant must have a set of ids for each query. Received: {relevant!r}"
        )
    if not isinstance(relevant, Mapping):
        return dict.fromkeys(relevant, 1)
    for grade in relevant.values():
        if not (isinstance(grade, Real) and math.isfinite(grade)):
            raise ValueError(
                f"relevant must have finite numbers as grades. Received: {grade!r}"
            )
    return {document: grade for document, grade in relevant.items() if grade > 0}


def relevant_ranks(found: np.ndarray, relevant: Sequence[Relevant]) -> pd.DataFrame:
    """Look up where the relevant documents of each query come.

    Args:
        found: int array (queries, depth), row numbers as `nearest` returns them.
        relevant: for each query the rows of the corpus that answer it, at least one;
            or these with their grades, row → grade.

    Returns:
        DataFrame query, document (row numbers), rank (float, from 1; NaN if it is not
        among the found) and grade (1 where none is given), one row for each query and
        document with a grade above 0.

    Raises:
        ValueError: if the two differ in length, a query has no relevant document, or a
            grade is not a finite number.
    """
    if len(relevant) != len(found):
        raise ValueError(
            "found and relevant must have an entry for each query. "
            f"Received: {len(found)} and {len(relevant)}"
        )
    ranks = []
    for query, (row, documents) in enumerate(zip(found, relevant, strict=True)):
        place = {document: rank for rank, document in enumerate(row.tolist(), start=1)}
        own = grades(documents)
        if not own:
            raise ValueError(
                f"relevant must name documents of each query. Received: none of {query}"
            )
        ranks += [
            (query, document, place.get(document, np.nan), own[document])
            for document in sorted(own)
        ]
    return pd.DataFrame(ranks, columns=["query", "document", "rank", "grade"])


def answer_ranks(
    queries: np.ndarray, corpus: np.ndarray, answers: np.ndarray
) -> pd.DataFrame:
    """Search the whole corpus for the one answer of each query.

    Scores and the order of equal ones are those of `usetune.search.nearest`.

    Args:
        queries: float array (queries, dim).
        corpus: float array (documents, dim).
        answers: int array (queries,), row numbers of the corpus.

    Returns:
        DataFrame with a row for each query: rank (of the answer, from 1), score (of the
        answer), first (the row that comes first) and first_score.
    """
    documents, places = corpus.astype(np.float64).T, np.arange(len(corpus))
    parts = []
    for start in range(0, len(queries), _QUERIES):
        block = slice(start, start + _QUERIES)
        scores = (queries[block].astype(np.float64) @ documents).astype(np.float32)
        own = answers[block, None]
        score = np.take_along_axis(scores, own, axis=1)
        is_before = (scores > score) | ((scores == score) & (places < own))
        part = {"rank": 1 + is_before.sum(axis=1), "score": score[:, 0]}
        part |= {"first": scores.argmax(axis=1), "first_score": scores.max(axis=1)}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def retrieval_metrics(ranks: pd.DataFrame, ks: Sequence[int] = (1, 10)) -> pd.DataFrame:
    """Metrics of each query from the ranks of its relevant documents.

    Of the first k documents, the hits are those that are relevant:

    - accuracy@k: 1 if there is a hit, otherwise 0;
    - precision@k: hits / k, also where the corpus is smaller than k;
    - recall@k: hits / relevant documents;
    - mrr@k: 1 / rank of the first hit, 0 if there is none;
    - ndcg@k: the sum of grade / log2(rank + 1) over the hits, as a share of its largest
      possible value (Järvelin and Kekäläinen, 2002). Gains are the grades themselves,
      as in trec_eval; others take 2 ** grade - 1, which is the same for grades 0 and 1;
    - map@k: the sum of the precisions at the ranks of the hits, divided by k or, where
      they are fewer, the relevant documents. NOTE: trec_eval divides by the relevant
      documents, so its map is smaller where they are more than k.

    Args:
        ranks: as `relevant_ranks` returns. The search must have gone as deep as the
            largest k, or through the whole corpus.
        ks: cuts, from 1.

    Returns:
        DataFrame indexed by query, these columns for each k, all in [0, 1].

    Raises:
        ValueError: if a cut is below 1.
    """
    check_at_least("ks", min(ks))
    ranks = ranks.sort_values(["query", "rank"])
    query, rank, grade = ranks["query"], ranks["rank"], ranks["grade"]
    by_query = rank.groupby(query)
    first, relevant = by_query.min(), by_query.size()
    precision = (by_query.cumcount() + 1) / rank
    # Where the documents come in the best order: those of the highest grades first.
    best = grade.groupby(query).rank(method="first", ascending=False)

    def total(values: pd.Series, is_counted: pd.Series) -> pd.Series:
        return values.where(is_counted, 0.0).groupby(query).sum()

    columns = {}
    for k in ks:
        is_hit = rank <= k
        hits = is_hit.groupby(query).sum()
        columns[f"accuracy@{k}"] = (hits > 0).astype(float)
        columns[f"precision@{k}"] = hits / k
        columns[f"recall@{k}"] = hits / relevant
        columns[f"mrr@{k}"] = (1 / first).where(first <= k, 0.0)
        gain = total(grade / np.log2(rank + 1), is_hit)
        columns[f"ndcg@{k}"] = gain / total(grade / np.log2(best + 1), best <= k)
        columns[f"map@{k}"] = total(precision, is_hit) / relevant.clip(upper=k)
    return pd.DataFrame(columns)
