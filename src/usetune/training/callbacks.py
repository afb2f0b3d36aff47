"""Measuring an encoder while it is trained, and keeping its best weights."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from usetune.encoders.base import Encoder
from usetune.protocols import Evaluator


class EvaluatorCallback(keras.callbacks.Callback):
    """Adds figures of an encoder to the logs of each epoch, in any `keras.Model.fit`.

    Callbacks that are listed after it find them in the logs, and so does the history:

    .. code-block:: python

        siamese = build_siamese(encoder)
        siamese.compile("adam", "mean_squared_error")
        siamese.fit(x, y, epochs=9, callbacks=[
            EvaluatorCallback(encoder, [RetrievalEvaluator(queries, corpus, relevant)]),
            keras.callbacks.EarlyStopping(monitor="mrr@10", mode="max", patience=2),
        ])

    Args:
        encoder: what is measured, the one that the model trains.
        measures: what to take. No two may give figures of one name: evaluators have
            the argument ``name`` to tell them apart.
    """

    def __init__(self, encoder: Encoder, measures: Sequence[Evaluator]) -> None:
        super().__init__()
        self._encoder, self._measures = encoder, list(measures)

    def measure(self) -> dict[str, float]:
        """The figures of all measures.

        Raises:
            ValueError: if two measures give figures of one name.
        """
        figures: dict[str, float] = {}
        for measure in self._measures:
            _add(figures, measure(self._encoder))
        return figures

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Add the figures to the logs."""
        _add(logs, self.measure())


def _add(figures: dict[str, Any], more: Mapping[str, float]) -> None:
    twice = sorted({*figures} & {*more})
    if twice:
        raise ValueError(
            "measures must give figures of different names, which are no names of "
            f"the logs either. Received twice: {twice}"
        )
    figures |= more


class BestEpoch(EvaluatorCallback):
    """Takes measures after each epoch, keeps the best weights, and stops early.

    Args:
        encoder: what is measured, the one that is trained.
        measures: what to take.
        monitor: a column of the logs; of a measure more is better, otherwise less.
        guard: columns with the least values that an epoch must reach to be kept.
        patience: epochs without improvement before training stops.
        min_delta: change of the monitored figure that counts as improvement.

    Attributes:
        rows: the logs of each epoch.
        base: the monitored figure before training, its sign such that more is better;
            -inf if it is not known or below the guard.
        best: the same of the best epoch.
        waited: epochs since then.
        weights: of the best epoch, where the monitored figure is one of its end.
    """

    def __init__(
        self,
        encoder: Encoder,
        measures: Sequence[Evaluator],
        monitor: str,
        guard: Mapping[str, float],
        patience: int,
        min_delta: float,
    ) -> None:
        super().__init__(encoder, measures)
        self.monitor, self.guard = monitor, dict(guard)
        self._patience, self._min_delta = patience, min_delta
        self.rows: list[dict[str, float]] = []
        self.base = self.best = -np.inf
        self.waited = 0
        self.weights: list[np.ndarray] | None = None

    def start(self, validation: Mapping[str, float]) -> None:
        """Measure before training.

        Args:
            validation: the logs of the validation, without the prefix ``val_``.

        Raises:
            ValueError: if ``monitor`` or ``guard`` is nothing that is measured.
        """
        figures = self.measure()
        self._before = {f"val_{name}": x for name, x in validation.items()} | figures
        for argument, known, names in (
            ("monitor", {*self._before, *validation}, [self.monitor]),
            ("guard", {*self._before}, self.guard),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"{argument} must be among {sorted(known)}. Received: {name!r}"
                    )
        if self.monitor in self._before:
            self.base = self._watched(self._before, figures)

    @property
    def is_over(self) -> bool:
        """Whether training should stop early."""
        return 0 < self.waited >= self._patience

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Add the figures to the logs, and look whether the epoch is the best."""
        figures = self.measure()
        _add(logs, figures)
        self.rows.append({name: float(value) for name, value in logs.items()})
        value = self._watched(logs, figures)
        self.waited += 1
        if value - self._min_delta > self.best:
            self.best, self.waited = value, 0
            # The training loss is no figure of the weights at the epoch's end.
            if self.monitor in self._before:
                self.weights = self.model.get_weights()
        if self.is_over:
            self.model.stop_training = True

    def history(self) -> pd.DataFrame:
        """One row for each epoch, and row 0 for the start."""
        rows = pd.DataFrame([self._before, *self.rows]).rename_axis("epoch")
        return rows[list(self.rows[0])]

    def _watched(
        self, logs: Mapping[str, float], figures: Mapping[str, float]
    ) -> float:
        if any(logs[name] < least for name, least in self.guard.items()):
            return -np.inf
        value = float(logs[self.monitor])
        return value if self.monitor in figures else -value


def best_encoder(
    base: Encoder, student: Encoder, model: keras.Model, watch: BestEpoch
) -> Encoder:
    """The full encoder with the weights to keep, and a warning if they are not good.

    Args:
        base: where the training started.
        student: what was trained, compact perhaps.
        model: the one that was fitted, around the student.
        watch: that followed it.
    """
    if watch.best == -np.inf:
        reason = (
            f"no epoch reached the guard {watch.guard}"
            if watch.guard
            else f"{watch.monitor} was never a finite number"
        )
        warnings.warn(
            f"{reason}, so the encoder has the weights from before training",
            stacklevel=3,
        )
        return base.copy()
    if watch.weights:
        model.set_weights(watch.weights)
    if watch.best < watch.base:
        warnings.warn(
            f"the tuned encoder is worse than its base on {watch.monitor}: "
            f"{abs(watch.best):.4g}, before training {abs(watch.base):.4g}",
            stacklevel=3,
        )
    return student.expand(base)
