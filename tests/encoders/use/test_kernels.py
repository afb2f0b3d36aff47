import numpy as np
import pytest
import tensorflow as tf

from usetune.encoders.use import runs
from usetune.encoders.use.kernels import Convolution, distinct_ngrams, sum_normalized
from usetune.encoders.use.products import Buffers, padded, shared
from usetune.encoders.use.token_kernels import moments, normalize

CHANNELS = 8
# A text of one token, and one that is longer than what is held at a time.
LENGTHS = [3, 1, 40, 2, 300]
SPLITS = np.cumsum([0, *LENGTHS])


def convolution(order, left, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 3, SPLITS[-1]).astype(np.int32)
    own = rng.normal(size=(4, CHANNELS)).astype(np.float32)
    products = rng.normal(size=(order, 4, CHANNELS)).astype(np.float32)
    bias = rng.normal(size=CHANNELS).astype(np.float32)
    return Convolution(rows, left, own, products, bias)


def windows(convolution):
    """Rows of each token's n-gram, -1 beyond its text, (tokens, order)."""
    order, found = len(convolution.products), []
    for start, stop in zip(SPLITS, SPLITS[1:], strict=False):
        rows = np.pad(
            convolution.rows[start:stop],
            (convolution.left, order - 1 - convolution.left),
            constant_values=-1,
        )
        found.append(np.lib.stride_tricks.sliding_window_view(rows, order))
    return np.concatenate(found)


def expected(convolution):
    """What the convolution gives for each token, in float64."""
    found = []
    for rows in windows(convolution):
        total = convolution.bias.astype(float)
        for position, row in enumerate(rows):
            if row >= 0:
                total = total + convolution.products[position, row]
        found.append(convolution.own[rows[convolution.left]] + np.maximum(total, 0))
    return np.array(found)


@pytest.mark.parametrize(("order", "left"), [(2, 0), (3, 1), (5, 2)])
def test_each_distinct_ngram_is_computed_once(order, left):
    own = convolution(order, left)
    rows = np.full((SPLITS[-1] + 1, CHANNELS), np.nan, np.float32)
    number, count = distinct_ngrams(own, SPLITS, rows)
    ngrams = np.unique(windows(own), axis=0)
    assert len(np.unique(number)) == number.max() + 1 == len(ngrams) < len(number)
    assert count == len(ngrams)
    np.testing.assert_allclose(rows[number], expected(own), atol=1e-5)
    assert np.isnan(rows[count:]).all()


def test_bits_of_bfloat16_are_read_as_numbers():
    own = convolution(3, 1)
    rounded = tf.cast(own.products, tf.bfloat16)
    bits = own._replace(products=np.asarray(rounded).view(np.uint16))
    numbers = own._replace(products=tf.cast(rounded, tf.float32).numpy())
    found, same = np.zeros((2, SPLITS[-1], CHANNELS), np.float32)
    number, _ = distinct_ngrams(bits, SPLITS, found)
    np.testing.assert_array_equal(number, distinct_ngrams(numbers, SPLITS, same)[0])
    np.testing.assert_array_equal(found, same)
    assert found.any()


def test_a_tensor_shares_the_memory_of_an_array():
    # Of any size, behind a start that NumPy alone would align to 16 bytes.
    for rows in range(1, 9):
        numbers = Buffers().of("x", (rows, 3), np.float32)
        numbers[:] = rows
        tensor = shared(numbers)
        numbers[0, 0] = -1
        assert tensor.shape == (rows, 3) and tensor[0, 0] == -1
    assert [padded(rows) for rows in (1, 32, 33)] == [32, 32, 64]


def test_a_buffer_is_used_again_until_it_is_too_small():
    buffers = Buffers()
    first = buffers.of("x", (4, 8), np.float32)
    assert np.shares_memory(first, buffers.of("x", (2, 3), np.float32))
    assert not np.shares_memory(first, buffers.of("y", (2, 3), np.float32))
    larger = buffers.of("x", (5, 8), np.float32)
    assert larger.shape == (5, 8) and not np.shares_memory(first, larger)


def test_sums_are_those_of_normalised_features():
    rng = np.random.default_rng(1)
    convolutions = (convolution(2, 0, 2), convolution(3, 1, 3), convolution(5, 2, 4))
    embedded = rng.normal(size=(7, 16)).astype(np.float32)
    index = rng.integers(0, 7, SPLITS[-1]).astype(np.int32)
    moments = np.stack([embedded.sum(1), np.square(embedded).sum(1)], axis=1)
    out = np.empty((len(LENGTHS), 16 + 3 * CHANNELS), np.float32)
    gamma, beta = rng.normal(size=(2, out.shape[1])).astype(np.float32)
    sum_normalized(index, SPLITS, embedded, moments, convolutions, gamma, beta, out)
    features = np.hstack([embedded[index], *map(expected, convolutions)])
    centred = features - features.mean(axis=1, keepdims=True)
    normalised = centred / features.std(axis=1, keepdims=True)
    totals = np.add.reduceat(normalised * gamma + beta, SPLITS[:-1])
    np.testing.assert_allclose(out, totals, rtol=1e-4, atol=1e-3)


def test_runs_hold_every_text_once():
    texts = list(runs._runs(np.cumsum([0, *[500] * 6, 3_000, 1, 2]), 1_000))
    assert [i for run in texts for i in range(run.start, run.stop)] == list(range(9))
    assert [run.stop - run.start for run in texts] == [2, 2, 2, 1, 2]
    # Few texts occupy all threads, too.
    assert len(list(runs._runs(np.arange(0, 100, 5), 1_000))) == 4


def test_normalization_and_moments_of_tokens():
    rng = np.random.default_rng(0)
    x = 5 + rng.normal(size=(6, 256)).astype(np.float32)
    bias, gamma, beta = rng.normal(size=(3, 256)).astype(np.float32)
    y = x.astype(float) + bias
    centred = y - y.mean(axis=1, keepdims=True)
    expected = centred / y.std(axis=1, keepdims=True) * gamma + beta
    found = np.empty((6, 2), np.float32)
    moments(x, found)
    sums = np.stack([x.sum(axis=1), (x.astype(float) ** 2).sum(axis=1)], axis=1)
    np.testing.assert_allclose(found, sums, rtol=1e-5)
    normalize(x, bias, gamma, beta)
    np.testing.assert_allclose(x, expected, atol=1e-5)
