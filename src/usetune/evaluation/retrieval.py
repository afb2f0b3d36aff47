"""How well an encoder finds the documents that answer queries."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least
from usetune._utils.text import checked_texts
from usetune._utils.warn import warn
from usetune.evaluation.inputs import embed
from usetune.evaluation.ranking import (
    Relevant,
    grades,
    relevant_ranks,
    retrieval_metrics,
)
from usetune.evaluation.scores import Scores, with_prefix
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest

_MEASURES = ("accuracy", "precision", "recall", "mrr", "ndcg")


class RetrievalEvaluator:
    """Lets queries search a corpus, and measures where their answers come.

    Documents are ordered by the inner product with the query, which is the cosine
    where the encoder gives unit length; of equal scores, the smaller id in string
    order comes first. The measures are those of `retrieval_metrics`, as
    sentence-transformers' InformationRetrievalEvaluator has them. Where the corpus is
    smaller than k, the first k are all of it, and precision@k is still hits / k.

    Args:
        queries: id → text.
        corpus: id → text.
        relevant: id of a query → ids of the documents that answer it, or these with
            their grades, id → grade. A document of grade 0 does not answer it; larger
            grades count in ndcg only, as in trec_eval. Queries without an answer are
            left out, with a warning.
        ks: cuts of accuracy, precision, recall, mrr and ndcg.
        map_k: cut of map.
        name: put before the names of the metrics: "name_mrr@10".
        skip_same_id: whether a query does not find the document of its own id, as
            BEIR and MTEB have it.
        chunk_size: documents that are encoded and compared at a time; no matter for
            the metrics.
        groups: id of a query → name of what it belongs to. Queries of one group are
            not independent, several names of one thing say: the bootstrap then draws
            groups. Default: it draws queries.
        seed: of the bootstrap.

    Attributes:
        texts: every text that is encoded.

    Raises:
        TypeError: if queries, corpus or relevant is no dict, or a text no ``str``.
        ValueError: if a cut or ``chunk_size`` is below 1, there are no queries with
            relevant documents, ``relevant`` names an id that is not there or, with
            ``skip_same_id``, the document that is skipped, or ``groups`` lacks a query.
    """

    def __init__(
        self,
        queries: Mapping[str, str],
        corpus: Mapping[str, str],
        relevant: Mapping[str, Relevant],
        ks: Sequence[int] = (1, 3, 5, 10),
        map_k: int = 100,
        *,
        name: str = "",
        skip_same_id: bool = False,
        chunk_size: int = 10_000,
        groups: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        check_at_least("ks", min(ks))
        check_at_least("map_k", map_k)
        check_at_least("chunk_size", chunk_size)
        given = {"queries": queries, "corpus": corpus, "relevant": relevant}
        for argument, by_id in given.items():
            if not isinstance(by_id, Mapping):
                raise TypeError(
                    f"{argument} must be a dict with ids for keys. "
                    f"Received: {type(by_id).__name__}"
                )
        checked_texts(queries.values(), "queries")
        checked_texts(corpus.values(), "corpus")
        documents = sorted(corpus, key=str)
        rows = {document: row for row, document in enumerate(documents)}
        answers = _answers(queries, rows, relevant, skip_same_id)
        kept = [*answers]
        if groups is None:
            groups = {query: query for query in kept}
        lacking = [query for query in kept if query not in groups]
        if lacking:
            raise ValueError(
                f"groups must name the group of each query. Received: not {lacking[:5]}"
            )
        self.name, self._chunk_size, self._seed = name, chunk_size, seed
        self._ks, self._map_k = list(ks), map_k
        self._ids = pd.Index(kept, name="query")
        self._clusters, _ = pd.factorize(pd.Index([groups[query] for query in kept]))
        self._queries = [queries[query] for query in kept]
        self._documents = [corpus[document] for document in documents]
        self.texts = [*self._queries, *self._documents]
        self._relevant = [
            {rows[document]: grade for document, grade in own.items()}
            for own in answers.values()
        ]
        own = [rows.get(query, -1) for query in kept]
        self._skipped = np.array(own) if skip_same_id else None

    def __call__(self, encoder: TextEncoder) -> dict[str, float]:
        """The metrics without their intervals."""
        return with_prefix(self.score(encoder).metrics(), self.name)

    def score(self, encoder: TextEncoder) -> Scores:
        """Measure an encoder, the corpus encoded chunk by chunk.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)``.

        Raises:
            ValueError: if an embedding is not finite.
        """
        size, step = len(self._documents), self._chunk_size
        parts = (
            embed(encoder, self._documents[start : start + step])
            for start in range(0, size, step)
        )
        # One more, as the skipped document may be among the first.
        depth = max([*self._ks, self._map_k]) + (self._skipped is not None)
        queries = embed(encoder, self._queries)
        found, _ = nearest(queries, parts, min(depth, size), step)
        if self._skipped is not None:
            # It comes last, where it is no relevant document and counts for nothing.
            order = np.argsort(found == self._skipped[:, None], axis=1, kind="stable")
            found = np.take_along_axis(found, order, axis=1)
        measures = retrieval_metrics(
            relevant_ranks(found, self._relevant), [*self._ks, self._map_k]
        )
        columns = [f"{measure}@{k}" for measure in _MEASURES for k in self._ks]
        table = measures[[*columns, f"map@{self._map_k}"]].set_axis(self._ids)
        return Scores(table, self._clusters, "groups", self._seed)


def _answers(
    queries: Mapping[str, str],
    corpus: Collection[str],
    relevant: Mapping[str, Relevant],
    skip_same_id: bool,
) -> dict[str, dict[str, float]]:
    """For each query that has an answer, document → grade."""
    graded = {query: grades(own) for query, own in relevant.items()}
    named = [document for own in graded.values() for document in own]
    same = [query for query, own in graded.items() if skip_same_id and query in own]
    for faulty, expected in (
        ([q for q in graded if q not in queries], "relevant must name ids of queries"),
        ([d for d in named if d not in corpus], "relevant must name ids of the corpus"),
        (same, "with skip_same_id, no document answers the query of its own id"),
    ):
        if faulty:
            raise ValueError(f"{expected}. Received: {faulty[:5]}")
    answers = {query: graded[query] for query in queries if graded.get(query)}
    if not answers:
        raise ValueError(
            "relevant must name a document of at least one query. "
            f"Received: none of {len(queries)} queries"
        )
    without = [query for query in queries if query not in answers]
    if without:
        warn(
            f"{len(without)} of {len(queries)} queries have no relevant document "
            f"and are left out: {without[:5]}{' …' if len(without) > 5 else ''}"
        )
    return answers
