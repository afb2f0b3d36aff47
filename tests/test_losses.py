import keras
import numpy as np
import pytest
import tensorflow as tf

from usetune import MultipleNegativesRanking


def unit(*shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype("f")


def by_hand(embeddings, things, scale):
    anchors, documents = embeddings[:, 0].astype(float), embeddings[:, 1:].astype(float)
    losses = []
    for i, anchor in enumerate(anchors):
        own = scale * anchor @ documents[i, 0]
        exponents = [own]
        for j in range(len(anchors)):
            if j != i and things[j] != things[i]:
                exponents.append(scale * anchor @ documents[j, 0])
            exponents += [scale * anchor @ negative for negative in documents[j, 1:]]
        losses.append(np.log(np.sum(np.exp(exponents))) - own)
    return np.mean(losses)


@pytest.mark.parametrize("negatives", [0, 2])
@pytest.mark.parametrize("things", [[0, 1, 2, 3, 4], [0, 1, 0, 3, 1], [7] * 5])
def test_value(negatives, things):
    embeddings = unit(5, 2 + negatives, 8)
    loss = MultipleNegativesRanking(scale=10.0)(np.array(things)[:, None], embeddings)
    expected = by_hand(embeddings, things, 10.0)
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_pairs_of_one_thing_do_not_push_each_other():
    embeddings = tf.constant(unit(4, 2, 8))

    def gradient(things):
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            loss = MultipleNegativesRanking()(np.array(things)[:, None], embeddings)
        return tape.gradient(loss, embeddings).numpy()

    assert np.abs(gradient([0, 1, 2, 3])).max() > 1e-3
    np.testing.assert_allclose(gradient([5, 5, 5, 5]), 0, atol=1e-7)


def test_in_a_graph_of_any_batch_size():
    loss = tf.function(
        lambda things, embeddings: MultipleNegativesRanking()(things, embeddings),
        input_signature=[
            tf.TensorSpec((None, 1)),
            tf.TensorSpec((None, None, 8)),
        ],
    )
    for size in (1, 3, 6):
        embeddings = unit(size, 2, 8, seed=size)
        expected = by_hand(embeddings, range(size), 20.0)
        things = np.arange(size, dtype="f")[:, None]
        assert float(loss(things, embeddings)) == pytest.approx(expected, abs=1e-5)


def test_configuration():
    loss = MultipleNegativesRanking(scale=5.0)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, MultipleNegativesRanking) and again.scale == 5.0
