"""How well an encoder knows a domain: labels, their things, and groups of things."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from usetune.evaluation.ranking import relevant_ranks, retrieval_metrics
from usetune.evaluation.scores import _RETRIEVAL, DomainScores
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest

_DEPTH = 10


class DomainEvaluator:
    """Measures an encoder on pairs that it was not trained on.

    - recall@1, recall@10, mrr@10: each anchor searches its positive in the corpus;
    - auc: how often a pair of an anchor and its positive has a larger cosine than a
      pair of an anchor and another text of the corpus, drawn at random (ties count one
      half); margin: the difference of the two mean cosines;
    - in-group, between-group: mean cosine of the positives with those of the same and
      of other groups, where the pairs have groups.

    Args:
        pairs: DataFrame with anchor and positive, and perhaps group.
        corpus: texts to search in, each once; every positive is one of them.
        seed: of the draw of other texts, and of the bootstrap.

    Attributes:
        texts: every text that is encoded.

    Raises:
        ValueError: if ``pairs`` is empty or lacks a column, the corpus has a text
            twice or fewer than two, or a positive is not in it.
    """

    def __init__(
        self, pairs: pd.DataFrame, corpus: Sequence[str], seed: int = 0
    ) -> None:
        missing = {"anchor", "positive"} - {*pairs.columns}
        if missing or pairs.empty:
            raise ValueError(
                "pairs must have anchor and positive, and at least one row. "
                f"Received: {list(pairs.columns)}, {len(pairs)} rows"
            )
        rows = pd.Index(corpus)
        if not rows.is_unique or len(rows) < 2:
            raise ValueError(
                "corpus must hold at least two texts, each once. Received: "
                f"{len(rows)}, twice {rows[rows.duplicated()].tolist()[:5]}"
            )
        unknown = pairs.loc[~pairs["positive"].isin(rows), "positive"].tolist()
        if unknown:
            raise ValueError(f"positives that are not in the corpus: {unknown[:5]}")
        self.pairs, self.corpus, self.seed = pairs, list(corpus), seed
        self.texts = [*pairs["anchor"], *corpus]
        self._relevant = rows.get_indexer(pairs["positive"])
        others = np.random.default_rng(seed).integers(len(rows) - 1, size=len(pairs))
        self._others = others + (others >= self._relevant)

    def __call__(self, encoder: TextEncoder) -> dict[str, float]:
        """The figures without their intervals."""
        return self.score(encoder).metrics()

    def score(self, encoder: TextEncoder) -> "DomainScores":
        """Measure an encoder.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)`` of unit length.
        """
        anchors = encoder.encode(self.pairs["anchor"].tolist())
        corpus = encoder.encode(self.corpus)
        found, _ = nearest(anchors, corpus, min(_DEPTH, len(corpus)))
        ranks = relevant_ranks(found, self._relevant[:, None])
        measures = retrieval_metrics(ranks, (1, _DEPTH))
        queries = measures.set_index(self.pairs.index)[_RETRIEVAL]
        queries["related"] = np.sum(anchors * corpus[self._relevant], axis=1)
        queries["unrelated"] = np.sum(anchors * corpus[self._others], axis=1)
        queries["positive"] = self.pairs["positive"]
        first = ~self.pairs["positive"].duplicated().to_numpy()
        positives = pd.DataFrame(index=self.pairs["positive"][first])
        if "group" in self.pairs:
            queries["group"] = self.pairs["group"]
            groups = self.pairs["group"][first].to_numpy()
            own = corpus[self._relevant[first]]
            same = groups[:, None] == groups
            cosines = own @ own.T
            for name, mask in (
                ("in-group", same & ~np.eye(len(own), dtype=bool)),
                ("between-group", ~same),
            ):
                # A group of one occupation has no pair within: NaN.
                counts = np.where(mask.any(1), mask.sum(1), np.nan)
                positives[name] = np.sum(cosines * mask, axis=1) / counts
        return DomainScores(queries, positives, self.seed)
