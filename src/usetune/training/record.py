"""What a training was, in words and numbers that JSON can hold."""

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from usetune._utils.versions import package_versions
from usetune.encoders.base import Encoder
from usetune.training.callbacks import BestEpoch
from usetune.training.training_set import DataSet

# What `describe_outcome` tells.
OUTCOME = ("epochs", "steps", "best_epoch", "kept_epoch", "resumed", "seconds")
_SAMPLE_ROWS = 3


def describe_training(
    base: Encoder,
    data: Sequence[DataSet],
    optimizer: keras.optimizers.Optimizer,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe a training before it starts. No path or name of the machine is in it.

    Args:
        base: where the training starts.
        data: with their losses.
        optimizer: as it will be used.
        settings: further arguments of `fine_tune`.

    Returns:
        base (class, name, dim, parameters); data, for each data set its name, shape,
        loss, batches, batch_size, training (rows, columns, sample) and validation
        (rows); optimizer; settings; versions; hardware (cpus, gpus, machine).
    """
    return {
        "base": {
            "class": type(base).__name__,
            "name": base.name,
            "dim": base.dim,
            "parameters": base.count_params(),
        },
        "data": [
            {
                "name": part.name,
                "shape": part.task.shape.name,
                "loss": _described(part.task.loss),
                "batches": part.task.batches,
                "batch_size": part.task.batch_size,
                "training": {
                    "rows": len(part.training),
                    "columns": {
                        name: _column(cells) for name, cells in part.training.items()
                    },
                    "sample": part.training.head(_SAMPLE_ROWS).to_dict("records"),
                },
                "validation": {"rows": len(part.validation)},
            }
            for part in data
        ],
        "optimizer": _described(optimizer),
        "settings": _plain(settings),
        "versions": package_versions(),
        "hardware": {
            "cpus": os.cpu_count(),
            "gpus": [
                tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
                for gpu in tf.config.list_physical_devices("GPU")
            ],
            "machine": platform.machine(),
        },
    }


def describe_outcome(
    watch: BestEpoch, steps: int, resumed: int, seconds: float
) -> dict[str, Any]:
    """Describe how a training went.

    Args:
        watch: that followed it.
        steps: batches of an epoch.
        resumed: epochs that a checkpoint had behind it.
        seconds: that the other epochs took, with their validation.

    Returns:
        epochs, steps and best_epoch, of the whole training; kept_epoch, whose weights
        the tuned encoder has, 0 for those from before training; resumed; seconds.
    """
    epochs = len(watch.rows)
    best = epochs - watch.waited if np.isfinite(watch.best) else 0
    return {
        "epochs": epochs,
        "steps": epochs * steps,
        "best_epoch": best,
        "kept_epoch": best if watch.weights or not best else epochs,
        "resumed": resumed,
        "seconds": round(seconds, 1),
    }


def _column(cells: pd.Series) -> dict[str, Any]:
    """The lengths of texts in characters, or the values of numbers."""
    is_number = pd.api.types.is_numeric_dtype(cells)
    values = cells if is_number else cells.str.len()
    return {
        "of": "value" if is_number else "characters",
        "min": values.min().item(),
        "mean": round(float(values.mean()), 4),
        "max": values.max().item(),
    }


def _described(thing: Any) -> dict[str, Any]:
    """The class of a Keras object and its arguments."""
    return _plain({"class_name": type(thing).__name__, "config": thing.get_config()})


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
