"""Training data with its loss, its validation and its batches, ready to be fed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from usetune.digests import digest_arrays, digest_settings, digest_table
from usetune.shapes import check_rows, shape_of
from usetune.splits import split_pairs
from usetune.tasks import Task, task_for

# Texts on which a collapse is looked for.
_PROBES = 256


@dataclass(frozen=True)
class DataSet:
    """One of the data sets of a training.

    Attributes:
        name: "" where there is only one.
        task: its columns, loss and batches.
        training: examples to train on.
        validation: examples to validate on.
    """

    name: str
    task: Task
    training: pd.DataFrame
    validation: pd.DataFrame

    def texts(self) -> list[str]:
        """Every text."""
        tables = (self.training, self.validation)
        columns = self.task.columns
        return [text for table in tables for text in table[columns].to_numpy().ravel()]

    def digest(self, targets: Sequence[np.ndarray]) -> str:
        """What tells this data set, its loss and batches from another.

        Args:
            targets: of training and validation, as a `Feed` has them. What a guide
                says is in them, and in no configuration of a loss.

        Returns:
            64 hexadecimal digits.

        Raises:
            TypeError: if the configuration of the loss holds something else than
                numbers, texts, arrays, and mappings and lists of them.
        """
        task = self.task
        settings = [type(task.loss).__name__, task.loss.get_config()]
        settings += [task.batches, task.batch_size]
        tables = [digest_table(table) for table in (self.training, self.validation)]
        return digest_settings([*tables, digest_arrays(targets), settings])

    def probes(self) -> list[str]:
        """Some distinct texts of the validation."""
        texts = self.validation[self.task.columns].to_numpy().ravel()
        return list(dict.fromkeys(texts))[:_PROBES]


def data_sets(
    pairs: pd.DataFrame | Mapping[str, pd.DataFrame],
    validation: pd.DataFrame | Mapping[str, pd.DataFrame] | None,
    loss: Any,
    split: str | None,
    validation_split: float,
    seed: int,
    **settings: Any,
) -> list[DataSet]:
    """Check and split the data that `fine_tune` is given, see there.

    Raises:
        ValueError: naming the data set and what is wrong with it.
    """
    if not isinstance(pairs, Mapping):
        pairs, validation, loss = {"": pairs}, {"": validation}, {"": loss}
    given = {"validation": validation, "loss": loss}
    for argument, by_name in given.items():
        if by_name is not None and (
            not isinstance(by_name, Mapping) or {*by_name} - {*pairs}
        ):
            raise ValueError(
                f"of several data sets, {argument} must be a dict with names among "
                f"{[*pairs]}. Received: {by_name!r:.80}"
            )
    result = []
    for name, table in pairs.items():
        table = check_rows(table, shape_of(table), f"pairs {name}".strip())
        task = task_for(table, (loss or {}).get(name), **settings)
        held_out = (validation or {}).get(name)
        if held_out is None:
            how = split or task.split
            parts = split_pairs(table, validation_split, how, seed)
        else:
            parts = table, task.check(held_out)
        result.append(DataSet(name, task, *parts))
    return result
