import keras
import numpy as np
import pytest
import tensorflow as tf

from usetune import FusedAdam


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
