"""Measuring an encoder while it is trained, and keeping its best weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd

from usetune._utils.warn import warn
from usetune.encoders.base import Encoder
from usetune.protocols import Evaluator


class EvaluatorCallback(keras.callbacks.Callback):
    """Adds metrics of an encoder to the logs of each epoch, in any `keras.Model.fit`.

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
        evaluators: what to measure. No two may give metrics of one name: evaluators
            have the argument ``name`` to tell them apart.
    """

    def __init__(self, encoder: Encoder, evaluators: Sequence[Evaluator]) -> None:
        super().__init__()
        self._encoder, self._evaluators = encoder, list(evaluators)

    def measure(self) -> dict[str, float]:
        """The metrics of all evaluators.

        Raises:
            ValueError: if two evaluators give metrics of one name.
        """
        metrics: dict[str, float] = {}
        for evaluator in self._evaluators:
            _add(metrics, evaluator(self._encoder))
        return metrics

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Add the metrics to the logs."""
        _add(logs, self.measure())


def _add(metrics: dict[str, Any], more: Mapping[str, float]) -> None:
    twice = sorted({*metrics} & {*more})
    if twice:
        raise ValueError(
            "evaluators must give metrics of different names, which are no names of "
            "the logs either: give an evaluator a name=, which comes before those of "
            f"its metrics. Received twice: {twice}"
        )
    metrics |= more


@dataclass(frozen=True)
class EarlyStopping:
    """When a training stops, and which epoch's weights it keeps.

    Args:
        monitor: the column of the history that is watched: of an evaluator more is
            better, of a loss less. With a ``val_`` column or an evaluator's the best
            epoch's weights are kept, with another column the last epoch's.
        patience: epochs without improvement before training stops.
        min_delta: change of ``monitor`` that counts as improvement.
        guard: for columns of evaluators the least value that an epoch must reach to be
            kept, {"sts": 0.83} say. If none does, a warning says so, and the weights
            from before training are kept.
    """

    monitor: str = "val_loss"
    patience: int = 3
    min_delta: float = 0.0
    guard: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """The best epoch of a training so far.

    Attributes:
        epoch: its number, from 1.
        value: of the monitored metric, its sign such that more is better.
        weights: of the model at the epoch's end; None where the monitored metric says
            nothing about them, as the training loss does.
    """

    epoch: int
    value: float
    weights: list[np.ndarray] | None


class BestEpoch(EvaluatorCallback):
    """Measures after each epoch, keeps the best weights, and stops early.

    Args:
        encoder: what is measured, the one that is trained.
        evaluators: what to measure.
        early_stopping: what is watched.
        validation: the validation's logs before training, without the prefix ``val_``.

    Attributes:
        before: the logs before training, with what the evaluators gave.
        rows: the logs of each epoch.
        kept: the best epoch; None as long as none was good enough.

    Raises:
        ValueError: if ``monitor`` or ``guard`` is nothing that is measured, or two
            evaluators give metrics of one name.
    """

    def __init__(
        self,
        encoder: Encoder,
        evaluators: Sequence[Evaluator],
        early_stopping: EarlyStopping,
        validation: Mapping[str, float],
    ) -> None:
        super().__init__(encoder, evaluators)
        self._stopping = early_stopping
        metrics = self.measure()
        self._measured = [*metrics]
        self.before = {f"val_{name}": x for name, x in validation.items()} | metrics
        self.rows: list[dict[str, float]] = []
        self.kept: Kept | None = None
        monitor, guard = early_stopping.monitor, early_stopping.guard
        for argument, known, names in (
            ("monitor", {*self.before, *validation}, [monitor]),
            ("guard", {*self.before}, guard),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"{argument} must be among {sorted(known)}. Received: {name!r}"
                    )

    def described(self) -> list[Any]:
        """What tells the evaluators from others: classes, texts, names of metrics."""
        evaluators = [
            [type(own).__qualname__, list(own.texts)] for own in self._evaluators
        ]
        return [*evaluators, self._measured]

    @property
    def is_over(self) -> bool:
        """Whether training should stop early."""
        waited = len(self.rows) - (self.kept.epoch if self.kept else 0)
        return 0 < waited >= self._stopping.patience

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Add the metrics to the logs, and look whether the epoch is the best."""
        metrics = dict.fromkeys(self._measured, float("nan"))
        try:
            metrics |= self.measure()
        # The epochs before must not be lost, whatever an evaluator makes of this one.
        except Exception as error:
            warn(f"epoch {epoch + 1}: the evaluators failed: {error}")
        _add(logs, metrics)
        self.rows.append({name: float(value) for name, value in logs.items()})
        value, least = self._value(logs), self.kept.value if self.kept else -np.inf
        if value - self._stopping.min_delta > least:
            is_of_weights = self._stopping.monitor in self.before
            weights = self.model.get_weights() if is_of_weights else None
            self.kept = Kept(len(self.rows), value, weights)
        if self.is_over:
            self.model.stop_training = True

    def history(self) -> pd.DataFrame:
        """One row for each epoch, and row 0 for the start."""
        rows = pd.DataFrame([self.before, *self.rows]).rename_axis("epoch")
        return rows[list(self.rows[0])]

    def best_encoder(self, base: Encoder, model: keras.Model) -> Encoder:
        """The full encoder with the weights to keep; warn if they are not good.

        Args:
            base: where the training started.
            model: what was trained, around the encoder that is measured.
        """
        monitor, guard = self._stopping.monitor, self._stopping.guard
        if self.kept is None:
            reason = (
                f"no epoch reached the guard {dict(guard)}"
                if guard
                else f"{monitor} was never a finite number"
            )
            warn(f"{reason}, so the encoder has the weights from before training")
            return base.copy()
        if self.kept.weights:
            model.set_weights(self.kept.weights)
        start = self._value(self.before) if monitor in self.before else -np.inf
        if self.kept.value < start:
            warn(
                f"the tuned encoder is worse than its base on {monitor}: "
                f"{abs(self.kept.value):.4g}, before training {abs(start):.4g}"
            )
        return self._encoder.expand(base)

    def _value(self, logs: Mapping[str, float]) -> float:
        """The monitored metric, more being better; -inf where a guard is missed."""
        stopping = self._stopping
        if not all(logs[name] >= least for name, least in stopping.guard.items()):
            return -np.inf
        value = float(logs[stopping.monitor])
        return value if stopping.monitor in self._measured else -value
