"""What a training was, in words and numbers that JSON can hold."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from usetune._utils.versions import package_versions
from usetune.encoders.base import Encoder
from usetune.training.callbacks import BestEpoch
from usetune.training.training_set import TrainingSet

_SAMPLE_ROWS = 3


@dataclass(frozen=True)
class BaseRecord:
    """Where a training started: an encoder's class, name, dim and parameters."""

    class_name: str
    name: str
    dim: int
    parameters: int


@dataclass(frozen=True)
class ColumnRecord:
    """Lengths of a column's texts in characters, or the values of its numbers."""

    of: str
    min: float
    mean: float
    max: float


@dataclass(frozen=True)
class DataRecord:
    """One data set of a training.

    Attributes:
        name: "" where there is only one.
        format: the name of its format.
        loss: the loss's class and arguments.
        batch_sampler: which examples came together.
        batch_size: examples in a step.
        rows: number of examples trained on.
        validation_rows: number of examples validated on.
        columns: of the examples trained on, by name.
        sample: the first examples trained on.
    """

    name: str
    format: str
    loss: dict[str, Any]
    batch_sampler: str
    batch_size: int
    rows: int
    validation_rows: int
    columns: dict[str, ColumnRecord]
    sample: list[dict[str, Any]]


@dataclass(frozen=True)
class RunRecord:
    """How one run went.

    Attributes:
        seed: of the order of the examples.
        epochs: number of epochs.
        steps: number of batches in all epochs.
        best_epoch: number of the best epoch, 0 if none was good enough.
        kept_epoch: the epoch whose weights the tuned encoder has, 0 for those from
            before training.
        resumed: number of epochs that a checkpoint had behind it.
        seconds: time that the other epochs took, with their validation.
    """

    seed: int
    epochs: int
    steps: int
    best_epoch: int
    kept_epoch: int
    resumed: int
    seconds: float


@dataclass(frozen=True)
class TrainingRecord:
    """What was trained, on what, how, and where. No path or name of the machine.

    Attributes:
        base: where the training started.
        data: the data sets.
        optimizer: its class and arguments.
        settings: further arguments of `fine_tune`.
        versions: of Python and packages, by name.
        hardware: cpus (number), gpus (names) and machine (architecture).
        runs: one, or of an average of several encoders one for each.
    """

    base: BaseRecord
    data: tuple[DataRecord, ...]
    optimizer: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str | None]
    hardware: dict[str, Any]
    runs: tuple[RunRecord, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return _plain(asdict(self))


def describe_training(
    base: Encoder,
    sets: Sequence[TrainingSet],
    optimizer: keras.optimizers.Optimizer,
    settings: Mapping[str, Any],
) -> TrainingRecord:
    """Describe a training before it starts.

    Args:
        base: where the training starts.
        sets: the data sets.
        optimizer: as it will be used.
        settings: further arguments of `fine_tune`.

    Returns:
        The record, without runs.
    """
    gpus = tf.config.list_physical_devices("GPU")
    details = map(tf.config.experimental.get_device_details, gpus)
    return TrainingRecord(
        base=BaseRecord(
            type(base).__name__, base.name, base.dim, int(base.count_params())
        ),
        data=tuple(map(_describe_data, sets)),
        optimizer=_described(optimizer),
        settings=_plain(settings),
        versions=package_versions(),
        hardware={
            "cpus": os.cpu_count(),
            "gpus": [own.get("device_name", "GPU") for own in details],
            "machine": platform.machine(),
        },
    )


def describe_run(
    best: BestEpoch, seed: int, steps: int, resumed: int, seconds: float
) -> RunRecord:
    """Describe how a training went.

    Args:
        best: what followed it.
        seed: of the order of the examples.
        steps: number of batches in an epoch.
        resumed: number of epochs that a checkpoint had behind it.
        seconds: time that the other epochs took, with their validation.
    """
    epochs, kept = len(best.rows), best.kept
    best_epoch = kept.epoch if kept else 0
    return RunRecord(
        seed=seed,
        epochs=epochs,
        steps=epochs * steps,
        best_epoch=best_epoch,
        kept_epoch=epochs if kept and kept.weights is None else best_epoch,
        resumed=resumed,
        seconds=round(seconds, 1),
    )


def _describe_data(data: TrainingSet) -> DataRecord:
    return DataRecord(
        name=data.name,
        format=data.format.name,
        loss=_described(data.loss),
        batch_sampler=data.batch_sampler,
        batch_size=data.batch_size,
        rows=len(data.training),
        validation_rows=len(data.validation),
        columns={str(name): _column(own) for name, own in data.training.items()},
        sample=_plain(data.training.head(_SAMPLE_ROWS).to_dict("records")),
    )


def _column(cells: pd.Series) -> ColumnRecord:
    is_number = pd.api.types.is_numeric_dtype(cells)
    values = cells if is_number else cells.str.len()
    return ColumnRecord(
        of="value" if is_number else "characters",
        min=values.min().item(),
        mean=round(float(values.mean()), 4),
        max=values.max().item(),
    )


def _described(configurable: Any) -> dict[str, Any]:
    """The class of a Keras object and its arguments."""
    config = configurable.get_config()
    return _plain({"class_name": type(configurable).__name__, "config": config})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) and {"class_name", "config"} <= {*value}:
        config = {key: own for key, own in value["config"].items() if key != "name"}
        return {"class": value["class_name"], **_plain(config)}
    if isinstance(value, Mapping):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(own) for own in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist())
    is_json = value is None or isinstance(value, (bool, int, str))
    if is_json or (isinstance(value, float) and np.isfinite(value)):
        return value
    return str(value)
