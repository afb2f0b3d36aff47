import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usetune.training.batches import (
    by_label,
    by_length,
    no_duplicates,
    shuffled,
    unusable,
)

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 12)


def generator(seed):
    return np.random.default_rng(seed)


def listed(batches):
    batches = list(batches)
    assert all(batch.dtype == np.int64 and batch.ndim == 1 for batch in batches)
    return [batch.tolist() for batch in batches]


def flat(batches):
    return [row for batch in batches for row in batch]


@settings(deadline=None)
@given(st.integers(0, 60), SIZES, SEEDS)
def test_shuffled(rows, size, seed):
    batches = listed(shuffled(rows, size, generator(seed)))
    assert sorted(flat(batches)) == list(range(rows))
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert all(1 <= len(batch) <= size for batch in batches)


@settings(deadline=None)
@given(
    st.integers(0, 60), SIZES, st.integers(1, 3), st.sampled_from([1, 5, 100]), SEEDS
)
def test_no_duplicates_is_the_greedy_of_one_batch_after_another(
    rows, size, columns, values, seed
):
    keys = generator(seed).integers(-values, values, (rows, columns))
    batches = listed(no_duplicates(keys, size, generator(seed)))

    waiting = generator(seed).permutation(rows).tolist()
    expected = []
    while waiting:
        batch, held, deferred = [], set(), []
        for row in waiting:
            if len(batch) < size and not held & {*keys[row].tolist()}:
                batch.append(row)
                held |= {*keys[row].tolist()}
            else:
                deferred.append(row)
        expected.append(batch)
        waiting = deferred
    assert batches == expected


@settings(deadline=None)
@given(st.integers(0, 60), SIZES, st.integers(1, 8), SEEDS)
def test_no_key_in_two_rows_of_a_batch(rows, size, values, seed):
    keys = generator(seed).integers(0, values, (rows, 2))
    batches = listed(no_duplicates(keys, size, generator(seed + 1)))
    assert sorted(flat(batches)) == list(range(rows))
    for batch in batches:
        assert 1 <= len(batch) <= size
        held = flat({*keys[row].tolist()} for row in batch)
        assert len(held) == len(set(held))


def test_no_duplicates_of_equal_and_of_distinct_keys():
    equal = listed(no_duplicates(np.zeros((7, 2), int), 4, generator(0)))
    assert [len(batch) for batch in equal] == [1] * 7
    distinct = listed(no_duplicates(np.arange(14).reshape(7, 2), 4, generator(0)))
    assert [len(batch) for batch in distinct] == [4, 3]
    # The same key in both columns of a row is no duplicate.
    twice = np.repeat(np.arange(7)[:, None], 2, axis=1)
    assert len(listed(no_duplicates(twice, 7, generator(0)))) == 1
    # A key in another column is.
    crossed = np.array([[0, 1], [1, 2], [3, 0]])
    assert [len(b) for b in no_duplicates(crossed, 3, generator(0))] in ([1, 2], [2, 1])


def test_frequent_keys_take_no_quadratic_time():
    # Rescanning the 60,000 rows of a key for each of their batches would take hours.
    rows = 120_000
    keys = np.arange(2 * rows).reshape(rows, 2)
    hubs = generator(0).random(rows) < 0.5
    keys[hubs, 0] = -1
    keys[:, 1] = -2 - generator(1).integers(0, 10, rows)
    start = time.perf_counter()
    batches = list(no_duplicates(keys, 128, generator(0)))
    assert time.perf_counter() - start < 20
    assert sum(map(len, batches)) == rows
    assert len(batches) == np.count_nonzero(hubs)


LABELS = st.lists(st.integers(0, 6), min_size=4, max_size=60).filter(
    lambda labels: sum(labels.count(label) > 1 for label in set(labels)) > 1
)


@settings(deadline=None)
@given(LABELS, st.sampled_from([4, 6, 8, 16, 200]), SEEDS)
def test_by_label(labels, size, seed):
    labels = np.array(labels)
    batches = listed(by_label(labels, size, generator(seed)))
    for batch in batches:
        assert len(batch) <= size
        counts = np.unique(labels[batch], return_counts=True)[1]
        assert len(counts) >= 2
        assert (counts % 2 == 0).all()
    assert all(len(batch) == size for batch in batches[:-2])
    used = flat(batches)
    assert len(used) == len(set(used))
    # What is left out is what the docstring names, and no more.
    twos = np.sort(np.unique(labels, return_counts=True)[1] // 2)
    expected = twos[:-1].sum() + min(twos[-1], twos[:-1].sum() * (size // 2 - 1))
    if size == 4:
        expected -= expected % 2
    assert len(used) == 2 * expected


def test_a_label_of_three_leaves_out_another_row_in_each_pass():
    labels = np.array(["a", "a", "a", "b", "b", "c"])
    draw = generator(0)
    used = [{*flat(by_label(labels, 8, draw))} for _ in range(40)]
    assert {frozenset(range(6)) - rows for rows in used} == {
        frozenset({0, 5}),
        frozenset({1, 5}),
        frozenset({2, 5}),
    }
    assert unusable(labels) == 1
    assert unusable(labels[:5]) == 0


def test_every_row_of_a_majority_gets_its_turn():
    labels = np.array([0] * 40 + [1, 1])
    draw = generator(0)
    used = [flat(by_label(labels, 8, draw)) for _ in range(60)]
    assert all(len(rows) == 8 for rows in used)
    assert {*flat(used)} == set(range(42))


def test_labels_of_a_batch_are_drawn_at_random():
    labels = np.repeat(np.arange(30), 4)
    met = set()
    for batch in by_label(labels, 20, generator(0)):
        met |= {frozenset(labels[batch])}
    assert len(met) == 6
    first = [
        frozenset(labels[next(by_label(labels, 20, generator(seed)))])
        for seed in range(5)
    ]
    assert len(set(first)) == 5
    share = np.mean(
        [labels[next(by_label(labels, 20, generator(s)))] < 15 for s in range(300)]
    )
    assert abs(share - 0.5) < 0.03


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 500), max_size=60), st.sampled_from([1, 2, 7, 100]), SEEDS
)
def test_by_length(lengths, size, seed):
    batches = listed(by_length(lengths, size, generator(seed)))
    assert sorted(flat(batches)) == list(range(len(lengths)))
    assert sorted(map(len, batches), reverse=True)[:-1] == [size] * (len(batches) - 1)
    # All rows lie in one window here, so lengths of batches do not overlap.
    if len(lengths) <= 50 * size:
        held = np.array(lengths)
        spans = sorted((held[batch].min(), held[batch].max()) for batch in batches)
        for (_, longest), (shortest, _) in zip(spans, spans[1:], strict=False):
            assert longest <= shortest


def test_batches_of_similar_length_come_in_random_order():
    lengths = generator(0).integers(1, 400, 20_000)
    means, spreads = [], []
    for batch in by_length(lengths, 32, generator(0)):
        means.append(lengths[batch].mean())
        spreads.append(np.ptp(lengths[batch]))
    # A window holds 50 batches, so each spans about a fiftieth of the 400.
    assert 4 < np.mean(spreads) < 15
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.15


PASSES = {
    "shuffled": lambda draw: shuffled(50, 8, draw),
    "no_duplicates": lambda draw: no_duplicates(
        generator(0).integers(0, 20, (50, 2)), 8, draw
    ),
    "by_label": lambda draw: by_label(generator(0).integers(0, 9, 50), 8, draw),
    "by_length": lambda draw: by_length(generator(0).integers(0, 9, 50), 8, draw),
}


@pytest.mark.parametrize("name", PASSES)
def test_the_seed_decides(name):
    draw = generator(3)
    first, second = (listed(PASSES[name](draw)) for _ in range(2))
    assert first == listed(PASSES[name](generator(3)))
    assert first != second


@pytest.mark.parametrize("name", ["shuffled", "no_duplicates", "by_length"])
def test_one_row_and_a_batch_larger_than_the_rows(name):
    make = {
        "shuffled": lambda rows, size: shuffled(rows, size, generator(0)),
        "no_duplicates": lambda rows, size: no_duplicates(
            np.arange(rows)[:, None], size, generator(0)
        ),
        "by_length": lambda rows, size: by_length(np.ones(rows), size, generator(0)),
    }[name]
    assert listed(make(0, 4)) == []
    assert listed(make(1, 4)) == [[0]]
    assert [sorted(batch) for batch in listed(make(5, 100))] == [[0, 1, 2, 3, 4]]
    assert len(listed(make(5, 1))) == 5


def test_faults():
    draw = generator(0)
    keys = np.zeros((3, 1), int)
    for size in (0, -1):
        for call in (
            lambda size: shuffled(3, size, draw),
            lambda size: no_duplicates(keys, size, draw),
            lambda size: by_length([1, 2], size, draw),
        ):
            with pytest.raises(ValueError, match=f"at least 1. Received: {size}"):
                call(size)
    with pytest.raises(ValueError, match="rows must be at least 0. Received: -1"):
        shuffled(-1, 2, draw)
    for wrong in (np.zeros(3, int), np.zeros((3, 2))):
        with pytest.raises(ValueError, match=r"int array \(rows, columns\).*Received"):
            no_duplicates(wrong, 2, draw)
    for size in (2, 5, 0, -4):
        with pytest.raises(ValueError, match=f"even and at least 4. Received: {size}"):
            by_label([0, 0, 1, 1], size, draw)
    for labels in (["a", "a", "b"], ["a", "a", "a", "a"]):
        with pytest.raises(ValueError, match=r"two rows each. Received: \['a'\]"):
            by_label(np.array(labels), 4, draw)
