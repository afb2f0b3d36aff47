"""Logs of a training, on the disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import pandas as pd

from usetune._utils.files import check_room
from usetune._utils.paths import expand

# Bytes that the logs may need.
_SIZE = 2**20


def loggers(
    log_dir: str | Path, rows: Sequence[Mapping[str, float]]
) -> list[keras.callbacks.Callback]:
    """Callbacks that write TensorBoard's logs and log.csv, of one training a folder.

    Args:
        log_dir: the folder; it is made where there is none.
        rows: the logs of the epochs that a checkpoint had behind it.

    Raises:
        ValueError: if there is the log of another training.
        OSError: if the log cannot be written.
    """
    folder = expand(log_dir)
    log = folder / "log.csv"
    check_room(log, _SIZE)
    if log.exists() and log.stat().st_size:
        columns = [*pd.read_csv(log, nrows=0)]
        if not rows or {*columns} != {"epoch", *rows[0]}:
            raise ValueError(
                f"{log} is of another training: give another log_dir, or delete the "
                f"file. Its columns: {columns}"
            )
    return [
        keras.callbacks.TensorBoard(folder, write_graph=False),
        keras.callbacks.CSVLogger(log, append=True),
    ]
