"""One set of training data: its format, split, loss and batches, found once."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least
from usetune._utils.digest import digest
from usetune._utils.text import utf8
from usetune.data.columns import require_columns
from usetune.data.formats import (
    CLASSES,
    POSITIVE,
    SCORED,
    TRIPLETS,
    check_rows,
    format_of,
    text_columns,
)
from usetune.data.scales import warn_of_scale
from usetune.data.splits import split_pairs
from usetune.losses import (
    AngularError,
    EmbeddingLoss,
    innermost,
)
from usetune.training import batches
from usetune.training.loss_choice import check_loss, default_loss
from usetune.training.optimizers import FusedAdam, article_optimizer, warmup_cosine
from usetune.training.stream import Examples, Passes

BATCH_SAMPLERS = ("shuffled", "no_duplicates", "by_label", "by_length")

# Formats whose examples are about something that others may be about as well.
_WITH_SUBJECT = (POSITIVE, TRIPLETS)
# Distinct texts on which a collapse is looked for.
_PROBES = 256


class TrainingSet:
    """Examples to train and to validate on, with their loss and their batches.

    `fine_tune` makes one from a table. Make them yourself to train on several data
    sets, or to set what `fine_tune` has no argument for.

    Args:
        pairs: examples in any format that `usetune.load_pairs` knows; left as they are.
        validation_data: examples to validate on, in the same format. Default: a part
            of ``pairs``.
        loss: one of `usetune.losses`; the name of a Keras loss stands for
            `AngularError`. Default: the first of `LOSSES_FOR` for the format.
        batch_size: examples in a step. Default: 8 for `AngularError`, otherwise 128.
        batch_sampler: which examples come together: "shuffled"; "no_duplicates", no
            text twice in a batch; "by_label", at least two classes with two texts each;
            "by_length", texts of similar length. Default: "by_label" for texts with a
            class, "no_duplicates" where there are columns of negatives.
        split: how to hold examples out: "stratified", "couples", "group" or "tail", see
            `usetune.split_pairs`. Default: "couples" for texts with a class, otherwise
            "stratified".
        validation_split: share of the examples, or groups, to validate on.
        seed: seed of the split.
        name: tells several sets apart: in errors, in the history, in the record.

    Attributes:
        format: `usetune.data.formats.Format` of the examples.
        columns: names of the columns that hold texts.
        training: DataFrame of the examples to train on.
        validation: DataFrame of the examples to validate on.

    Raises:
        ValueError: if the data has no known format, or cells at fault; the loss or the
            sampler does not fit it; ``validation_data`` lacks a column; or the rows
            cannot be split.
    """

    def __init__(
        self,
        pairs: pd.DataFrame,
        validation_data: pd.DataFrame | None = None,
        *,
        loss: EmbeddingLoss | str | None = None,
        batch_size: int | None = None,
        batch_sampler: str | None = None,
        split: str | None = None,
        validation_split: float = 0.2,
        seed: int = 0,
        name: str = "",
    ) -> None:
        self.name = name
        self.format = format_of(pairs)
        pairs = check_rows(pairs, self.format, f"pairs {name}".strip())
        texts = text_columns(pairs)
        columns = [column for column in self.format.columns if column in texts]
        self.columns = columns + [column for column in texts if column not in columns]
        if validation_data is not None:
            wanted = [*dict.fromkeys([*self.format.columns, *self.columns])]
            require_columns(validation_data, "validation_data", wanted)
            validation_data = check_rows(
                validation_data, self.format, "validation_data"
            )
        if loss is None:
            loss = default_loss(pairs, self.format)
        self.loss = AngularError(loss) if isinstance(loss, str) else loss
        check_loss(self.loss, pairs, self.format)
        if isinstance(innermost(self.loss), AngularError):
            warn_of_scale(pairs["similarity"], f"pairs {name}".strip())
        self.batch_sampler = self._sampler(batch_sampler)
        is_article = isinstance(self.loss, AngularError)
        check_at_least("batch_size", batch_size)
        self.batch_size = batch_size or (8 if is_article else 128)
        if validation_data is None:
            default = "couples" if self.format is CLASSES else "stratified"
            pairs, validation_data = split_pairs(
                pairs, validation_split, split or default, seed
            )
        self.training, self.validation = pairs, validation_data

    def texts(self) -> list[str]:
        """Every text, of training and validation."""
        tables = (self.training, self.validation)
        return [
            text for table in tables for text in table[self.columns].to_numpy().ravel()
        ]

    def probes(self) -> list[str]:
        """Some distinct texts of the validation, to look for a collapse."""
        texts = self.validation[self.columns].to_numpy().ravel()
        return list(dict.fromkeys(texts))[:_PROBES]

    def examples(self, table: pd.DataFrame) -> Examples:
        """What a stream of batches is made from.

        `GIST` encodes the texts of the table with its guide here.

        Args:
            table: ``training`` or ``validation``.
        """
        flat = utf8(table[self.columns].to_numpy().ravel())
        subject = None
        if self.format in _WITH_SUBJECT:
            subject = _subjects(table)
            values = subject
        else:
            values = table["similarity" if self.format is SCORED else "label"]
        texts = [table[column].tolist() for column in self.columns]
        return Examples(
            texts=np.array(flat, dtype=object).reshape(-1, len(self.columns)),
            targets=self.loss.target(texts, np.asarray(values)),
            passes=self._passes(table, subject),
        )

    def optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        """The default optimizer of a training of ``steps`` steps."""
        if isinstance(self.loss, AngularError):
            return article_optimizer()
        return FusedAdam(warmup_cosine(self.loss.learning_rate, steps))

    def digest(self, targets: Sequence[np.ndarray]) -> str:
        """What tells this set, its loss and its batches from others.

        Args:
            targets: those of the training and the validation examples. What a guide
                says is in them, and in no configuration of a loss.

        Returns:
            64 hexadecimal digits.

        Raises:
            TypeError: if the configuration of the loss holds something else than
                numbers, texts, arrays, and mappings and lists of them.
        """
        settings: list[Any] = [type(self.loss).__name__, self.loss.get_config()]
        settings += [self.batch_sampler, self.batch_size]
        return digest([self.training, self.validation, targets, settings])

    def _sampler(self, sampler: str | None) -> str:
        is_classes = self.format is CLASSES
        if sampler is None and is_classes:
            return "by_label"
        if sampler is None:
            return "no_duplicates" if len(self.columns) > 2 else "shuffled"
        if sampler not in BATCH_SAMPLERS or (sampler == "by_label" and not is_classes):
            raise ValueError(
                f"batch_sampler must be one of {[*BATCH_SAMPLERS]}, by_label only for "
                f"{CLASSES.name}. Received: {sampler!r} for {self.format.name}"
            )
        return sampler

    def _passes(self, table: pd.DataFrame, subject: np.ndarray | None) -> Passes:
        """For a generator, the batches of one pass over a table, as row numbers."""
        size = self.batch_size
        if self.batch_sampler == "by_label":
            labels = table["label"].to_numpy()
            return lambda generator: batches.by_label(labels, size, generator)
        if self.batch_sampler == "no_duplicates":
            keys = pd.factorize(table[self.columns].to_numpy().ravel())[0]
            keys = keys.reshape(-1, len(self.columns))
            if subject is not None:
                keys = np.column_stack([keys, keys.max() + 1 + subject])
            return lambda generator: batches.no_duplicates(keys, size, generator)
        if self.batch_sampler == "by_length":
            lengths = sum(table[column].str.len() for column in self.columns).to_numpy()
            return lambda generator: batches.by_length(lengths, size, generator)
        return lambda generator: batches.shuffled(len(table), size, generator)


def _subjects(table: pd.DataFrame) -> np.ndarray:
    """The number of what each example is about, (n,)."""
    named = (name for name in ("occupation", "label", "positive") if name in table)
    return pd.factorize(table[next(named)])[0]
