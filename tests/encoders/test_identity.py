"""Encoders are known again by their weights and configuration."""

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from tests.fakes.tiny_bert import tiny_bert
from tests.fakes.tiny_encoder import TinyEncoder
from tests.fakes.tiny_static import tiny_static
from usetune import Encoder, load_encoder
from usetune.encoders.base import ProjectedEncoder
from usetune.encoders.identity import encoder_identity


def test_an_encoder_is_known_again():
    identity = encoder_identity(TinyEncoder())
    assert len(identity) == 64
    assert encoder_identity(TinyEncoder()) == identity
    # The cut below is the same map, of another shape.
    whole = ProjectedEncoder(TinyEncoder(), np.eye(16))
    others = [TinyEncoder(seed=1), TinyEncoder(8), whole, TinyEncoder().truncate(8)]
    assert len({identity, *map(encoder_identity, others)}) == 5


def test_one_number_makes_another_encoder(tiny):
    other = tiny.copy()
    assert encoder_identity(other) == encoder_identity(tiny)
    changed = other.variables[-1].numpy()
    changed[-1] = np.nextafter(changed[-1], np.float32(9))
    other.variables[-1].assign(changed)
    assert encoder_identity(other) != encoder_identity(tiny)


@pytest.mark.parametrize("kind", ["use", "bert", "static", "saved_model", "projected"])
def test_a_saved_encoder_is_known_again(kind, request, tmp_path):
    if kind == "use":
        encoder = request.getfixturevalue("small")
    elif kind == "bert":
        encoder = tiny_bert()
    elif kind == "static":
        encoder = tiny_static()
    else:
        encoder = TinyEncoder()
    if kind == "projected":
        encoder = encoder.truncate(5)
    identity = encoder_identity(encoder)
    encoder.save(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved")
    assert encoder_identity(again) == identity
    again.save(tmp_path / "again")
    assert encoder_identity(load_encoder(tmp_path / "again")) == identity


def test_other_settings_of_bert_make_another_encoder():
    encoders = tiny_bert(), tiny_bert(pooling="max"), tiny_bert(max_length=9)
    encoders += (tiny_bert(lowercase=False),)
    assert len(set(map(encoder_identity, encoders))) == 4


def test_other_tokens_make_another_encoder(base):
    """Of two tables with the same rows."""
    one, two = base.compact(["nurse"]), base.compact(["cook"])
    for encoder in (one, two):
        for variable in encoder.variables:
            variable.assign(tf.zeros_like(variable.value))
    assert one.embedding.table.shape == two.embedding.table.shape
    assert encoder_identity(one) != encoder_identity(two)


class OfAFile(Encoder):
    """Its words' embeddings are rows of the identity, in the order of a file."""

    def __init__(self, path):
        super().__init__()
        self.dim = 3
        index = tf.lookup.TextFileIndex
        lines = tf.lookup.TextFileInitializer(
            str(path), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
        )
        self.resources = [tf.lookup.StaticHashTable(lines, 2)]
        self.built = True

    def call(self, texts):
        return tf.one_hot(self.resources[0].lookup(texts), 3)


def test_other_files_make_another_encoder(tmp_path):
    identities = []
    for number, words in enumerate(["a\nb\n", "b\na\n", "a\nb\n"]):
        (tmp_path / f"{number}.txt").write_text(words)
        encoder = OfAFile(tmp_path / f"{number}.txt")
        encoder.save(tmp_path / f"saved {number}")
        identities.append(encoder_identity(encoder))
        again = load_encoder(tmp_path / f"saved {number}")
        assert encoder_identity(again) == identities[-1]
    assert identities[0] != identities[1]
    assert identities[0] == identities[2]


def test_no_second_copy_of_the_weights():
    encoder = TinyEncoder()
    encoder.table = encoder.add_weight(shape=(20_000, 512), name="table")
    size = encoder.table.numpy().nbytes
    encoder_identity(encoder)
    tracemalloc.start()
    try:
        encoder_identity(encoder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 3
