"""The state of a training in a file, from which a killed run goes on."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from usetune._utils.files import replacing
from usetune.training.callbacks import BestEpoch


class TrainingState(keras.callbacks.Callback):
    """Writes weights, optimizer and history after each epoch.

    Args:
        path: the file.
        watch: whose state is stored too.
        run: what was started, digests by name; a file of another run is refused.
    """

    def __init__(self, path: str | Path, watch: BestEpoch, run: dict[str, str]) -> None:
        super().__init__()
        self._path, self._watch, self._run = Path(path), watch, run

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        """Write the file anew."""
        watch = self._watch
        arrays = {
            f"{kind}/{number}": np.asarray(value)
            for kind, values in (
                ("weights", self.model.weights),
                ("optimizer", self.model.optimizer.variables),
                ("best", watch.weights or []),
            )
            for number, value in enumerate(values)
        }
        state = {
            "run": self._run,
            "rows": watch.rows,
            "best": watch.best,
            "waited": watch.waited,
        }
        text = json.dumps(state)
        with replacing(self._path) as temporary, open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, state=np.array(text), **arrays)

    def restore(self, model: keras.Model) -> None:
        """Put the stored state into the model and the watch, if there is a file.

        Raises:
            ValueError: if the file is damaged or of another run.
        """
        if not self._path.exists():
            return
        content = io.BytesIO(self._path.read_bytes())
        try:
            with np.load(content, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            state = json.loads(str(arrays.pop("state")))
        except (EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self._path} is damaged: {error}") from error
        run = state["run"]
        changed = [name for name in self._run if run.get(name) != self._run[name]]
        if changed:
            raise ValueError(
                f"{self._path} belongs to a training that differs in {changed}; give "
                "another checkpoint, or delete the file to start anew"
            )
        watch = self._watch
        watch.rows, watch.best = state["rows"], state["best"]
        watch.waited = state["waited"]
        watch.weights = [arrays[x] for x in arrays if x.startswith("best/")] or None
        for kind, variables in (
            ("weights", model.weights),
            ("optimizer", model.optimizer.variables),
        ):
            for number, variable in enumerate(variables):
                variable.assign(arrays[f"{kind}/{number}"])
