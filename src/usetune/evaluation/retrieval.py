"""How well an encoder finds the documents that answer queries."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from usetune._utils.warn import warn
from usetune.evaluation.pair_metrics import with_prefix
from usetune.evaluation.ranking import relevant_ranks, retrieval_metrics
from usetune.evaluation.scores import Scores
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
        relevant: id of a query → ids of the documents that answer it. Queries without
            any are left out, with a warning.
        ks: cuts of accuracy, precision, recall, mrr and ndcg.
        map_k: cut of map.
        name: put before the names of the figures: "name_mrr@10".
        skip_same_id: whether a query does not find the document of its own id, as
            BEIR and MTEB have it.
        chunk_size: documents that are encoded and compared at a time; no matter for
            the figures.
        groups: id of a query → name of what it belongs to. Queries of one group are
            not independent, several names of one thing say: the bootstrap then draws
            groups. Default: it draws queries.
        seed: of the bootstrap.

    Attributes:
        texts: every text that is encoded.

    Raises:
        ValueError: if a cut or ``chunk_size`` is below 1, there are no queries with
            relevant documents, ``relevant`` names an id that is not there or, with
            ``skip_same_id``, the document that is skipped, or ``groups`` lacks a query.
    """

    def __init__(
        self,
        queries: Mapping[str, str],
        corpus: Mapping[str, str],
        relevant: Mapping[str, Collection[str]],
        ks: Sequence[int] = (1, 3, 5, 10),
        map_k: int = 100,
        *,
        name: str = "",
        skip_same_id: bool = False,
        chunk_size: int = 10_000,
        groups: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        if min([*ks, map_k, chunk_size]) < 1:
            raise ValueError(
                "ks, map_k and chunk_size must be at least 1. "
                f"Received: {list(ks)}, {map_k} and {chunk_size}"
            )
        documents = sorted(corpus, key=str)
        rows = {document: row for row, document in enumerate(documents)}
        _check_ids(queries, rows, relevant, skip_same_id)
        kept = [query for query in queries if relevant.get(query)]
        without = [query for query in queries if not relevant.get(query)]
        if not kept:
            raise ValueError(
                "relevant must name a document of at least one query. "
                f"Received: none of {len(queries)} queries"
            )
        if without:
            warn(
                f"{len(without)} of {len(queries)} queries have no relevant document "
                f"and are left out: {without[:5]}{' …' if len(without) > 5 else ''}"
            )
        self.name, self._chunk_size, self._seed = name, chunk_size, seed
        self._ks, self._map_k = list(ks), map_k
        self._ids = pd.Index(kept, name="query")
        self._groups = self._ids if groups is None else _groups_of(kept, groups)
        self._queries = [queries[query] for query in kept]
        self._documents = [corpus[document] for document in documents]
        self._relevant = [[rows[own] for own in relevant[query]] for query in kept]
        own = [rows.get(query, -1) for query in kept]
        self._skipped = np.array(own) if skip_same_id else None

    @property
    def texts(self) -> list[str]:
        """Every text that is encoded."""
        return [*self._queries, *self._documents]

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
            encoder.encode(self._documents[start : start + step])
            for start in range(0, size, step)
        )
        # One more, as the skipped document may be among the first.
        depth = max([*self._ks, self._map_k]) + (self._skipped is not None)
        queries = encoder.encode(self._queries)
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
        clusters = pd.factorize(self._groups)[0]
        return Scores(table, clusters, "groups", self._seed)


def _groups_of(queries: Sequence[str], groups: Mapping[str, str]) -> pd.Index:
    lacking = [query for query in queries if query not in groups]
    if lacking:
        raise ValueError(
            "groups must name the group of each query. Received: none for "
            f"{lacking[:5]}"
        )
    return pd.Index([groups[query] for query in queries])


def _check_ids(
    queries: Mapping[str, str],
    corpus: Collection[str],
    relevant: Mapping[str, Collection[str]],
    skip_same_id: bool,
) -> None:
    texts = [query for query, own in relevant.items() if isinstance(own, str)]
    if texts:
        raise ValueError(
            "relevant must give a set of ids for each query. Received: "
            f"{relevant[texts[0]]!r} for {texts[0]!r}"
        )
    strangers = [query for query in relevant if query not in queries]
    if strangers:
        raise ValueError(
            f"relevant must name ids of queries. Received: {strangers[:5]}"
        )
    pairs = [(query, own) for query, documents in relevant.items() for own in documents]
    unknown = [own for _, own in pairs if own not in corpus]
    if unknown:
        raise ValueError(
            f"relevant must name ids of the corpus. Received: {unknown[:5]}"
        )
    skipped = [own for query, own in pairs if own == query]
    if skip_same_id and skipped:
        raise ValueError(
            "with skip_same_id, no document is relevant to the query of its own id. "
            f"Received: {skipped[:5]}"
        )
