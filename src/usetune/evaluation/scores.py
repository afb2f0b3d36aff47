"""Scores of an encoder by query: means, intervals, two encoders compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from usetune.evaluation import bootstrap


# Tables have no truth value: a comparison field by field would raise.
@dataclass(frozen=True, eq=False)
class Scores:
    """What `RetrievalEvaluator` and `DomainEvaluator` measured.

    Asked by name, ``scores["mrr@10"]``, it gives one metric. Intervals draw clusters of
    queries with replacement, as queries about one thing are not independent.

    Attributes:
        queries: one row for each query; each column's mean is a metric.
        clusters: int array (queries,), from 0: what the bootstrap draws together.
        cluster: what the clusters are called, in tables.
        seed: seed of the bootstrap.
        cosines: None, or for each query the cosines related (with its answer) and
            unrelated (with another text), of which auc and margin are made.
        by_cluster: None, or further metrics with a row for each cluster, NaN where one
            has none.
        groups: None, or the name of each query's group, for `by_group`.
        answers: None, or for each query its answer and what came first instead, see
            `worst_queries`.
    """

    queries: pd.DataFrame
    clusters: np.ndarray
    cluster: str
    seed: int
    cosines: pd.DataFrame | None = None
    by_cluster: pd.DataFrame | None = None
    groups: pd.Series | None = None
    answers: pd.DataFrame | None = None

    def __getitem__(self, name: str) -> float:
        """One metric.

        Raises:
            KeyError: naming the metrics that there are.
        """
        metrics = self.metrics()
        if name not in metrics:
            raise KeyError(f"{name!r} is none of {[*metrics]}")
        return metrics[name]

    def __str__(self) -> str:
        lines = [f"{name:15} {value:.4f}" for name, value in self.metrics().items()]
        return "\n".join([*lines, f"{'n':15} {len(self.queries)}"])

    def metrics(self) -> dict[str, float]:
        """Each metric by its name."""
        return self._metrics_of(np.arange(self._size))

    def intervals(self, samples: int = 1000) -> pd.DataFrame:
        """Metrics with their bootstrap intervals.

        Args:
            samples: number of bootstrap samples.

        Returns:
            DataFrame indexed by metric: value, low, high (95 %, percentiles), n (the
            number of queries) and the number of clusters, under their name.
        """
        return self._counted(
            bootstrap.intervals(self._metrics_of, self._size, samples, self.seed)
        )

    def compare(self, tuned: Scores, samples: int = 1000) -> pd.DataFrame:
        """Metrics of a base and a tuned encoder, on the same queries.

        Args:
            tuned: the other scores; these are the base's.
            samples: number of bootstrap samples, the same draws for both.

        Returns:
            DataFrame indexed by metric: base, tuned, difference, low, high (of the
            difference), n and the number of clusters, under their name.

        Raises:
            ValueError: if the two have other queries or other metrics.
        """
        if not self._is_alike(tuned):
            raise ValueError(
                "base and tuned must have the same queries and metrics. Received: "
                f"tables of {self.queries.shape} and {tuned.queries.shape}"
            )
        both = self._metrics_of, tuned._metrics_of
        return self._counted(bootstrap.compare(*both, self._size, samples, self.seed))

    def by_group(self) -> pd.DataFrame:
        """The means of each group's queries, with n.

        Raises:
            ValueError: if the queries have no groups.
        """
        if self.groups is None:
            raise ValueError(
                "these scores have no groups: the pairs had no such column"
            )
        groups = self.queries.groupby(self.groups)
        return groups.mean().assign(n=groups.size())

    @property
    def _size(self) -> int:
        """The number of clusters."""
        return int(self.clusters.max()) + 1

    def _metrics_of(self, drawn: np.ndarray) -> dict[str, float]:
        """Metrics of clusters, each taken as often as it is drawn."""
        times = np.bincount(drawn, minlength=self._size)[self.clusters]
        rows = np.repeat(np.arange(len(times)), times)
        means = self.queries.to_numpy().T.take(rows, axis=1).mean(axis=1)
        metrics = dict(zip(self.queries, means.tolist(), strict=True))
        if self.cosines is not None:
            metrics |= _separation(*self.cosines.to_numpy()[rows].T)
        if self.by_cluster is not None:
            # Of what is known: NaN is left out.
            metrics |= self.by_cluster.iloc[drawn].mean().to_dict()
        return metrics

    def _counted(self, table: pd.DataFrame) -> pd.DataFrame:
        counts = {"n": len(self.queries), self.cluster: self._size}
        return table.assign(**counts)

    def _is_alike(self, other: Scores) -> bool:
        own, its = self.by_cluster, other.by_cluster
        return (
            self.queries.index.equals(other.queries.index)
            and self.queries.columns.equals(other.queries.columns)
            and np.array_equal(self.clusters, other.clusters)
            and (own is None or its is None or own.index.equals(its.index))
        )


def _separation(related: np.ndarray, unrelated: np.ndarray) -> dict[str, float]:
    ranks = stats.rankdata(np.concatenate([related, unrelated]))[: len(related)]
    # Mann and Whitney's U, as a share of all pairs of a related and an unrelated one.
    wins = ranks.sum() - len(related) * (len(related) + 1) / 2
    return {
        "auc": float(wins / (len(related) * len(unrelated))),
        "margin": float(related.mean() - unrelated.mean()),
    }


def with_prefix(metrics: Mapping[str, float], name: str) -> dict[str, float]:
    """Metrics with the name of their evaluator before their own, if it has one."""
    return {f"{name}_{key}" if name else key: x for key, x in metrics.items()}
