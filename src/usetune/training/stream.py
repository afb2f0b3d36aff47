"""Batches for training and validation, of one data set or several, in a fixed order."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

MIXING = ("proportional", "round_robin")

# For a generator, the batches of one pass over a table, as row numbers.
Passes = Callable[[np.random.Generator], Iterator[np.ndarray]]
# For each batch the number of the data set, and row numbers of its table.
_Plan = Iterator[tuple[int, np.ndarray]]


@dataclass(frozen=True)
class Examples:
    """The examples of one data set, ready to be cut into batches.

    Attributes:
        texts: array (n, columns) of ``bytes``, UTF-8.
        targets: what the loss compares with, float32 (n, …).
        passes: cuts one pass over the examples into batches.
    """

    texts: np.ndarray
    targets: np.ndarray
    passes: Passes


class BatchStream:
    """The examples of one or several data sets, cut into batches.

    Each batch is of one data set: texts (batch, columns) and target (batch, …). With
    several sets the target is flattened, and the number of the set is put before it.
    A stream must live as long as its datasets are read.

    Args:
        sets: the examples of each data set.
        mixing: "proportional" takes every set once in each pass, its batches at random
            among the others'. "round_robin" takes a batch of each in turn.
        seed: seed of all that is random.

    Attributes:
        one_pass: for each set the batches of one pass over it, as row numbers.
        steps: number of batches in a pass over all sets.
        target_shapes: for each set the shape of a target, without the batch.

    Raises:
        ValueError: if ``mixing`` is none of these.
    """

    def __init__(self, sets: Sequence[Examples], mixing: str, seed: int) -> None:
        if mixing not in MIXING:
            raise ValueError(f"mixing must be one of {MIXING}. Received: {mixing!r}")
        self._texts = [own.texts for own in sets]
        self._passes = [own.passes for own in sets]
        self._mixing, self._seed = mixing, seed
        targets = [own.targets for own in sets]
        self.target_shapes = [target.shape[1:] for target in targets]
        if len(sets) > 1:
            targets = [
                np.column_stack(
                    [np.full(len(target), number, "f"), target.reshape(len(target), -1)]
                )
                for number, target in enumerate(targets)
            ]
        self._targets = targets
        self.one_pass = [
            list(batches(np.random.default_rng(seed))) for batches in self._passes
        ]
        counts = list(map(len, self.one_pass))
        self.steps = (
            sum(counts) if mixing == "proportional" else len(counts) * min(counts)
        )

    def validation(self) -> tf.data.Dataset:
        """Every set once, always in the same order."""
        data = self._dataset(BatchStream._once)
        return data.apply(
            tf.data.experimental.assert_cardinality(sum(map(len, self.one_pass)))
        )

    def training(self, start: int = 0) -> tf.data.Dataset:
        """Pass after pass, without an end, each in another order.

        Args:
            start: number of batches to leave out: those that a training has had before.
        """
        return self._dataset(
            lambda stream: itertools.islice(stream._pass_after_pass(), start, None)
        )

    def _once(self) -> _Plan:
        for number, batches in enumerate(self.one_pass):
            for rows in batches:
                yield number, rows

    def _pass_after_pass(self) -> _Plan:
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
                yield int(number), next(sources[number])

    def _dataset(self, plan: Callable[[BatchStream], _Plan]) -> tf.data.Dataset:
        # TensorFlow's registry of Python functions (tf.numpy_function, from_generator)
        # is never emptied: a generator that held the stream would keep every text and
        # target in memory until the process ends, once for each training.
        reference = weakref.ref(self)

        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            stream = reference()
            if stream is None:
                raise RuntimeError("the stream of these batches is gone")
            for number, rows in plan(stream):
                yield stream._texts[number][rows], stream._targets[number][rows]

        def spec(arrays: list[np.ndarray], dtype: tf.DType) -> tf.TensorSpec:
            shapes = {array.shape[1:] for array in arrays}
            shape = shapes.pop() if len(shapes) == 1 else (None,)
            return tf.TensorSpec((None, *shape), dtype)

        signature = (spec(self._texts, tf.string), spec(self._targets, tf.float32))
        data = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return data.prefetch(tf.data.AUTOTUNE)


def _endless(batches: Passes, generator: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        yield from batches(generator)
