"""Exact search on embeddings, and measures of how well it finds what is relevant."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd


def relevant_ranks(
    found: np.ndarray, relevant: Sequence[Iterable[int]]
) -> pd.DataFrame:
    """Look up where the relevant documents of each query come.

    Args:
        found: int array (queries, depth), row numbers as `nearest` returns them.
        relevant: for each query the rows of the corpus that answer it, at least one.

    Returns:
        DataFrame query, document (row numbers) and rank (float, from 1; NaN if it is
        not among the found), one row for each query and relevant document.

    Raises:
        ValueError: if the two differ in length, or a query has no relevant document.
    """
    if len(relevant) != len(found):
        raise ValueError(
            "found and relevant must have an entry for each query. "
            f"Received: {len(found)} and {len(relevant)}"
        )
    ranks = []
    for query, (row, documents) in enumerate(zip(found, relevant, strict=True)):
        place = {document: rank for rank, document in enumerate(row.tolist(), start=1)}
        own = sorted(set(documents))
        if not own:
            raise ValueError(
                f"relevant must name documents of each query. Received: none of {query}"
            )
        ranks += [(query, document, place.get(document, np.nan)) for document in own]
    return pd.DataFrame(ranks, columns=["query", "document", "rank"])


def retrieval_metrics(ranks: pd.DataFrame, ks: Sequence[int] = (1, 10)) -> pd.DataFrame:
    """Measures of each query from the ranks of its relevant documents.

    Of the first k documents, the hits are those that are relevant:

    - accuracy@k: 1 if there is a hit, otherwise 0;
    - precision@k: hits / k, also where the corpus is smaller than k;
    - recall@k: hits / relevant documents;
    - mrr@k: 1 / rank of the first hit, 0 if there is none;
    - ndcg@k: the sum of 1 / log2(rank + 1) over the hits, as a share of its largest
      possible value (Järvelin and Kekäläinen, 2002, with gains of 0 and 1);
    - map@k: the sum of the precisions at the ranks of the hits, divided by k or, where
      they are fewer, the relevant documents. NOTE: trec_eval divides by the relevant
      documents, so its figure is smaller where they are more than k.

    Args:
        ranks: as `relevant_ranks` returns. The search must have gone as deep as the
            largest k, or through the whole corpus.
        ks: cuts, from 1.

    Returns:
        DataFrame indexed by query, these columns for each k, all in [0, 1].

    Raises:
        ValueError: if a cut is below 1.
    """
    if min(ks) < 1:
        raise ValueError(f"ks must be at least 1. Received: {list(ks)}")
    ranks = ranks.sort_values(["query", "rank"])
    query, rank = ranks["query"], ranks["rank"]
    by_query = rank.groupby(query)
    first, relevant = by_query.min(), by_query.size()
    precision = (by_query.cumcount() + 1) / rank
    gain = 1 / np.log2(rank + 1)
    columns = {}
    for k in ks:
        is_hit = rank <= k
        hits = is_hit.groupby(query).sum()
        most = relevant.clip(upper=k)
        ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
        columns[f"accuracy@{k}"] = (hits > 0).astype(float)
        columns[f"precision@{k}"] = hits / k
        columns[f"recall@{k}"] = hits / relevant
        columns[f"mrr@{k}"] = (1 / first).where(first <= k, 0.0)
        gains = gain.where(is_hit, 0.0).groupby(query).sum()
        columns[f"ndcg@{k}"] = gains / ideal[most - 1]
        columns[f"map@{k}"] = precision.where(is_hit, 0.0).groupby(query).sum() / most
    return pd.DataFrame(columns)
