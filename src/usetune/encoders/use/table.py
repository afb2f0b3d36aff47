"""The rows of an embedding: a byte for each number, until they are used as a whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from usetune.encoders.use.products import aligned, shared

# Rows that are written at a time: TensorFlow's allocator would keep the room of more.
_PART = 1024
# A larger share of rows that are others than stored takes more memory than it saves.
_SHARE = 1 / 8
# Threads may ask for the value of a table at once, or write to it.
_LOCK = threading.RLock()


class StoredRows(NamedTuple):
    """Rows as the wheel stores them, and some that replace them.

    Attributes:
        numbers: a byte for each number, uint8 (rows, dim).
        scale: what row i is multiplied by, ``scale[i % n]``, float32 (n,).
        low: what is added to it then, ``low[i % n]``, float32 (n,).
        replaced: rows that are others than stored, ascending, int64 (replaced,).
        others: these rows, float32 (replaced, dim).
    """

    numbers: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    replaced: np.ndarray
    others: np.ndarray

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Rows by their numbers (n,), float32 (n, dim)."""
        found = aligned((len(rows), self.numbers.shape[1]), np.float32)
        found[:] = self.numbers[rows]
        chunk = rows % len(self.scale)
        found *= self.scale[chunk, None]
        found += self.low[chunk, None]
        place = np.searchsorted(self.replaced, rows)
        is_other = np.append(self.replaced, -1)[place] == rows
        found[is_other] = self.others[place[is_other]]
        return found

    def replace(self, rows: np.ndarray, others: np.ndarray) -> StoredRows:
        """The same with others (n, dim) for distinct rows (n,)."""
        stay = ~np.isin(self.replaced, rows)
        replaced = np.concatenate([self.replaced[stay], rows])
        others = np.concatenate([self.others[stay], others])
        order = np.argsort(replaced)
        return self._replace(replaced=replaced[order], others=others[order])


class Table(keras.Variable):
    """Float32 numbers (rows, dim), zeros at first.

    Once it is filled with stored rows, these are read and replaced one by one until
    something asks for its value: a call of the model, a training of all rows,
    `get_weights`, a pickle, a .keras file, an export, `interpolate`. From then on it is
    a variable as any other. So encoders that differ in some rows share the memory of
    all others.

    Attributes:
        stored: the rows, as long as nothing has asked for the value; None if they are
            zeros, too.
    """

    def __init__(self, rows: int, dim: int) -> None:
        self.stored: StoredRows | None = None
        super().__init__("zeros", (rows, dim), "float32", name="table")
        if tf.distribute.has_strategy():
            self._write_out()

    def fill(self, stored: StoredRows) -> None:
        """Take the rows that are stored."""
        with _LOCK:
            if self._value is None:
                self.stored = stored
            else:
                _write(self._value, stored)

    def read(self, rows: np.ndarray) -> tf.Tensor:
        """Rows by their numbers (n,), (n, dim)."""
        stored = self.stored
        if stored is None:
            return tf.gather(self.value, rows)
        return shared(stored.read(rows))

    def update(self, rows: np.ndarray, numbers: Any) -> None:
        """Write numbers (n, dim) into distinct rows (n,)."""
        with _LOCK:
            if self.stored is not None:
                stored = self.stored.replace(rows, np.asarray(numbers, np.float32))
                if len(stored.replaced) <= _SHARE * len(stored.numbers):
                    self.stored = stored
                    return
        self.value.scatter_update(tf.IndexedSlices(numbers, rows))

    @property
    def value(self) -> Any:
        """TensorFlow's variable."""
        if self._value is None:
            if tf.distribute.has_strategy():
                # One that the strategy made now would be filled on this replica alone.
                # A thread has no strategy at first.
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(self._write_out).result()
            else:
                self._write_out()
        return super().value

    def _initialize_with_initializer(self, initializer: Any) -> None:
        self._value = None

    def _direct_assign(self, value: Any) -> None:
        with _LOCK:
            self.stored = None  # not to be written out first
        self.value.assign(tf.cast(value, self.dtype))

    def _write_out(self) -> None:
        with _LOCK, tf.init_scope():
            if self._value is None:
                # Gradients reach it, even if it is frozen now.
                value = tf.Variable(lambda: tf.zeros(self.shape), name=self.name)
                if self.stored is not None:
                    _write(value, self.stored)
                self._value, self.stored = value, None


def in_parts(rows: np.ndarray) -> list[np.ndarray]:
    """Cut rows into parts to be written at a time."""
    return np.array_split(rows, -(-len(rows) // _PART) or 1)


def _write(variable: tf.Variable, stored: StoredRows) -> None:
    for rows in in_parts(np.arange(len(stored.numbers))):
        variable.scatter_update(tf.IndexedSlices(stored.read(rows), rows))
