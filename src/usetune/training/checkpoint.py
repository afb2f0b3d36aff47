"""The state of a training in a file, from which a killed run goes on."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from usetune._utils.arrays import ArraySpec, read_arrays, write_arrays
from usetune._utils.files import check_room
from usetune._utils.paths import expand
from usetune.training.callbacks import BestEpoch, Kept


class TrainingState(keras.callbacks.Callback):
    """Writes weights, optimizer and history after each epoch.

    Args:
        path: the file.
        best: whose state is stored too.
        identity: digests that tell the training from others, by name; a file of another
            training is refused.
    """

    def __init__(
        self, path: str | Path, best: BestEpoch, identity: dict[str, str]
    ) -> None:
        super().__init__()
        self._path, self._best, self._identity = expand(path), best, identity

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        """Write the file anew."""
        kept = self._best.kept
        state = {
            "training": self._identity,
            "rows": self._best.rows,
            "kept": kept and {"epoch": kept.epoch, "value": kept.value},
        }
        arrays = _variables(self.model)
        if kept and kept.weights:
            arrays |= {f"best/{i}": own for i, own in enumerate(kept.weights)}
        text = np.array(json.dumps(state))
        values = {name: np.asarray(own) for name, own in arrays.items()}
        write_arrays(self._path, {"state": text, **values})

    def restore(self, model: keras.Model) -> None:
        """Put the stored state into the model and into `BestEpoch`, if there is a file.

        Raises:
            ValueError: if the file is damaged, a folder, or of another training.
            OSError: if it cannot be written, or there is no room for it.
        """
        if self._path.is_dir():
            raise ValueError(
                f"checkpoint must be a file, such as {self._path / 'training.npz'}. "
                f"Received: the folder {self._path}"
            )
        variables = _variables(model)
        check_room(self._path, _size([*variables.values(), *model.weights]))
        if not self._path.exists():
            return
        found = read_arrays(self._path, {"state": ArraySpec("str")}, only=True)
        state = json.loads(str(found["state"]))
        stored = state["training"]
        changed = [
            name for name in self._identity if stored.get(name) != self._identity[name]
        ]
        if changed:
            raise ValueError(
                f"{self._path} belongs to a training that differs in {changed}; give "
                "another checkpoint, or delete the file to start anew"
            )
        specs = {
            name: ArraySpec(own.dtype, tuple(own.shape))
            for name, own in variables.items()
        }
        best = [
            ArraySpec(own.dtype, tuple(own.shape), optional=True)
            for own in model.weights
        ]
        specs |= {f"best/{number}": own for number, own in enumerate(best)}
        arrays = read_arrays(self._path, {"state": ArraySpec("str"), **specs})
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self._best.rows = state["rows"]
        if state["kept"]:
            weights = [own for name, own in arrays.items() if name.startswith("best/")]
            self._best.kept = Kept(**state["kept"], weights=weights or None)


def _size(variables: Sequence[keras.Variable]) -> int:
    return sum(math.prod(own.shape) * np.dtype(own.dtype).itemsize for own in variables)


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    return {
        f"{kind}/{number}": variable
        for kind, variables in (
            ("weights", model.weights),
            ("optimizer", model.optimizer.variables),
        )
        for number, variable in enumerate(variables)
    }
