"""Batches for training and validation, of one data set or several, in a fixed order."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from usetune.tasks import Task

MIXING = ("proportional", "round_robin")


class Feed:
    """The examples of one or several tasks, cut into batches.

    Each batch is of one task: texts (batch, columns) and target (batch, …). With
    several tasks the target is flattened, and the number of the task is put before it.

    Args:
        tasks: one for each table.
        tables: examples, checked.
        mixing: "proportional" takes every table once in each pass, its batches at
            random among the others'. "round_robin" takes a batch of each in turn.
        seed: of all that is random.
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
        self._targets = targets
        self._passes = [task.passes(table) for task, table in pairs]
        counts = [-(-len(table) // task.batch_size) for task, table in pairs]
        self._counts, self._mixing, self._seed = counts, mixing, seed
        self.steps = (
            sum(counts) if mixing == "proportional" else len(counts) * min(counts)
        )

    def one_pass(self, number: int) -> list[np.ndarray]:
        """The batches of one pass over the table of a task, as row numbers."""
        return list(self._passes[number](np.random.default_rng(self._seed)))

    def validation(self) -> tf.data.Dataset:
        """Every table once, always in the same order."""
        plan = [
            (number, rows)
            for number in range(len(self._passes))
            for rows in self.one_pass(number)
        ]
        data = self._dataset(lambda: iter(plan))
        return data.apply(tf.data.experimental.assert_cardinality(len(plan)))

    def training(self, start: int = 0) -> tf.data.Dataset:
        """Pass after pass, without an end, each in another order.

        Args:
            start: batches to leave out, those that a training has had before.
        """

        def plan() -> Iterator[tuple[int, np.ndarray]]:
            endless = self._plan()
            for _ in range(start):
                next(endless)
            yield from endless

        return self._dataset(plan)

    def _plan(self) -> Iterator[tuple[int, np.ndarray]]:
        generators = np.random.default_rng(self._seed).spawn(len(self._passes) + 1)
        sources = [
            _endless(batches, generator)
            for batches, generator in zip(self._passes, generators[1:], strict=True)
        ]
        numbers = np.arange(len(sources))
        while True:
            order = numbers
            if self._mixing == "proportional":
                order = generators[0].permutation(np.repeat(numbers, self._counts))
            for number in order:
                yield number, next(sources[number])

    def _dataset(self, plan: object) -> tf.data.Dataset:
        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for number, rows in plan():
                yield self._texts[number][rows], self._targets[number][rows]

        def spec(arrays: list[np.ndarray], dtype: tf.DType) -> tf.TensorSpec:
            shapes = {array.shape[1:] for array in arrays}
            shape = shapes.pop() if len(shapes) == 1 else (None,)
            return tf.TensorSpec((None, *shape), dtype)

        signature = (spec(self._texts, tf.string), spec(self._targets, tf.float32))
        data = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return data.prefetch(tf.data.AUTOTUNE)


def _endless(batches: object, generator: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        yield from batches(generator)
