"""Which of the texts nearest to an anchor may be its hard negatives."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from usetune._utils.checks import check_at_least

# Candidates looked at for each negative wanted, where limits may refuse some.
_SPARE = 10

# What each limit refuses: the candidates' scores, the lowest score of a positive of
# their anchor, and the limit → bool for each candidate.
_REFUSED: dict[str, Any] = {
    "absolute_margin": lambda scores, lowest, margin: scores + margin > lowest,
    "relative_margin": lambda scores, lowest, margin: (
        scores > lowest - abs(lowest) * margin
    ),
    "max_score": lambda scores, lowest, limit: scores > limit,
    "min_score": lambda scores, lowest, limit: scores < limit,
}


@dataclass(frozen=True)
class MiningLimits:
    """The scores and ranks that hard negatives may have; None for no limit.

    Attributes:
        absolute_margin: negatives must score at least this much lower than the lowest
            of the anchor's positives.
        relative_margin: the same, as a share of the size of the positive's score.
        max_score: highest score of a negative, in [-1, 1].
        min_score: lowest score of a negative, in [-1, 1].
        range_min: number of the nearest candidates to skip, at least 0.
        range_max: candidates beyond this rank are not looked at; at least ``range_min
            + count``. None: ``range_min`` + the most positives of an anchor +
            ``count``, or ten times ``count`` with a margin or ``max_score``.

    Raises:
        ValueError: if ``range_min`` is below 0.
    """

    absolute_margin: float | None = None
    relative_margin: float | None = None
    max_score: float | None = None
    min_score: float | None = None
    range_min: int = 0
    range_max: int | None = None

    def __post_init__(self) -> None:
        check_at_least("range_min", self.range_min, 0)

    def last_rank(self, count: int, most: int) -> int:
        """The rank of the last candidate to look at.

        Args:
            count: number of negatives wanted.
            most: the most texts that an anchor excludes.

        Raises:
            ValueError: if ``range_max`` leaves fewer than ``count`` candidates.
        """
        if self.range_max is None:
            limits = (self.absolute_margin, self.relative_margin, self.max_score)
            spare = 1 if limits == (None, None, None) else _SPARE
            return self.range_min + count * spare + most
        if self.range_max < self.range_min + count:
            raise ValueError(
                "range_max must be at least range_min + count, here "
                f"{self.range_min + count}. Received: {self.range_max}"
            )
        return self.range_max

    def refused(self, scores: np.ndarray, lowest: np.ndarray) -> dict[str, np.ndarray]:
        """Say which candidates each limit refuses.

        Args:
            scores: float32 (anchors, candidates).
            lowest: lowest score of a positive of each anchor, float32 (anchors, 1).

        Returns:
            For every limit, set or not, a bool array (anchors, candidates).
        """
        none = np.zeros(scores.shape, dtype=bool)
        limits = {name: getattr(self, name) for name in _REFUSED}
        return {
            name: none if limit is None else _REFUSED[name](scores, lowest, limit)
            for name, limit in limits.items()
        }
