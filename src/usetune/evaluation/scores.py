"""Scores of an encoder by query: means, intervals, two encoders compared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from usetune.evaluation.bootstrap import bootstrap, interval_table


@dataclass(frozen=True)
class RetrievalScores:
    """What `RetrievalEvaluator` measured.

    Attributes:
        queries: the measures of each query, indexed by its id.
        groups: int array (queries,), from 0, what the bootstrap draws together.
        seed: of the bootstrap.
    """

    queries: pd.DataFrame
    groups: np.ndarray
    seed: int

    def metrics(self) -> dict[str, float]:
        """The mean of each measure."""
        return _means(self.queries)

    def intervals(self, samples: int = 1000) -> pd.DataFrame:
        """Figures with their bootstrap intervals, groups drawn with replacement.

        Args:
            samples: bootstrap samples.

        Returns:
            DataFrame indexed by figure: value, low, high (95 %, percentiles), n (the
            number of queries) and groups (the number of what is drawn).
        """
        return self._table({"value": self.metrics()}, self.queries, samples)

    def compare(self, tuned: "RetrievalScores", samples: int = 1000) -> pd.DataFrame:
        """Figures of a base and a tuned encoder, on the same queries.

        Args:
            tuned: the other scores; these are the base's.
            samples: bootstrap samples, each of the same queries for both.

        Returns:
            DataFrame indexed by figure: base, tuned, difference, low, high (of the
            difference), n and groups.

        Raises:
            ValueError: if the two have other queries or other measures.
        """
        same = self.queries.index.equals(tuned.queries.index)
        if not same or not self.queries.columns.equals(tuned.queries.columns):
            raise ValueError(
                "base and tuned must have the same queries and measures. Received: "
                f"tables of {self.queries.shape} and {tuned.queries.shape}"
            )
        difference = tuned.queries - self.queries
        columns = {
            "base": self.metrics(),
            "tuned": tuned.metrics(),
            "difference": _means(difference),
        }
        return self._table(columns, difference, samples)

    def _table(
        self,
        columns: Mapping[str, Mapping[str, float]],
        by_query: pd.DataFrame,
        samples: int,
    ) -> pd.DataFrame:
        # The mean of a sample is the sum of its groups' sums by that of their sizes.
        sums = by_query.groupby(self.groups).sum().to_numpy()
        sizes = np.bincount(self.groups)

        def means(drawn: np.ndarray) -> dict[str, float]:
            own = sums[drawn].sum(axis=0) / sizes[drawn].sum()
            return dict(zip(by_query, own, strict=True))

        drawn = bootstrap(means, len(sizes), samples, self.seed)
        table = interval_table(columns, drawn)
        return table.assign(n=len(by_query), groups=len(sizes))


def _means(by_query: pd.DataFrame) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in by_query.items()}


_RETRIEVAL = ["recall@1", "recall@10", "mrr@10"]


@dataclass(frozen=True)
class DomainScores:
    """What `DomainEvaluator` measured.

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

    def metrics(self) -> dict[str, float]:
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
        return self._table({"value": self.metrics()}, self._bootstrap(samples))

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
        base, other = self.metrics(), tuned.metrics()
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

        def metrics(sample: np.ndarray) -> dict[str, float]:
            own = np.concatenate([members[row] for row in sample])
            return _figures(
                {name: values[own] for name, values in queries.items()},
                {name: values[sample] for name, values in positives.items()},
            )

        return bootstrap(metrics, len(members), samples, self.seed)

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
