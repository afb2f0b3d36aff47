import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import TEXTS
from usetune import angular_similarity, build_siamese
from usetune.similarity import AngularSimilarity


def test_output_agrees_with_numpy(tiny):
    siamese = build_siamese(tiny)
    inputs = {"base": tf.constant(TEXTS), "ref": tf.constant(TEXTS[::-1])}
    output = siamese.predict(inputs, verbose=0)
    assert output.shape == (len(TEXTS), 1) and siamese.output_shape == (None, 1)
    u, v = tiny.encode(TEXTS).astype(float), tiny.encode(TEXTS[::-1]).astype(float)
    expected = 1 - np.arccos((u * v).sum(1)) / np.pi
    np.testing.assert_allclose(output[:, 0], expected, atol=1e-5)
    swapped = {"base": inputs["ref"], "ref": inputs["base"]}
    np.testing.assert_allclose(siamese.predict(swapped, verbose=0), output, atol=1e-6)


def test_the_branches_share_the_encoder(tiny):
    tiny = tiny.copy()
    siamese = build_siamese(tiny)
    assert siamese.get_layer("branches").encoder is tiny
    assert len(siamese.trainable_variables) == len(tiny.trainable_variables)
    siamese.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
    before = tiny.encode(TEXTS)
    texts = {"base": tf.constant(TEXTS[:4]), "ref": tf.constant(TEXTS[4:])}
    siamese.fit(texts, np.zeros((4, 1)), verbose=0)
    assert np.abs(tiny.encode(TEXTS) - before).max() > 1e-3


def test_gradient_is_finite_on_identical_texts(tiny):
    siamese = build_siamese(tiny)
    texts = tf.constant(TEXTS)
    variables = [variable.value for variable in tiny.trainable_variables]
    with tf.GradientTape() as tape:
        output = siamese({"base": texts, "ref": texts})
        loss = tf.reduce_sum(tf.square(output - 0.3))
    for gradient in tape.gradient(loss, variables):
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_head_clips_both_ends(sign):
    u = tf.constant([[0.6, 0.8]])
    with tf.GradientTape() as tape:
        tape.watch(u)
        output = AngularSimilarity()([u, sign * tf.constant([[0.6, 0.8]])])
    assert np.isfinite(tape.gradient(output, u)).all()
    expected = angular_similarity(np.float32(sign * 0.99999))
    np.testing.assert_allclose(output[0, 0], expected, atol=1e-6)


def test_head_configuration():
    head = AngularSimilarity.from_config(AngularSimilarity(clip=0.9).get_config())
    assert head.clip == 0.9
    assert head.compute_output_shape([(4, 512), (4, 512)]) == (4, 1)
    for clip in (0, 1, -0.5):
        with pytest.raises(ValueError, match=f"clip.*{clip}"):
            AngularSimilarity(clip=clip)
