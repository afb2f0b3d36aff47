"""Scores of an encoder by its cosines of pairs and triplets, and two compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from usetune.data.formats import text_columns
from usetune.evaluation import bootstrap


@dataclass(frozen=True, eq=False)
class PairScores:
    """What `SimilarityEvaluator` and the other evaluators of tables found by cosine.

    Attributes:
        examples: the table that was measured.
        cosines: float array (examples, 1), or of triplets (examples, 2): of the anchor
            with the positive and with the negative.
        measure: from columns of cosines, then of gold numbers, to metrics.
        settings: further arguments of ``measure``, by name.
    """

    examples: pd.DataFrame
    cosines: np.ndarray
    measure: Callable[..., Mapping[str, float]]
    settings: Mapping[str, float]

    def metrics(self) -> dict[str, float]:
        """Each metric by its name."""
        return self._metrics_of(np.arange(len(self.examples)))

    def intervals(self, samples: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Metrics with their bootstrap intervals; rows of the table are drawn.

        Args:
            samples: number of bootstrap samples.
            seed: seed of the draws.

        Returns:
            DataFrame indexed by metric: value, low, high (95 %, percentiles) and n.
        """
        size = len(self.examples)
        table = bootstrap.intervals(self._metrics_of, size, samples, seed)
        return table.assign(n=size)

    def compare(
        self, tuned: PairScores, samples: int = 1000, seed: int = 0
    ) -> pd.DataFrame:
        """Metrics of a base and a tuned encoder, on the same table.

        Args:
            tuned: the other scores; these are the base's.
            samples: number of bootstrap samples, the same draws for both.
            seed: seed of the draws.

        Returns:
            DataFrame indexed by metric: base, tuned, difference, low, high (95 % of the
            difference, percentiles) and n.

        Raises:
            ValueError: if the two were measured on other tables, or by other settings,
                such as the margin of triplets.
        """
        if not self.examples.equals(tuned.examples):
            raise ValueError(
                "base and tuned must be scored on the same table. Received: tables of "
                f"{len(self.examples)} and {len(tuned.examples)} rows"
            )
        if self.settings != tuned.settings:
            raise ValueError(
                "base and tuned must be scored by the same settings. Received: "
                f"{dict(self.settings)} and {dict(tuned.settings)}"
            )
        both, size = (self._metrics_of, tuned._metrics_of), len(self.examples)
        return bootstrap.compare(*both, size, samples, seed).assign(n=size)

    def _metrics_of(self, rows: np.ndarray) -> dict[str, float]:
        table = self.examples.drop(columns=text_columns(self.examples))
        numbers = table.to_numpy()[rows]
        return dict(self.measure(*self.cosines[rows].T, *numbers.T, **self.settings))
