"""Rows as the wheel stores them, and the variable that they become."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from usetune import fine_tune, load_article_pairs, load_encoder
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
