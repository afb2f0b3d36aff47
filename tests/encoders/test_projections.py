import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tests.conftest import TEXTS
from tests.fakes.tiny_encoder import TinyEncoder
from usetune import fine_tune
from usetune.encoders.base import ProjectedEncoder
from usetune.encoders.projections import principal_rotation
from usetune.losses import Matryoshka, MultipleNegativesRanking

PAIRS = pd.DataFrame(
    {
        "anchor": ["bread maker", "chef", "caretaker", "physician", "coder", "driver"],
        "positive": ["baker", "cook", "nurse", "doctor", "programmer", "chauffeur"],
    }
)
# What a fresh process does with an export: no usetune, no Keras model.
LOAD = """
import sys, numpy as np, tensorflow as tf, tensorflow_hub, tensorflow_text
encoder = tensorflow_hub.load(sys.argv[1])
texts = np.load(sys.argv[2])
np.save(sys.argv[3], encoder(tf.constant(texts)).numpy())
print(len(encoder.variables), len(encoder.trainable_variables))
assert "usetune" not in sys.modules
"""


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("dim", [1, 5, np.int64(7), 16])
def test_first_components(tiny, dim):
    cut = tiny.truncate(dim)
    embeddings = cut.encode(TEXTS)
    assert cut.dim == dim and embeddings.dtype == np.float32
    assert embeddings.shape == (len(TEXTS), dim)
    np.testing.assert_allclose(embeddings, unit(tiny.encode(TEXTS)[:, :dim]), atol=1e-6)


def test_any_map(tiny):
    matrix = np.random.default_rng(0).normal(size=(16, 6))
    encoder = ProjectedEncoder(tiny, matrix)
    expected = unit(tiny.encode(TEXTS) @ matrix)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(
        encoder.truncate(4).encode(TEXTS), unit(expected[:, :4]), atol=1e-6
    )


def test_truncated_again(tiny):
    once, twice = tiny.truncate(4), tiny.truncate(9).truncate(4)
    assert twice.encoder is tiny
    np.testing.assert_array_equal(twice.encode(TEXTS), once.encode(TEXTS))
    with pytest.raises(ValueError, match="from 1 to 4. Received: 5"):
        twice.truncate(5)


@pytest.mark.parametrize("dim", [0, -1, 17])
def test_dim_out_of_range(tiny, dim):
    with pytest.raises(ValueError, match=f"from 1 to 16. Received: {dim}"):
        tiny.truncate(dim)


@pytest.mark.parametrize("dim", [True, 4.0, "4", None])
def test_dim_of_another_type(tiny, dim):
    with pytest.raises(ValueError, match=f"must be an integer. Received: {dim!r}"):
        tiny.truncate(dim)


@pytest.mark.parametrize(
    "matrix",
    [
        np.ones(16),
        np.ones((15, 4)),
        np.ones((16, 17)),
        np.ones((16, 0)),
        np.full((16, 4), np.nan),
    ],
)
def test_faulty_matrix(tiny, matrix):
    with pytest.raises(ValueError, match=r"finite, of shape \(16, 1 to 16\)"):
        ProjectedEncoder(tiny, matrix)


def test_weights_are_shared_and_copies_are_independent():
    source = TinyEncoder(seed=3)
    cut, copy = source.truncate(8), source.truncate(8).copy()
    before = cut.encode(TEXTS)
    np.testing.assert_array_equal(copy.encode(TEXTS), before)
    for variable in source.trainable_variables:
        variable.assign(variable.value * 1.7 + 0.1)
    after = cut.encode(TEXTS)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, unit(source.encode(TEXTS)[:, :8]), atol=1e-6)
    np.testing.assert_array_equal(copy.encode(TEXTS), before)


def test_only_the_encoder_is_trained(tiny):
    cut = tiny.truncate(8)
    assert [v.path for v in cut.trainable_variables] == [
        v.path for v in tiny.trainable_variables
    ]
    assert len(cut.variables) == len(tiny.variables)


def test_fine_tuning():
    source = TinyEncoder(seed=1)
    cut = source.truncate(8)
    before, whole = cut.encode(TEXTS), source.encode(TEXTS)
    tuned = fine_tune(cut, PAIRS, validation_data=PAIRS, epochs=8)
    assert tuned.history["val_loss"].is_monotonic_decreasing
    assert isinstance(tuned.encoder, ProjectedEncoder) and tuned.encoder.dim == 8
    embeddings = tuned.encoder.encode(TEXTS)
    assert np.abs(embeddings - before).max() > 0.001
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    # What it started from is left as it was.
    np.testing.assert_array_equal(cut.encode(TEXTS), before)
    np.testing.assert_array_equal(source.encode(TEXTS), whole)


def test_fine_tuning_with_matryoshka():
    cut = TinyEncoder(seed=1).truncate(8)
    loss = Matryoshka(MultipleNegativesRanking(), [8, 4])
    settings = {"validation_data": PAIRS}
    tuned = fine_tune(cut, PAIRS, loss=loss, epochs=4, **settings)
    assert tuned.history["val_loss"].is_monotonic_decreasing
    assert tuned.encoder.truncate(4).encode(TEXTS).shape == (len(TEXTS), 4)


def test_export(small, tmp_path):
    """Truncated, moved, exported, and loaded where there is no usetune."""
    cut = small.truncate(64)
    tuned = cut.copy()
    for variable in tuned.trainable_variables:
        variable.assign(variable.value * 1.1)
    expected = tuned.encode(TEXTS)
    assert np.abs(expected - cut.encode(TEXTS)).max() > 1e-5
    tuned.export(tmp_path / "model")
    np.save(tmp_path / "texts.npy", [text.encode() for text in TEXTS])
    paths = [str(tmp_path / name) for name in ("model", "texts.npy", "result.npy")]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *paths], capture_output=True, text=True
    )
    assert not done.returncode, done.stderr
    np.testing.assert_allclose(np.load(paths[-1]), expected, atol=1e-5)
    counts = [len(tuned.variables), len(tuned.trainable_variables)]
    assert done.stdout.split() == [str(count) for count in counts]


def test_compact_and_expand(base):
    """A compact copy is equal on its texts, and expands with what it learned."""
    others = ["compact was not told of this"]
    full = base.compact([*TEXTS, *others]).truncate(64)
    compact = full.compact(TEXTS)
    expected = unit(base.encode(TEXTS)[:, :64])
    np.testing.assert_allclose(compact.encode(TEXTS), expected, atol=1e-5)
    compact.trainable_variables[0].assign(compact.trainable_variables[0].value * 1.3)
    learned = compact.encode(TEXTS)
    assert np.abs(learned - expected).max() > 0.01
    expanded = compact.expand(full)
    np.testing.assert_allclose(expanded.encode(TEXTS), learned, atol=1e-5)
    assert expanded.encode(others).shape == (1, 64)
    np.testing.assert_allclose(full.encode(TEXTS), expected, atol=1e-5)


@pytest.fixture(scope="module")
def words():
    return [f"{a} {b}" for a in "abcdefgh" for b in "stuvwxyz"]


def test_a_rotation_keeps_cosines_and_puts_the_largest_components_first(tiny, words):
    rotated = principal_rotation(tiny, words)
    before, after = tiny.encode(words), rotated.encode(words)
    np.testing.assert_allclose(after @ after.T, before @ before.T, atol=1e-6)
    lengths = np.sum(after.astype(np.float64) ** 2, axis=0)
    assert np.all(np.diff(lengths) <= 1e-5)
    # The singular values of the embeddings, squared, are what the axes carry.
    singular = np.linalg.svd(before.astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(lengths, singular**2, rtol=1e-4, atol=1e-5)


def test_a_rotation_has_one_sign(tiny, words):
    matrix = principal_rotation(tiny, words).matrix
    np.testing.assert_array_equal(matrix, principal_rotation(tiny, words * 2).matrix)
    largest = np.abs(matrix).argmax(axis=0)
    assert np.all(matrix[largest, range(tiny.dim)] > 0)


def test_a_rotation_needs_as_many_texts_as_dimensions(tiny, words):
    principal_rotation(tiny, words[: tiny.dim])
    with pytest.raises(ValueError, match="at least 16 different ones.*Received: 15"):
        principal_rotation(tiny, [*words[:15], words[0]])
