"""How well an encoder knows a domain: labels, their things, and groups of things."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from usetune.bootstrap import bootstrap, interval_table
from usetune.retrieval import nearest, relevant_ranks, retrieval_measures
from usetune.sts import TextEncoder

_RETRIEVAL = ["recall@1", "recall@10", "mrr@10"]
_DEPTH = 10


class DomainBenchmark:
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
        return self.score(encoder).figures()

    def score(self, encoder: TextEncoder) -> "DomainScores":
        """Measure an encoder.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)`` of unit length.
        """
        anchors = encoder.encode(self.pairs["anchor"].tolist())
        corpus = encoder.encode(self.corpus)
        found, _ = nearest(anchors, corpus, min(_DEPTH, len(corpus)))
        ranks = relevant_ranks(found, self._relevant[:, None])
        measures = retrieval_measures(ranks, (1, _DEPTH))
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


@dataclass(frozen=True)
class DomainScores:
    """What `DomainBenchmark` measured.

    Attributes:
        queries: one row per pair: recall@1, recall@10, mrr@10, the cosines related
            and unrelated, positive, and perhaps group.
        positives: one row per distinct positive, its mean cosines in-group and
            between-group.
        seed: of the bootstrap.
    """

    queries: pd.DataFrame
    positives: pd.DataFrame
    seed: int

    def figures(self) -> dict[str, float]:
        """Each figure by its name."""
        return _figures(self._arrays(self.queries), self._arrays(self.positives))

    def intervals(self, samples: int = 1000) -> pd.DataFrame:
        """Figures with their bootstrap intervals.

        Positives are drawn with replacement, with all their queries, as queries of
        one positive are not independent.

        Args:
            samples: bootstrap samples.

        Returns:
            DataFrame indexed by figure: value, low, high (95 %, percentiles), n (the
            number of queries) and positives (the number of what is drawn).
        """
        return self._table({"value": self.figures()}, self._bootstrap(samples))

    def compare(self, tuned: "DomainScores", samples: int = 1000) -> pd.DataFrame:
        """Figures of a base and a tuned encoder, on the same queries.

        Args:
            tuned: the other scores; these are the base's.
            samples: bootstrap samples, the same draws for both.

        Returns:
            DataFrame indexed by figure: base, tuned, difference, low, high (of the
            difference), n and positives.

        Raises:
            ValueError: if the two were measured on other queries.
        """
        if not self.queries["positive"].equals(tuned.queries["positive"]):
            raise ValueError("base and tuned were not measured on the same queries")
        base, other = self.figures(), tuned.figures()
        differences = {name: other[name] - base[name] for name in base}
        return self._table(
            {"base": base, "tuned": other, "difference": differences},
            tuned._bootstrap(samples) - self._bootstrap(samples),
        )

    def by_group(self) -> pd.DataFrame:
        """recall@1, recall@10 and mrr@10 of each group, with n."""
        groups = self.queries.groupby("group")
        return groups[_RETRIEVAL].mean().assign(n=groups.size())

    def _table(
        self, columns: Mapping[str, Mapping[str, float]], drawn: pd.DataFrame
    ) -> pd.DataFrame:
        table = interval_table(columns, drawn)
        return table.assign(n=len(self.queries), positives=len(self.positives))

    def _bootstrap(self, samples: int) -> pd.DataFrame:
        queries, positives = self._arrays(self.queries), self._arrays(self.positives)
        rows = self.positives.index.get_indexer(self.queries["positive"])
        members = [np.flatnonzero(rows == row) for row in range(len(self.positives))]

        def figures(sample: np.ndarray) -> dict[str, float]:
            own = np.concatenate([members[row] for row in sample])
            return _figures(
                {name: values[own] for name, values in queries.items()},
                {name: values[sample] for name, values in positives.items()},
            )

        return bootstrap(figures, len(members), samples, self.seed)

    @staticmethod
    def _arrays(table: pd.DataFrame) -> dict[str, np.ndarray]:
        numbers = table.select_dtypes("number")
        return {name: numbers[name].to_numpy() for name in numbers}


def _figures(
    queries: Mapping[str, np.ndarray], positives: Mapping[str, np.ndarray]
) -> dict[str, float]:
    related, unrelated = queries["related"], queries["unrelated"]
    ranks = stats.rankdata(np.concatenate([related, unrelated]))[: len(related)]
    # Mann and Whitney's U, as a share of all pairs of a related and an unrelated one.
    wins = ranks.sum() - len(related) * (len(related) + 1) / 2
    return {
        **{name: float(queries[name].mean()) for name in _RETRIEVAL},
        "auc": float(wins / (len(related) * len(unrelated))),
        "margin": float(related.mean() - unrelated.mean()),
        **{name: _mean_of_known(values) for name, values in positives.items()},
    }


def _mean_of_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
