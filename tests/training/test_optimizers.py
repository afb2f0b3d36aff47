import keras
import numpy as np
import pytest
import tensorflow as tf

from usetune.training import FusedAdam, warmup_cosine


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1e-2},
        {"learning_rate": 1e-2, "beta_2": 0.9999, "clipnorm": 1.0},
        {"learning_rate": 1e-2, "beta_1": 0.5, "epsilon": 0.1, "weight_decay": 0.1},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 20)},
        {"learning_rate": 1e-2, "amsgrad": True},
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_equals_keras(settings, sparse):
    start = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")
    results = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        rng = np.random.default_rng(1)
        variable = keras.Variable(start)
        optimizer = kind(**settings)
        optimizer.build([variable])
        step = tf.function(optimizer.apply)
        for _ in range(20):
            gradient = tf.constant(rng.normal(size=(7, 3)), tf.float32)
            if sparse:
                rows, shape = tf.constant([1, 4]), tf.constant([7, 3])
                gradient = tf.IndexedSlices(gradient[:2], rows, shape)
            step([gradient])
        results.append(variable.numpy())
    # float32: 1 - 0.9999 itself is rounded by 2 parts in 10,000.
    moved = np.abs(results[0] - start).max()
    assert np.abs(results[1] - results[0]).max() < 3e-4 * moved


def test_configuration():
    optimizer = FusedAdam(1e-4, beta_2=0.9)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, FusedAdam) and again.beta_2 == 0.9


def test_warmup_and_cosine():
    schedule = warmup_cosine(0.5, steps=100, warmup=0.2)
    rates = [float(schedule(step)) for step in range(101)]
    np.testing.assert_allclose(rates[:21], np.linspace(0, 0.5, 21), atol=1e-6)
    falling = 0.25 * (1 + np.cos(np.pi * np.arange(81) / 80))
    np.testing.assert_allclose(rates[20:], falling, atol=1e-6)
    assert float(warmup_cosine(0.5, steps=10, warmup=0)(0)) == 0.5
    for warmup, steps in ((1, 10), (-0.1, 10), (0.1, 0)):
        with pytest.raises(ValueError, match=f"Received: {warmup} and {steps}"):
            warmup_cosine(0.5, steps, warmup)
