"""One pass over the rows of a table, as batches of row numbers."""

import itertools
from collections.abc import Iterator

import numpy as np

from usetune._utils.checks import check_at_least

# `by_length` sorts within windows of this many batches: long enough for batches of
# nearly one length, short enough that batches differ from pass to pass.
_WINDOW = 50


def shuffled(
    rows: int, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Batches of a random permutation, the last one perhaps smaller.

    Args:
        rows: number of rows, 0 or more.
        batch_size: rows in a batch, at least 1.
        generator: of the random draw.

    Returns:
        Iterator of int64 arrays; every row occurs once.

    Raises:
        ValueError: if an argument is out of range.
    """
    check_at_least("batch_size", batch_size)
    check_at_least("rows", rows, 0)
    return _cut(generator.permutation(rows), batch_size)


def no_duplicates(
    keys: np.ndarray, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Batches in which no key occurs in two rows, for losses with in-batch negatives.

    Greedy over a random permutation: a row goes into the first batch that has room and
    none of its keys. That is what filling one batch after another gives where the rows
    that do not fit are tried first in the next one, but without trying them again and
    again. A key of f rows takes f batches, however few other rows are left for them.

    Args:
        keys: int array (rows, columns), codes of the texts of each row, and perhaps of
            the thing that they are about. The columns share one code: a thing must
            have a number that no text has.
        batch_size: rows in a batch at most, at least 1.
        generator: of the random draw.

    Returns:
        Iterator of int64 arrays; every row occurs once.

    Raises:
        ValueError: if ``keys`` is no int array (rows, columns), or ``batch_size`` is
            not positive.
    """
    check_at_least("batch_size", batch_size)
    keys = np.asarray(keys)
    if keys.ndim != 2 or not np.issubdtype(keys.dtype, np.integer):
        raise ValueError(
            "keys must be an int array (rows, columns). "
            f"Received: {keys.dtype} of shape {keys.shape}"
        )
    order = generator.permutation(len(keys))
    batches = _first_fit(keys[order], batch_size)
    order = order[np.argsort(batches, kind="stable")]
    sizes = np.bincount(batches)
    ends = np.cumsum(sizes)
    return (order[end - size : end] for end, size in zip(ends, sizes, strict=True))


def _first_fit(keys: np.ndarray, batch_size: int) -> np.ndarray:
    """For each row, in this order, the first batch that has room and none of its keys.

    A key that occurs in one row blocks nothing, and is left out.
    """
    _, codes, counts = np.unique(keys, return_inverse=True, return_counts=True)
    codes = np.where(counts[codes] > 1, codes, -1).reshape(keys.shape)
    batches = _Batches(batch_size, len(counts))
    chosen = [batches.place([key for key in row.tolist() if key >= 0]) for row in codes]
    return np.array(chosen, dtype=np.int64)


class _Batches:
    """Batches that are filled row by row, each row in the first that takes it.

    A slot is a batch and a key. Where a batch must not take a key any more, its slot
    points to that of the next batch, as in a disjoint-set forest with path halving, so
    that a run of closed batches is passed in a few steps instead of one by one. Being
    full is one more key, which every row has.

    Args:
        batch_size: rows that a batch has room for.
        keys: number of different keys.
    """

    def __init__(self, batch_size: int, keys: int) -> None:
        self._batch_size, self._full, self._step = batch_size, keys, keys + 1
        self._following: dict[int, int] = {}
        self._sizes: list[int] = []

    def place(self, keys: list[int]) -> int:
        """Put a row with these keys into the first batch that takes it; its number."""
        batch, before = 0, -1
        while batch != before:
            before = batch
            for key in (self._full, *keys):
                batch = self._first_open(batch, key)
        if batch == len(self._sizes):
            self._sizes.append(0)
        self._sizes[batch] += 1
        is_full = self._sizes[batch] == self._batch_size
        for key in (self._full, *keys) if is_full else keys:
            slot = batch * self._step + key
            self._following[slot] = slot + self._step
        return batch

    def _first_open(self, batch: int, key: int) -> int:
        following = self._following
        slot = batch * self._step + key
        while slot in following:
            after = following[slot]
            following[slot] = following.get(after, after)
            slot = following[slot]
        return slot // self._step


def by_label(
    labels: np.ndarray, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Batches of at least two labels with at least two rows each, for triplet losses.

    The rows of each label are drawn in twos, and the twos of all labels come in random
    order, so a label's share in the batches is its share in the rows. Left out of a
    pass are: labels with one row (`unusable` counts them); one row, another in each
    pass, of a label with an odd number; where one label has so many rows that the
    others do not suffice for a two in each of its batches, what exceeds them; and with
    a ``batch_size`` of 4 one two, where their number is odd.

    Args:
        labels: array (rows,) of what can be sorted.
        batch_size: rows in a batch at most, even and at least 4. Only the last two
            batches may be smaller.
        generator: of the random draw.

    Returns:
        Iterator of int64 arrays; no row occurs twice.

    Raises:
        ValueError: if ``batch_size`` is odd or below 4, or fewer than two labels have
            two rows.
    """
    if batch_size < 4 or batch_size % 2:
        raise ValueError(
            f"batch_size must be even and at least 4. Received: {batch_size}"
        )
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    twos = counts // 2
    if np.count_nonzero(twos) < 2:
        raise ValueError(
            "labels must hold at least two labels with two rows each. "
            f"Received: {names[twos > 0].tolist()}"
        )
    order = generator.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    pairs = order[rank < np.repeat(2 * twos, counts)].reshape(-1, 2)
    room = batch_size // 2
    largest = twos.argmax()
    surplus = max(0, twos[largest] - (len(pairs) - twos[largest]) * (room - 1))
    first = twos[:largest].sum()
    pairs = np.delete(pairs, slice(first, first + surplus), axis=0)
    pairs = generator.permutation(pairs)
    if room == 2:
        pairs = pairs[: len(pairs) // 2 * 2]
    starts = np.arange(0, len(pairs), room)
    if len(pairs) % room == 1:
        # One label would be alone in the last batch.
        starts[-1] -= 1
    _mix(pairs, codes, starts)
    return (batch.ravel() for batch in np.split(pairs, starts[1:]))


def _mix(pairs: np.ndarray, codes: np.ndarray, starts: np.ndarray) -> None:
    """Exchange pairs, in place, until no batch is of one label alone.

    A batch of one label takes a pair of another label from a batch that has two such.
    One exists as long as the pairs of other labels are no fewer than the batches.
    """
    held = codes[pairs[:, 0]]
    alone = np.minimum.reduceat(held, starts) == np.maximum.reduceat(held, starts)
    batches = np.split(np.arange(len(pairs)), starts[1:])
    donors = itertools.cycle(batches)
    donor = next(donors)
    for number in np.flatnonzero(alone):
        own = batches[number][0]
        if (held[batches[number]] != held[own]).any():
            continue
        while np.count_nonzero(held[donor] != held[own]) < 2:
            donor = next(donors)
        swap = [own, donor[held[donor] != held[own]][0]]
        pairs[swap], held[swap] = pairs[swap[::-1]], held[swap[::-1]]


def unusable(labels: np.ndarray) -> int:
    """Number of rows that `by_label` never uses: those of labels with a single row."""
    counts = np.unique(labels, return_counts=True)[1]
    return int(np.count_nonzero(counts == 1))


def by_length(
    lengths: np.ndarray, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Batches of similar lengths, in random order, one of them perhaps smaller.

    A random permutation is cut in windows of 50 batches, and each sorted by length.

    Args:
        lengths: array (rows,) of numbers.
        batch_size: rows in a batch, at least 1.
        generator: of the random draw.

    Returns:
        Iterator of int64 arrays; every row occurs once.

    Raises:
        ValueError: if ``batch_size`` is not positive.
    """
    check_at_least("batch_size", batch_size)
    lengths = np.asarray(lengths)
    batches: list[np.ndarray] = []
    for window in _cut(generator.permutation(len(lengths)), _WINDOW * batch_size):
        batches += _cut(window[np.argsort(lengths[window], kind="stable")], batch_size)
    return (batches[number] for number in generator.permutation(len(batches)))


def _cut(order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    return (
        order[start : start + batch_size] for start in range(0, len(order), batch_size)
    )
