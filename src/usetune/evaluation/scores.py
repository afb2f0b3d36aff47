"""Scores of an encoder by query: means, intervals, two encoders compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from usetune.evaluation.bootstrap import bootstrap, interval_table


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
    """

    queries: pd.DataFrame
    clusters: np.ndarray
    cluster: str
    seed: int
    cosines: pd.DataFrame | None = None
    by_cluster: pd.DataFrame | None = None
    groups: pd.Series | None = None

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
        metrics = {name: float(own.mean()) for name, own in self.queries.items()}
        if self.cosines is not None:
            metrics |= _separation(*self.cosines.to_numpy().T)
        if self.by_cluster is not None:
            metrics |= {
                name: _mean_of_known(own.to_numpy())
                for name, own in self.by_cluster.items()
            }
        return metrics

    def intervals(self, samples: int = 1000) -> pd.DataFrame:
        """Metrics with their bootstrap intervals.

        Args:
            samples: number of bootstrap samples.

        Returns:
            DataFrame indexed by metric: value, low, high (95 %, percentiles), n (the
            number of queries) and the number of clusters, under their name.
        """
        drawn = self._bootstrap(samples)
        return self._counted(interval_table({"value": self.metrics()}, drawn))

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
        base, other = self.metrics(), tuned.metrics()
        columns = {
            "base": base,
            "tuned": other,
            "difference": {name: other[name] - base[name] for name in base},
        }
        drawn = tuned._bootstrap(samples) - self._bootstrap(samples)
        return self._counted(interval_table(columns, drawn))

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

    def _counted(self, table: pd.DataFrame) -> pd.DataFrame:
        counts = {"n": len(self.queries), self.cluster: self.clusters.max() + 1}
        return table.assign(**counts)

    def _is_alike(self, other: Scores) -> bool:
        own, its = self.by_cluster, other.by_cluster
        return (
            self.queries.index.equals(other.queries.index)
            and self.queries.columns.equals(other.queries.columns)
            and np.array_equal(self.clusters, other.clusters)
            and (own is None or its is None or own.index.equals(its.index))
        )

    def _bootstrap(self, samples: int) -> pd.DataFrame:
        # The mean of a sample is the sum of its clusters' sums by that of their sizes.
        sums = self.queries.groupby(self.clusters).sum().to_numpy()
        sizes = np.bincount(self.clusters)
        order = np.argsort(self.clusters, kind="stable")
        members = np.split(order, np.cumsum(sizes)[:-1])
        cosines = None if self.cosines is None else self.cosines.to_numpy()
        further = self.by_cluster

        def metrics(drawn: np.ndarray) -> dict[str, float]:
            means = sums[drawn].sum(axis=0) / sizes[drawn].sum()
            found = dict(zip(self.queries, means, strict=True))
            if cosines is not None:
                rows = np.concatenate([members[cluster] for cluster in drawn])
                found |= _separation(*cosines[rows].T)
            if further is not None:
                found |= {
                    name: _mean_of_known(own.to_numpy()[drawn])
                    for name, own in further.items()
                }
            return found

        return bootstrap(metrics, len(sizes), samples, self.seed)


def _separation(related: np.ndarray, unrelated: np.ndarray) -> dict[str, float]:
    ranks = stats.rankdata(np.concatenate([related, unrelated]))[: len(related)]
    # Mann and Whitney's U, as a share of all pairs of a related and an unrelated one.
    wins = ranks.sum() - len(related) * (len(related) + 1) / 2
    return {
        "auc": float(wins / (len(related) * len(unrelated))),
        "margin": float(related.mean() - unrelated.mean()),
    }


def _mean_of_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
