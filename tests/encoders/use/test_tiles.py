import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from usetune.encoders.use import instructions
from usetune.encoders.use.instructions import has_tiles
from usetune.encoders.use.run_products import TensorFlowProducts
from usetune.encoders.use.tiles import multiply, pack

tiles = pytest.mark.skipif(
    not has_tiles(), reason="this processor has no tiles for bfloat16 (AMX)"
)


def factors(rows, depth, number, columns):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, depth)).astype(np.float32)
    return x, rng.normal(size=(number, depth, columns)).astype(np.float32)


# One block of rows, several, and a part of one; one step of depth, and several.
@tiles
@pytest.mark.parametrize(
    "shape", [(32, 32, 1, 32), (96, 256, 3, 64), (160, 320, 2, 96)]
)
def test_products_of_float32(shape):
    x, kernels = factors(*shape)
    out = np.full((shape[2], shape[0], shape[3]), np.nan, np.float32)
    multiply(x, pack(kernels, "float32"), out)
    expected = x.astype(float) @ kernels
    # Each term is exact to some 2**-16.
    bound = np.abs(x).astype(float) @ np.abs(kernels) * 2**-16
    assert (np.abs(out - expected) < bound).all()


@tiles
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_products_into_a_part_of_an_array(dtype):
    x, kernels = factors(64, 64, 3, 64)
    packed, whole = pack(kernels, "float32"), np.zeros((3, 160, 64), dtype)
    alone = np.empty((3, 64, 64), dtype)
    multiply(x, packed, alone)
    multiply(x, packed, whole[:, 32:96])
    np.testing.assert_array_equal(whole[:, 32:96], alone)
    assert not whole[:, :32].any() and not whole[:, 96:].any()


# One token, one row more than a step has, one block of tokens, and several.
@tiles
@pytest.mark.parametrize("size", [1, 33, 256, 600])
def test_tables_of_tokens_equal_those_of_tensorflow(size, base):
    rows = base.embedding.lookup(np.arange(100, 100 + size))
    found = base._run_products().first(np.asarray(rows))
    expected = TensorFlowProducts(base._token_tables, base._finish).first(rows)
    np.testing.assert_allclose(found.moments, expected.moments[:size], rtol=1e-4)
    for one, other in zip(found.ngrams, expected.ngrams, strict=True):
        for own, like in zip(one, other, strict=True):
            own, like = own[..., :size, :], like[..., :size, :]
            np.testing.assert_allclose(own, like, atol=1e-4 * np.abs(like).max())


@tiles
def test_products_of_bfloat16():
    x, kernels = factors(96, 256, 3, 64)
    rounded = [tf.cast(tf.cast(y, tf.bfloat16), tf.float64) for y in (x, kernels)]
    expected = np.asarray(tf.matmul(rounded[0][None], rounded[1]))
    packed = pack(kernels, "bfloat16")
    out = np.empty((3, 96, 64), np.float32)
    multiply(x, packed, out)
    np.testing.assert_allclose(out, expected, atol=1e-4)
    bits = np.empty((3, 96, 64), np.uint16)
    multiply(x, packed, bits)
    nearest = np.asarray(tf.cast(out, tf.bfloat16)).view(np.uint16)
    np.testing.assert_array_equal(bits, nearest)


@tiles
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_not_finite_stays_so(precision):
    for wrong in (np.nan, np.inf):
        x, kernels = factors(32, 32, 1, 32)
        x[5, 7] = wrong
        out = np.empty((1, 32, 32), np.float32)
        multiply(x, pack(kernels, precision), out)
        assert not np.isfinite(out[0, 5]).any()
        assert np.isfinite(np.delete(out[0], 5, axis=0)).all()


@tiles
def test_products_of_tensorflow_between_them_stay_right():
    # Both set up the tiles of the thread that they run in.
    x, kernels = factors(64, 64, 1, 64)
    half = [tf.cast(y, tf.bfloat16) for y in (x, kernels[0])]
    expected, own = tf.matmul(*half), np.empty((2, 1, 64, 64), np.float32)
    for out in own:
        multiply(x, pack(kernels, "float32"), out)
        np.testing.assert_array_equal(tf.matmul(*half), expected)
    np.testing.assert_array_equal(*own)


@pytest.mark.parametrize("missing", instructions._FEATURES)
def test_no_tiles_without_a_feature(missing, monkeypatch):
    features = dict.fromkeys(instructions._FEATURES, True) | {missing: False}
    binding = instructions.llvmlite.binding
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: features)
    assert not has_tiles.__wrapped__()


def test_no_tiles_where_nothing_is_compiled():
    code = "from usetune.encoders.use.instructions import has_tiles; print(has_tiles())"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "False"
