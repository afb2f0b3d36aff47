"""How well an encoder knows a domain: labels, their things, and groups of things."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from usetune.evaluation.ranking import relevant_ranks, retrieval_metrics
from usetune.evaluation.scores import Scores
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest

_METRICS = ["recall@1", "recall@10", "mrr@10"]
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
        """The metrics without their intervals."""
        return self.score(encoder).metrics()

    def score(self, encoder: TextEncoder) -> Scores:
        """Measure an encoder.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)`` of unit length.
        """
        anchors = encoder.encode(self.pairs["anchor"].tolist())
        corpus = encoder.encode(self.corpus)
        found, _ = nearest(anchors, corpus, min(_DEPTH, len(corpus)))
        ranks = relevant_ranks(found, self._relevant[:, None])
        metrics = retrieval_metrics(ranks, (1, _DEPTH)).set_index(self.pairs.index)
        cosines = {"related": self._relevant, "unrelated": self._others}
        clusters, positives = pd.factorize(self.pairs["positive"])
        return Scores(
            queries=metrics[_METRICS],
            clusters=clusters,
            cluster="positives",
            seed=self.seed,
            cosines=pd.DataFrame(
                {
                    name: np.sum(anchors * corpus[rows], axis=1)
                    for name, rows in cosines.items()
                },
                index=self.pairs.index,
            ),
            by_cluster=self._group_cosines(corpus, pd.Index(positives)),
            groups=self.pairs.get("group"),
        )

    def _group_cosines(self, corpus: np.ndarray, positives: pd.Index) -> pd.DataFrame:
        """Mean cosine of each positive with those of its group and of others."""
        table = pd.DataFrame(index=positives)
        if "group" not in self.pairs:
            return table
        first = ~self.pairs["positive"].duplicated().to_numpy()
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
            table[name] = np.sum(cosines * mask, axis=1) / counts
        return table
