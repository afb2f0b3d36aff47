"""How well an encoder knows a domain: labels, their things, and groups of things."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from usetune.data.columns import require_columns
from usetune.data.formats import POSITIVE, check_rows
from usetune.evaluation.inputs import distinct, embed
from usetune.evaluation.ranking import answer_ranks, retrieval_metrics
from usetune.evaluation.scores import Scores, with_prefix
from usetune.protocols import TextEncoder

_METRICS = ["recall@1", "recall@10", "mrr@10"]


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
        seed: seed of the draw of other texts, and of the bootstrap.
        name: put before the names of the metrics: "name_mrr@10".

    Attributes:
        texts: every text that is encoded.

    Raises:
        TypeError: if ``pairs`` is no DataFrame, or ``corpus`` no sequence of ``str``.
        ValueError: if ``pairs`` has no rows, lacks a column or has an empty cell, the
            corpus has a text twice or fewer than two, or a positive is not in it.
    """

    def __init__(
        self,
        pairs: pd.DataFrame,
        corpus: Sequence[str],
        seed: int = 0,
        *,
        name: str = "",
    ) -> None:
        columns = [*POSITIVE.columns]
        known = require_columns(pairs, "pairs", columns)[columns]
        check_rows(known, POSITIVE, "pairs")
        rows = distinct(corpus, least=2)
        unknown = pairs.loc[~pairs["positive"].isin(rows), "positive"].tolist()
        if unknown:
            raise ValueError(f"positives that are not in the corpus: {unknown[:5]}")
        self.pairs, self.corpus = pairs, rows.tolist()
        self.seed, self.name = seed, name
        self.texts = [*pairs["anchor"], *self.corpus]
        self._answers = rows.get_indexer(pairs["positive"])
        others = np.random.default_rng(seed).integers(len(rows) - 1, size=len(pairs))
        self._others = others + (others >= self._answers)

    def __call__(self, encoder: TextEncoder) -> dict[str, float]:
        """The metrics without their intervals."""
        return with_prefix(self.score(encoder).metrics(), self.name)

    def score(self, encoder: TextEncoder) -> Scores:
        """Measure an encoder.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)`` of unit length.

        Raises:
            ValueError: if an embedding is not finite.
        """
        anchors = embed(encoder, self.pairs["anchor"].tolist())
        corpus = embed(encoder, self.corpus)
        ranks = answer_ranks(anchors, corpus, self._answers).rename_axis("query")
        metrics = retrieval_metrics(ranks.reset_index().assign(grade=1))[_METRICS]
        cosines = {
            name: np.sum(anchors * corpus[rows], axis=1)
            for name, rows in (("related", self._answers), ("unrelated", self._others))
        }
        index = self.pairs.index
        clusters, positives = pd.factorize(self.pairs["positive"])
        return Scores(
            queries=metrics.set_axis(index),
            clusters=clusters,
            cluster="positives",
            seed=self.seed,
            cosines=pd.DataFrame(cosines, index=index),
            by_cluster=self._group_cosines(corpus, pd.Index(positives)),
            groups=self.pairs.get("group"),
            answers=self.pairs[[*POSITIVE.columns]].assign(
                rank=ranks["rank"].to_numpy(),
                cosine=ranks["score"].to_numpy(),
                first=np.array(self.corpus, dtype=object)[ranks["first"]],
                first_cosine=ranks["first_score"].to_numpy(),
            ),
        )

    def _group_cosines(self, corpus: np.ndarray, positives: pd.Index) -> pd.DataFrame:
        """Mean cosine of each positive with those of its group and of others."""
        table = pd.DataFrame(index=positives)
        if "group" not in self.pairs:
            return table
        first = ~self.pairs["positive"].duplicated().to_numpy()
        groups = self.pairs["group"][first].to_numpy()
        own = corpus[self._answers[first]]
        same = groups[:, None] == groups
        cosines, is_self = own @ own.T, np.eye(len(own), dtype=bool)
        masks = {"in-group": same & ~is_self, "between-group": ~same}
        for name, mask in masks.items():
            # A group of one occupation has no pair within: NaN.
            counts = np.where(mask.any(1), mask.sum(1), np.nan)
            table[name] = np.sum(cosines * mask, axis=1) / counts
        return table
