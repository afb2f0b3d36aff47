"""Batches for training and validation, of one data set or several, in a fixed order."""

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from usetune.training.training_set import Task

MIXING = ("proportional", "round_robin")

# For each batch the number of the task, and row numbers of its table.
Plan = Iterator[tuple[int, np.ndarray]]


class BatchStream:
    """The examples of one or several tasks, cut into batches.

    Each batch is of one task: texts (batch, columns) and target (batch, …). With
    several tasks the target is flattened, and the number of the task is put before it.
    A feed must live as long as its datasets are read.

    Args:
        tasks: one for each table.
        tables: examples, checked.
        mixing: "proportional" takes every table once in each pass, its batches at
            random among the others'. "round_robin" takes a batch of each in turn.
        seed: of all that is random.

    Attributes:
        one_pass: for each task the batches of one pass over its table, as row numbers.
        steps: batches of a pass over all tables.
        target_shapes: for each task the shape of a target, without the batch.
        targets: for each task what the loss compares with, float32 (n, …); of several
            tasks (n, 1 + width), see above.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        tables: Sequence[pd.DataFrame],
        mixing: str,
        seed: int,
    ) -> None:
        if mixing not in MIXING:
            raise ValueError(f"mixing must be one of {MIXING}. Received: {mixing!r}")
        pairs = list(zip(tasks, tables, strict=True))
        self._texts = [task.texts(table) for task, table in pairs]
        targets = [task.target(table) for task, table in pairs]
        self.target_shapes = [target.shape[1:] for target in targets]
        if len(tasks) > 1:
            targets = [
                np.column_stack(
                    [np.full(len(target), number, "f"), target.reshape(len(target), -1)]
                )
                for number, target in enumerate(targets)
            ]
        self.targets = targets
        self._passes = [task.passes(table) for task, table in pairs]
        self._mixing, self._seed = mixing, seed
        self.one_pass = [
            list(batches(np.random.default_rng(seed))) for batches in self._passes
        ]
        counts = list(map(len, self.one_pass))
        self.steps = (
            sum(counts) if mixing == "proportional" else len(counts) * min(counts)
        )

    def validation(self) -> tf.data.Dataset:
        """Every table once, always in the same order."""
        data = self._dataset(BatchStream._once)
        return data.apply(
            tf.data.experimental.assert_cardinality(sum(map(len, self.one_pass)))
        )

    def training(self, start: int = 0) -> tf.data.Dataset:
        """Pass after pass, without an end, each in another order.

        Args:
            start: batches to leave out, those that a training has had before.
        """
        return self._dataset(
            lambda feed: itertools.islice(feed._pass_after_pass(), start, None)
        )

    def _once(self) -> Plan:
        for number, batches in enumerate(self.one_pass):
            for rows in batches:
                yield number, rows

    def _pass_after_pass(self) -> Plan:
        generators = np.random.default_rng(self._seed).spawn(len(self._passes) + 1)
        sources = [
            _endless(batches, generator)
            for batches, generator in zip(self._passes, generators[1:], strict=True)
        ]
        numbers = np.arange(len(sources))
        counts = list(map(len, self.one_pass))
        while True:
            order = numbers
            if self._mixing == "proportional":
                order = generators[0].permutation(np.repeat(numbers, counts))
            for number in order:
                yield number, next(sources[number])

    def _dataset(self, plan: Callable[["BatchStream"], Plan]) -> tf.data.Dataset:
        # TensorFlow keeps a generator's function as long as the process lives: it must
        # not keep the data.
        reference = weakref.ref(self)

        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            feed = reference()
            for number, rows in plan(feed):
                yield feed._texts[number][rows], feed.targets[number][rows]

        def spec(arrays: list[np.ndarray], dtype: tf.DType) -> tf.TensorSpec:
            shapes = {array.shape[1:] for array in arrays}
            shape = shapes.pop() if len(shapes) == 1 else (None,)
            return tf.TensorSpec((None, *shape), dtype)

        signature = (spec(self._texts, tf.string), spec(self.targets, tf.float32))
        data = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return data.prefetch(tf.data.AUTOTUNE)


def _endless(batches: Callable, generator: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        yield from batches(generator)
