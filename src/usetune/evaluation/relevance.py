"""Grades of relevance from a taxonomy: the same thing, a sibling, a cousin."""

from collections.abc import Hashable, Mapping

import pandas as pd

from usetune.data.columns import require_columns


def graded_relevance(
    queries: pd.DataFrame,
    documents: pd.DataFrame,
    grades: Mapping[str, float],
    *,
    skip_same_id: bool = False,
) -> dict[Hashable, dict[Hashable, float]]:
    """Grade documents by the columns in which they agree with a query.

    Related things, not only the same one: for `RetrievalEvaluator`, whose ndcg takes
    grades. The tables are those of `positive_pairs_from_occupations` and
    `load_terminology`, say, with ``{"positive": 3, "subgroup": 2, "group": 1}``.

    Args:
        queries: DataFrame with the columns that ``grades`` names; its index has ids.
        documents: DataFrame with the same columns; its index has ids.
        grades: column → grade of the documents that have the query's value in it. Of
            several grades the largest counts.
        skip_same_id: whether the document with the query's own id is left out, as
            `RetrievalEvaluator` takes it: for names that search the other names.

    Returns:
        id of a query → id of a document → grade. Documents that agree in no column are
        not listed, nor is an empty cell equal to another.

    Raises:
        TypeError: if a table is no DataFrame.
        ValueError: if a column is missing, or an id comes twice.
    """
    for name, table in (("queries", queries), ("documents", documents)):
        require_columns(table, name, [*grades])
        if not table.index.is_unique:
            twice = table.index[table.index.duplicated()][0]
            raise ValueError(f"the index of {name} must have no id twice: {twice!r}")
    relevant: dict[Hashable, dict[Hashable, float]] = {id: {} for id in queries.index}
    for column in sorted(grades, key=grades.__getitem__):
        alike = documents.groupby(column).groups
        for query, value in queries[column].items():
            of_grade = alike.get(value, ())
            relevant[query].update(dict.fromkeys(of_grade, grades[column]))
    if skip_same_id:
        for query, own in relevant.items():
            own.pop(query, None)
    return relevant
