import keras
import numpy as np
import pytest
import tensorflow as tf

from usetune.losses import GIST, Cached, Matryoshka, MultipleNegativesRanking
from usetune.training.model import ExampleEncoder

TEXTS = np.array(
    [
        [f"{seniority} {title}", title]
        for seniority in ("senior", "junior", "assistant")
        for title in ("cook", "nurse", "data scientist", "miner", "judge")
    ],
    dtype=object,
)


def test_embeds_the_texts_of_each_example(tiny):
    embeddings = ExampleEncoder(tiny)(tf.constant(TEXTS)).numpy()
    assert embeddings.shape == (15, 2, 16)
    for column in (0, 1):
        expected = tiny.encode(TEXTS[:, column].tolist())
        np.testing.assert_allclose(embeddings[:, column], expected, atol=1e-6)
    spec = ExampleEncoder(tiny).compute_output_spec(
        keras.KerasTensor((None, 2), "string")
    )
    assert spec.shape == (None, 2, 16)


def test_any_number_of_columns_in_one_graph(tiny):
    embedder = ExampleEncoder(tiny)
    graph = tf.function(
        embedder, input_signature=[tf.TensorSpec((None, None), "string")]
    )
    for columns in (1, 2):
        expected = embedder(tf.constant(TEXTS[:, :columns]))
        found = graph(tf.constant(TEXTS[:, :columns]))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def one_step(encoder, loss, mini_batch_size=None):
    """Variables after one step of gradient descent, and the logs."""
    model = ExampleEncoder(encoder.copy(), mini_batch_size=mini_batch_size)
    model.compile(keras.optimizers.SGD(1.0), loss=loss, jit_compile=False)
    target = np.arange(15, dtype="f")[:, None] % 5
    data = tf.data.Dataset.from_tensors((tf.constant(TEXTS), target))
    logs = model.fit(data, epochs=1, shuffle=False, verbose=0).history
    return [variable.numpy() for variable in model.trainable_variables], logs["loss"][0]


@pytest.mark.parametrize("size", [1, 4, 15, 40])
def test_cached_gradients_are_those_of_the_whole_batch(tiny, size):
    compare(tiny, MultipleNegativesRanking(), size)


def test_cached_gradients_of_the_real_encoder(base):
    encoder = base.compact(TEXTS.ravel().tolist())
    compare(encoder, Matryoshka(MultipleNegativesRanking(), [512, 64]), 4)


def compare(encoder, loss, size):
    before = [variable.numpy() for variable in encoder.trainable_variables]
    whole, loss_of_whole = one_step(encoder, loss)
    cached, loss_of_cached = one_step(encoder, Cached(loss, size), size)
    # Logarithms of shares near 1, in float32.
    assert loss_of_cached == pytest.approx(loss_of_whole, rel=1e-6, abs=1e-6)
    for start, a, b in zip(before, whole, cached, strict=True):
        assert np.abs(a - start).max() > 0
        np.testing.assert_allclose(b, a, atol=1e-4 * np.abs(a - start).max())


def test_cached_gradients_with_a_guide(tiny):
    loss = GIST(tiny)
    columns = [TEXTS[:, 0].tolist(), TEXTS[:, 1].tolist()]
    target = loss.target(columns, np.arange(15))
    steps = []
    for size in (None, 4):
        model = ExampleEncoder(tiny.copy(), mini_batch_size=size)
        model.compile(keras.optimizers.SGD(1.0), loss=loss, jit_compile=False)
        data = tf.data.Dataset.from_tensors((tf.constant(TEXTS), target))
        model.fit(data, epochs=1, shuffle=False, verbose=0)
        steps.append([variable.numpy() for variable in model.trainable_variables])
    for a, b in zip(*steps, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_layers_of_the_loss_are_trained(tiny):
    layer = keras.layers.Dense(3)
    layer.build((None, 5))
    model = ExampleEncoder(tiny, [layer])
    assert any(variable is layer.kernel for variable in model.trainable_variables)
    assert any(variable is layer.kernel for variable in model.weights)
