"""How training data of one shape is fed to its loss."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from usetune._utils.digest import digest_arrays, digest_settings, digest_table
from usetune._utils.text import utf8
from usetune.data.formats import (
    CLASSES,
    POSITIVE,
    SCORED,
    TRIPLETS,
    Format,
    check_rows,
    format_of,
    text_columns,
)
from usetune.data.splits import split_pairs
from usetune.losses import (
    GIST,
    AngularError,
    EmbeddingLoss,
    MegaBatchMargin,
    MultipleNegativesRanking,
    innermost,
)
from usetune.training import batches
from usetune.training.diagnostics import ACTIVE
from usetune.training.loss_choice import check_loss, default_loss
from usetune.training.optimizers import FusedAdam, article_optimizer, warmup_cosine

# Examples that are about a thing, which others may be about as well.
_OF_THINGS = (POSITIVE, TRIPLETS)
_IN_BATCH = (GIST, MegaBatchMargin, MultipleNegativesRanking)
_ERRORS = ["mean_absolute_error", "mean_absolute_percentage_error"]
Batches = Iterator[np.ndarray]


@dataclass(frozen=True)
class Task:
    """One set of training data with its loss and its batches.

    Attributes:
        shape: of the data.
        columns: those that hold texts.
        loss: on their embeddings.
        batches: which rows come together, see `fine_tune`.
        batch_size: examples in a step.
    """

    shape: Format
    columns: list[str]
    loss: EmbeddingLoss
    batches: str
    batch_size: int

    @property
    def split(self) -> str:
        """How to hold examples out, see `split_pairs`."""
        return "couples" if self.shape is CLASSES else "stratified"

    def check(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Check further examples of this task, those to validate on, say."""
        wanted = dict.fromkeys([*self.shape.columns, *self.columns])
        missing = [column for column in wanted if column not in pairs]
        if missing:
            raise ValueError(
                f"validation lacks the columns {missing} of the training pairs. "
                f"Received: {list(pairs.columns)}"
            )
        return check_rows(pairs, self.shape, "validation")

    def texts(self, pairs: pd.DataFrame) -> np.ndarray:
        """UTF-8 texts (n, columns) of ``bytes``."""
        flat = np.array(utf8(pairs[self.columns].to_numpy().ravel()), dtype=object)
        return flat.reshape(-1, len(self.columns))

    def target(self, pairs: pd.DataFrame) -> np.ndarray:
        """What the loss compares with, float32 (n, …)."""
        if self.shape in _OF_THINGS:
            values = _things(pairs)
        else:
            column = "similarity" if self.shape is SCORED else "label"
            values = pairs[column].to_numpy()
        texts = [pairs[column].tolist() for column in self.columns]
        return self.loss.target(texts, values)

    def passes(self, pairs: pd.DataFrame) -> Callable[[np.random.Generator], Batches]:
        """One pass over the rows as batches of row numbers, for a generator."""
        size = self.batch_size
        if self.batches == "by_label":
            labels = pairs["label"].to_numpy()
            return lambda generator: batches.by_label(labels, size, generator)
        if self.batches == "no_duplicates":
            keys = _keys(pairs[self.columns])
            if self.shape in _OF_THINGS:
                keys = np.column_stack([keys, keys.max() + 1 + _things(pairs)])
            return lambda generator: batches.no_duplicates(keys, size, generator)
        if self.batches == "by_length":
            lengths = sum(pairs[column].str.len() for column in self.columns)
            lengths = lengths.to_numpy()
            return lambda generator: batches.by_length(lengths, size, generator)
        return lambda generator: batches.shuffled(len(pairs), size, generator)

    def metrics(self) -> list[keras.metrics.Metric]:
        """What to report beside the loss."""
        loss = self.loss
        if isinstance(loss, AngularError):
            return [
                keras.metrics.MeanMetricWrapper(AngularError(name).call, name=name)
                for name in _ERRORS
            ]
        if hasattr(innermost(loss), "active"):
            return [keras.metrics.MeanMetricWrapper(innermost(loss).active, ACTIVE)]
        return []

    def optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        """The default optimizer for so many steps."""
        if isinstance(self.loss, AngularError):
            return article_optimizer()
        peak = 5e-4 if isinstance(innermost(self.loss), _IN_BATCH) else 1e-4
        return FusedAdam(warmup_cosine(peak, steps))


def task_for(
    pairs: pd.DataFrame,
    loss: EmbeddingLoss | str | None = None,
    batches: str | None = None,
    batch_size: int | None = None,
) -> Task:
    """The task for pairs, recognised by their columns.

    Args:
        pairs: as `load_pairs` returns.
        loss: None for the default; the name of a Keras loss for `AngularError`.
        batches: None for the default.
        batch_size: None for the default.

    Raises:
        ValueError: if the pairs have no shape that is known, or the loss or the batches
            do not fit them.
    """
    shape = format_of(pairs)
    if loss is None:
        loss = default_loss(pairs, shape)
    elif isinstance(loss, str):
        loss = AngularError(loss)
    check_loss(loss, pairs, shape)
    columns = [name for name in shape.columns if name in text_columns(pairs)]
    columns += [name for name in text_columns(pairs) if name not in columns]
    if batches is None:
        default = "no_duplicates" if len(columns) > 2 else "shuffled"
        batches = "by_label" if shape is CLASSES else default
    if batches not in _BATCHES or (batches == "by_label" and shape is not CLASSES):
        raise ValueError(
            f"batches must be one of {_BATCHES}, by_label only for {CLASSES.name}. "
            f"Received: {batches!r} for {shape.name}"
        )
    default_size = 8 if isinstance(loss, AngularError) else 128
    return Task(shape, columns, loss, batches, batch_size or default_size)


_BATCHES = ["shuffled", "no_duplicates", "by_label", "by_length"]


def _keys(texts: pd.DataFrame) -> np.ndarray:
    """One number for each distinct text, (n, columns)."""
    return pd.factorize(texts.to_numpy().ravel())[0].reshape(texts.shape)


def _things(pairs: pd.DataFrame) -> np.ndarray:
    """The number of the thing that an example is about, (n,)."""
    named = (name for name in ("occupation", "label", "positive") if name in pairs)
    return pd.factorize(pairs[next(named)])[0]


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
            targets: of training and validation, as a `BatchStream` has them. What a
                guide says is in them, and in no configuration of a loss.

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
        table = check_rows(table, format_of(table), f"pairs {name}".strip())
        task = task_for(table, (loss or {}).get(name), **settings)
        held_out = (validation or {}).get(name)
        if held_out is None:
            how = split or task.split
            parts = split_pairs(table, validation_split, how, seed)
        else:
            parts = table, task.check(held_out)
        result.append(DataSet(name, task, *parts))
    return result
