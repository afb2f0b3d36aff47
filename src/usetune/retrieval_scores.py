"""Retrieval measures of each query, their means, and two encoders compared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from usetune.bootstrap import bootstrap, interval_table


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

    def figures(self) -> dict[str, float]:
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
        return self._table({"value": self.figures()}, self.queries, samples)

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
            "base": self.figures(),
            "tuned": tuned.figures(),
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
