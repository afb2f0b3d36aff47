"""Rows as the wheel stores them, and the variable that they become."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from usetune import fine_tune, load_article_pairs, load_encoder
from usetune.encoders.identity import encoder_identity
from usetune.encoders.use.table import StoredRows, Table

ROWS, DIM = 300, 8


@pytest.fixture
def stored():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 256, (ROWS, DIM)).astype(np.uint8)
    scale, low = rng.normal(size=(2, 17)).astype(np.float32)
    none = np.empty(0, np.int64), np.empty((0, DIM), np.float32)
    return StoredRows(numbers, scale, low, *none)


@pytest.fixture
def table(stored):
    table = Table(ROWS, DIM)
    table.fill(stored)
    return table


def expected(stored):
    chunk = np.arange(ROWS) % 17
    return stored.numbers * stored.scale[chunk, None] + stored.low[chunk, None]


def test_rows_are_read_one_by_one_or_as_a_whole_alike(stored, table):
    rows = np.array([299, 0, 17, 17, 5])
    one_by_one = np.asarray(table.read(rows))
    np.testing.assert_array_equal(one_by_one, expected(stored)[rows])
    assert table.stored is not None
    np.testing.assert_array_equal(table.numpy(), expected(stored))
    assert table.stored is None
    np.testing.assert_array_equal(table.read(rows), one_by_one)


def test_replaced_rows_stay_replaced(stored, table):
    now = expected(stored)
    for rows in ([40, 3, 200], [3, 299], [0]):
        others = np.full((len(rows), DIM), rows[0], np.float32)
        table.update(np.array(rows), others)
        now[rows] = others
        np.testing.assert_array_equal(table.read(np.arange(ROWS)), now)
    assert table.stored is not None
    np.testing.assert_array_equal(table, now)
    # Another table of the same stored rows has its own.
    np.testing.assert_array_equal(stored.read(np.arange(ROWS)), expected(stored))


def test_many_replaced_rows_end_what_is_stored(stored, table):
    rows = np.arange(0, ROWS, 5)
    table.update(rows, np.zeros((len(rows), DIM), np.float32))
    assert table.stored is None
    now = expected(stored)
    now[rows] = 0
    np.testing.assert_array_equal(table, now)


def test_a_filled_variable_takes_other_stored_rows(stored, table):
    table.assign(tf.ones((ROWS, DIM)))
    np.testing.assert_array_equal(table, np.ones((ROWS, DIM)))
    table.fill(stored)
    np.testing.assert_array_equal(table, expected(stored))


def test_threads_that_ask_at_once_get_one_variable(table):
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda _: table.value, range(64)))
    assert {id(value) for value in values} == {id(table.value)}


def test_threads_that_write_at_once_lose_nothing(stored, table):
    def write(row):
        if row == 7:
            assert table.value is not None  # from here on a variable
        table.update(np.array([row]), np.full((1, DIM), row, np.float32))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(ROWS // 10)))
    now = expected(stored)
    now[: ROWS // 10] = np.arange(ROWS // 10)[:, None]
    np.testing.assert_array_equal(table, now)
    assert table.stored is None


REPLICAS = """
import numpy as np, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
parts = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, parts)
from usetune.encoders.identity import encoder_identity
from usetune.encoders.use.table import StoredRows, Table
none = np.empty(0, np.int64), np.empty((0, 4), np.float32)
one = np.ones(1, np.float32)
table = Table(3, 4)
table.fill(StoredRows(np.full((3, 4), 6, np.uint8), one, one, *none))
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
found = tf.function(lambda: strategy.run(lambda: tf.gather(table.value, [2])))()
print([x.numpy().tolist() for x in strategy.experimental_local_results(found)])
with strategy.scope():
    table = Table(3, 4)
    table.fill(StoredRows(np.full((3, 4), 8, np.uint8), one, one, *none))
found = strategy.run(lambda: tf.gather(table.value, [2]))
print([x.numpy().tolist() for x in strategy.experimental_local_results(found)])
"""


def test_every_replica_has_all_rows():
    found = subprocess.run(
        [sys.executable, "-c", REPLICAS],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    asked_inside, made_inside = found.stdout.splitlines()
    assert asked_inside == str([[[7.0] * 4]] * 2)
    assert made_inside == str([[[9.0] * 4]] * 2)


def test_a_graph_may_be_the_first_to_ask(stored, table):
    @tf.function
    def doubled():
        return 2 * tf.gather(table.value, [3])

    np.testing.assert_array_equal(doubled()[0], 2 * expected(stored)[3])


def test_a_table_that_was_frozen_can_be_trained(table):
    table.trainable = False
    assert table.value.trainable
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(table.value)
    np.testing.assert_array_equal(
        tape.gradient(total, table.value), np.ones((ROWS, DIM))
    )


def test_encoding_tuning_and_saving_need_no_whole_table(tmp_path):
    pairs = load_article_pairs()
    encoder = load_encoder()
    texts = [*pairs["base"], *pairs["ref"]]
    encoder.encode(texts)
    encoder.encode(["word " * 8_000, "the first words " * 5_000])
    tuned = fine_tune(encoder, pairs, epochs=1).encoder
    identity = encoder_identity(tuned)
    tuned.save(tmp_path / "tuned")
    again = load_encoder(tmp_path / "tuned")
    np.testing.assert_array_equal(again.encode(texts), tuned.encode(texts))
    for own in (encoder, tuned, again):
        assert own.embedding.table.stored is not None
    assert np.shares_memory(
        encoder.embedding.table.stored.numbers, tuned.embedding.table.stored.numbers
    )
    # As a whole, it gives the same.
    before = tuned.encode(texts)
    np.testing.assert_allclose(tuned(tf.constant(texts)), before, atol=1e-6)
    assert tuned.embedding.table.stored is None
    np.testing.assert_array_equal(tuned.encode(texts), before)
    assert encoder_identity(tuned) == encoder_identity(again) == identity
