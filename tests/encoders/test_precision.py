"""A dtype policy that is meant for other models does not reach an encoder."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.conftest import TEXTS
from tests.fakes.tiny_bert import tiny_bert
from tests.fakes.tiny_encoder import TinyEncoder
from usetune import build_siamese, fine_tune, load_encoder
from usetune.devices import float32_policy
from usetune.losses import Softmax


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "encoder"
    with float32_policy():
        TinyEncoder().save(folder)
    return folder


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


KINDS = {
    "use": lambda get: get("base").compact(TEXTS),
    "bert": lambda _: tiny_bert(),
    "saved_model": lambda get: load_encoder(get("saved")),
    "projected": lambda get: load_encoder(get("saved")).truncate(9),
}


@pytest.mark.filterwarnings("ignore:.*longer than max_length")
@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("use", "float16"),
        ("use", "mixed_float16"),
        ("bert", "float16"),
        ("bert", "mixed_bfloat16"),
        ("saved_model", "float16"),
        ("projected", "mixed_float16"),
    ],
    indirect=["policy"],
)
def test_embeddings_are_the_same_under_each_policy(kind, policy, request):
    encoder = KINDS[kind](request.getfixturevalue)
    assert keras.config.dtype_policy().name == policy
    outer = keras.layers.Lambda(encoder, autocast=False)
    found = encoder.encode(TEXTS), encoder.copy()(tf.constant(TEXTS))
    inside = outer(tf.constant(TEXTS))
    gradient = gradients(encoder)
    with float32_policy():
        encoder = KINDS[kind](request.getfixturevalue)
        np.testing.assert_array_equal(found[0], encoder.encode(TEXTS))
        np.testing.assert_allclose(found[1], encoder.encode(TEXTS), atol=1e-6)
        np.testing.assert_allclose(inside, encoder.encode(TEXTS), atol=1e-6)
        for own, expected in zip(gradient, gradients(encoder), strict=True):
            assert own.dtype == np.float32
            np.testing.assert_allclose(own, expected, atol=1e-6)


def gradients(encoder):
    variables = [variable.value for variable in encoder.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(tf.constant(TEXTS))[:, 0])
    return [tf.convert_to_tensor(x).numpy() for x in tape.gradient(loss, variables)]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
def test_training_is_the_same_under_each_policy(policy, saved):
    def tuned(pairs, **settings):
        encoder = load_encoder(saved)
        return fine_tune(encoder, pairs, epochs=1, **settings).encoder.encode(TEXTS)

    scored = pd.DataFrame({"base": TEXTS[:4], "ref": TEXTS[4:], "similarity": 0.7})
    scored.loc[scored["ref"] == "", "ref"] = "x"
    classes = scored.drop(columns="similarity").assign(label=[0, 1, 2, 1])
    found = tuned(scored), tuned(classes, loss=Softmax(3))
    similarity = build_siamese(load_encoder(saved))([tf.constant(TEXTS)] * 2)
    with float32_policy():
        expected = tuned(scored), tuned(classes, loss=Softmax(3))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(similarity, 0.99858, atol=1e-5)
