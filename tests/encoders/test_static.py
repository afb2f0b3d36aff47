"""Sums of token vectors."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.conftest import TEXTS
from tests.fakes.tiny_static import tiny_static
from usetune import fine_tune, load_encoder
from usetune._utils.arrays import write_arrays
from usetune.encoders import StaticEncoder
from usetune.encoders.static import TABLE, load_static
from usetune.encoders.use import weights
from usetune.encoders.use.tokenizer import sentencepiece_tokenizer

# Spaces of all kinds, a word twice, and a text without a token.
SPACED = [*TEXTS, " data\t data\n", "data\u3000scientist", "\u00a0", "cook, cook"]


@pytest.fixture(scope="module")
def static():
    """It has a row for every token. Tests leave its weights alone."""
    return tiny_static()


def test_a_text_is_the_sum_of_its_tokens(static):
    tokenizer = sentencepiece_tokenizer(weights.sentencepiece())
    expected = []
    for text in SPACED:
        tokens = tokenizer.tokenize([text]).values.numpy()[1:-1]
        rows = static.embedding.lookup(tokens).numpy()
        total = rows.sum(0) + static.start.vector.numpy()
        expected.append(total / np.linalg.norm(total))
    np.testing.assert_allclose(static.encode(SPACED), expected, atol=1e-6)


def test_the_compact_copy_equals_it_and_knows_no_others(static):
    copy = static.compact(SPACED)
    assert copy.count_params() < static.count_params() / 1000
    np.testing.assert_allclose(
        copy.encode(SPACED), static.encode(SPACED), rtol=0, atol=1e-6
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="unforeseeable"):
        copy.encode(["an unforeseeable word"])
    with pytest.raises(ValueError, match=r"texts\[1\] = 'unforeseeable'"):
        copy.compact(["data", "unforeseeable"])


def test_training_moves_the_tokens_of_the_texts_only(static):
    pairs = pd.DataFrame({"anchor": ["data scientist", "pastry cook"]})
    pairs["positive"] = ["data analyst", "baker"]
    tuned = fine_tune(static, pairs, validation_data=pairs, epochs=1).encoder
    tokens, _ = tuned.embedding.difference(
        [(static.embedding.tokens(), static.embedding.table.numpy())]
    )
    met = static._tokenize(tf.constant(pairs.to_numpy().ravel().tolist()))
    np.testing.assert_array_equal(tokens, np.unique(met.values))
    assert not np.array_equal(tuned.start.vector, static.start.vector)


def test_the_width_is_kept(tmp_path):
    encoder = tiny_static(TEXTS, dim=3)
    encoder.save(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved")
    assert isinstance(again, StaticEncoder) and again.dim == 3
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    with pytest.raises(ValueError, match="dim must be at least 1"):
        StaticEncoder(b"", dim=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": np.zeros((3, 2), np.float32)}, "a row for each of 128010 tokens"),
        ({"vocabulary": np.array([5, 4])}, "ascending ids of tokens"),
        ({"start": np.zeros(3, np.float32)}, "start"),
        ({"start": np.full(2, np.nan, np.float32)}, "start"),
    ],
)
def test_tables_that_are_refused(changes, message, tmp_path):
    arrays = {"table": np.zeros((2, 2), np.float32), "start": np.zeros(2, np.float32)}
    write_arrays(tmp_path / TABLE, arrays | changes)
    with pytest.raises(ValueError, match=message):
        load_static(tmp_path)
