"""Measuring an encoder while it is trained."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import keras
import numpy as np

from usetune.encoder import Encoder

WATCHED = "watched"


class Measure(Protocol):
    """What `fine_tune` measures after each epoch.

    Attributes:
        texts: every text that measuring encodes.
    """

    texts: Sequence[str]

    def __call__(self, encoder: Encoder) -> Mapping[str, float]:
        """Figures of an encoder by their names; more is better."""
        ...


class Figures(keras.callbacks.Callback):
    """Takes measures after each epoch, and sets what early stopping watches.

    The column `WATCHED` of the logs is the monitored figure, its sign such that more is
    better, and -inf in epochs that do not reach the guard.

    Args:
        encoder: what is measured, the one that is trained.
        measures: what to take.
        monitor: a column of the logs; of a measure more is better, otherwise less.
        guard: columns with their least values.
    """

    def __init__(
        self,
        encoder: Encoder,
        measures: Sequence[Measure],
        monitor: str,
        guard: Mapping[str, float],
    ) -> None:
        super().__init__()
        self._encoder, self._measures = encoder, measures
        self._monitor, self.guard = monitor, guard

    def measure(self) -> dict[str, float]:
        """All figures of the encoder as it is now."""
        figures = {}
        for measure in self._measures:
            figures |= measure(self._encoder)
        return figures

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Add the figures to the logs."""
        figures = self.measure()
        logs |= figures
        watched = logs[self._monitor]
        if self._monitor not in figures:
            watched = -watched
        passed = all(logs[name] >= least for name, least in self.guard.items())
        logs[WATCHED] = watched if passed else -np.inf
