"""Exports have the interface of the original on TensorFlow Hub."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.python.tools import saved_model_cli

from tests.conftest import TEXTS as ALL_TEXTS
from tests.fakes.tiny_bert import tiny_bert
from tests.fakes.tiny_encoder import TinyEncoder
from tests.fakes.tiny_static import tiny_static
from usetune import load_encoder

# Short enough for the tiny BERT.
TEXTS = ALL_TEXTS[:6]
STRINGS = tf.constant(TEXTS)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A SavedModel of others: its argument and output have other names."""
    module = tf.train.Checkpoint()
    module.tiny = TinyEncoder()
    signature = [tf.TensorSpec([None], tf.string)]
    module.__call__ = tf.function(
        lambda texts: 2 * module.tiny(texts), signature, autograph=False
    )
    module.variables = [variable.value for variable in module.tiny.variables]
    module.trainable_variables = module.variables
    folder = tmp_path_factory.mktemp("foreign") / "model"
    tf.saved_model.save(module, str(folder))
    return folder


KINDS = {
    "use": lambda get: get("base").compact(TEXTS),
    "bert": lambda _: tiny_bert(),
    "static": lambda _: tiny_static(TEXTS),
    "saved_model": lambda get: load_encoder(get("foreign")),
    "truncated": lambda _: TinyEncoder().truncate(5),
    "own": lambda _: TinyEncoder(),
}


@pytest.fixture(scope="module", params=KINDS)
def exported(request, tmp_path_factory):
    """A folder, what is loaded from it, and the embeddings of `TEXTS`."""
    encoder = KINDS[request.param](request.getfixturevalue)
    folder = tmp_path_factory.mktemp("exported") / "model"
    encoder.export(folder)
    return folder, hub.load(str(folder)), encoder.encode(TEXTS)


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_calls_of_the_original(exported):
    folder, _, expected = exported
    model = hub.load(str(folder))
    column = STRINGS[:, None]
    for texts in (TEXTS, STRINGS, np.array(TEXTS), np.array(TEXTS, object), column):
        close(model(texts), expected)
        close(model(inputs=texts), expected)
    for training in (False, True, tf.constant(True)):
        close(model(STRINGS, training=training), expected)
    close(model(TEXTS[0]), expected[:1])
    close(model(tf.constant(TEXTS[0])), expected[:1])
    assert model([]).shape == (0, expected.shape[1])
    # Lists of other texts are no other functions.
    assert model.__call__.experimental_get_tracing_count() == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\(batch, 1\). Received"):
        model([TEXTS])


def test_it_maps_over_data(exported):
    _, model, expected = exported
    texts = tf.data.Dataset.from_tensor_slices(TEXTS)
    for data in texts.map(model), texts.batch(3).map(model):
        assert data.element_spec.shape == (None, expected.shape[1])
        close(np.concatenate(list(data)), expected)


def test_signature_for_serving(exported):
    _, loaded, expected = exported
    assert list(loaded.signatures) == ["serving_default"]
    serve = loaded.signatures["serving_default"]
    assert serve.structured_input_signature == (
        (),
        {"inputs": tf.TensorSpec([None], tf.string, "inputs")},
    )
    assert serve.structured_outputs == {
        "outputs": tf.TensorSpec([None, expected.shape[1]], tf.float32, "outputs")
    }
    close(serve(inputs=STRINGS)["outputs"], expected)


def test_what_saved_model_cli_shows(tiny, tmp_path, capsys):
    tiny.export(tmp_path / "model")
    # Its command line would start another TensorFlow.
    saved_model_cli._show_inputs_outputs(
        str(tmp_path / "model"), "serve", "serving_default"
    )
    shown = capsys.readouterr().out
    assert " ".join(shown.split()) == (
        "The given SavedModel SignatureDef contains the following input(s): "
        "inputs['inputs'] tensor_info: dtype: DT_STRING shape: (-1) "
        "name: serving_default_inputs:0 "
        "The given SavedModel SignatureDef contains the following output(s): "
        "outputs['outputs'] tensor_info: dtype: DT_FLOAT shape: (-1, 16) "
        "name: StatefulPartitionedCall:0 Method name is: tensorflow/serving/predict"
    )
