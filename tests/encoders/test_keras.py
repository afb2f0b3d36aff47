"""An encoder among Keras' layers; its TextVectorization, too, does what is asked."""

import copy
import gc
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.conftest import TEXTS
from tests.fakes.tiny_bert import tiny_bert
from tests.fakes.tiny_encoder import TinyEncoder
from tests.fakes.tiny_static import tiny_static
from usetune import build_siamese, fine_tune, load_encoder

STRINGS = tf.constant(TEXTS)
LABELS = np.arange(len(TEXTS)) % 3
KINDS = {
    "use": lambda get: get("base").compact(TEXTS),
    "bert": lambda _: tiny_bert(),
    "static": lambda _: tiny_static(TEXTS),
    "saved_model": lambda get: load_encoder(get("saved")),
    "truncated": lambda _: tiny_bert().truncate(5),
    "control": lambda _: keras.layers.TextVectorization(
        vocabulary=["data", "cook"], output_mode="multi_hot"
    ),
}
# A truncated encoder is called as the one behind it is.
CALLED = [kind for kind in KINDS if kind != "truncated"]
IN_FILES = [kind for kind in KINDS if kind != "saved_model"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "encoder"
    TinyEncoder().save(folder)
    return folder


@pytest.fixture
def encoder(request):
    return KINDS[request.param](request.getfixturevalue)


def of_kinds(kinds):
    return pytest.mark.parametrize("encoder", kinds, indirect=True)


def functional(encoder, shape=()):
    texts = keras.Input(shape, dtype="string")
    return keras.Model(
        texts, keras.layers.Dense(3, activation="softmax")(encoder(texts))
    )


def same(one, two):
    np.testing.assert_allclose(one(STRINGS), two(STRINGS), atol=1e-6)


@of_kinds(CALLED)
def test_sequential_model_fits_on_texts_of_each_kind(encoder):
    model = keras.Sequential([encoder, keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    data = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(3)
    for texts, labels in (
        (np.array(TEXTS, object), LABELS),
        (STRINGS, LABELS),
        (data, None),
    ):
        model.fit(texts, labels, shuffle=False, verbose=0)
    assert model.predict(STRINGS, verbose=0).shape == (len(TEXTS), 3)
    # It would be True on a GPU, and fail there.
    assert not encoder.supports_jit and not model.jit_compile


@of_kinds([kind for kind in KINDS if kind != "control"])
def test_calls_and_shapes(encoder):
    expected = encoder(STRINGS)
    column = np.array(TEXTS, object)[:, None]
    for texts in (TEXTS, column[:, 0], column, STRINGS[:, None]):
        np.testing.assert_allclose(encoder(texts), expected, atol=1e-6)
    dim = expected.shape[1]
    assert tuple(encoder.compute_output_shape((None, 1))) == (None, dim)
    for shape in ((), (1,)):
        model = functional(encoder, shape)
        assert model.input_shape == (None, *shape)
        assert model.layers[1].output.shape == (None, dim)
        assert model(STRINGS[:, None] if shape else STRINGS).shape == (len(TEXTS), 3)


def test_calls_that_are_refused(tiny):
    for texts in (tf.constant("a"), tf.constant([["a", "b"]]), np.full((2, 2), "a")):
        with pytest.raises(ValueError, match=r"\(batch,\) or \(batch, 1\). Received"):
            tiny(texts)
    for texts, message in (
        (tf.constant([1.0]), "must be strings.*float32"),
        (keras.Input(()), "must be strings.*float32"),
        ("a", r"Write \[texts\]"),
        ({"a": "b"}, "texts.values"),
        ([1], r"texts\[0\] must be a str"),
    ):
        with pytest.raises(TypeError, match=message):
            tiny(texts)


@of_kinds(IN_FILES)
def test_configurations_and_files(encoder, tmp_path):
    model = functional(encoder)
    model.save(tmp_path / "model.keras")
    same(keras.models.load_model(tmp_path / "model.keras"), model)
    for other in (
        keras.models.clone_model(model),
        keras.models.model_from_json(model.to_json()),
    ):
        other.set_weights(model.get_weights())
        same(other, model)
    again = type(encoder).from_config(encoder.get_config())
    assert again.name == encoder.name
    if encoder.weights:
        again.set_weights(encoder.get_weights())
    same(again, encoder)


def test_a_configuration_of_another_process_asks_for_weights(base):
    config = {**base.compact(TEXTS).get_config(), "sentencepiece": "0" * 64}
    with pytest.raises(ValueError, match="load its weights"):
        type(base).from_config(config)(STRINGS)


def test_frozen_stays_frozen(base, tmp_path):
    encoder = base.compact(TEXTS)
    encoder.trainable = False
    model = pickle.loads(pickle.dumps(functional(encoder)))
    assert [v.name for v in model.trainable_variables] == ["kernel", "bias"]
    encoder.trainable = True
    encoder.embedding.trainable = False
    model = functional(encoder.truncate(5))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    names = [v.name for v in again.trainable_variables]
    assert len(names) == len(encoder.weights) + 1 and "table" not in names
    again.layers[1].encoder.embedding.trainable = True
    assert len(again.trainable_variables) == len(names) + 1


def test_a_saved_model_is_in_no_file_of_keras(saved, tmp_path):
    model = functional(load_encoder(saved))
    for function in (
        model.to_json,
        lambda: model.save(tmp_path / "model.keras"),
        lambda: keras.models.clone_model(model),
    ):
        with pytest.raises(NotImplementedError, match=r"encoder.save\(folder\)"):
            function()


@of_kinds(KINDS)
def test_copies_are_equal_and_independent(encoder, tmp_path):
    joblib.dump(encoder, tmp_path / "encoder")
    copies = [
        copy.deepcopy(encoder),
        pickle.loads(pickle.dumps(encoder)),
        joblib.load(tmp_path / "encoder"),
    ]
    for other in copies:
        same(other, encoder)
        for one, two in zip(other.variables, encoder.variables, strict=True):
            one.assign(one.value + 1)
            assert np.abs(one.numpy() - two.numpy()).min() > 0.5


def test_a_saved_model_is_copied_from_its_own_files(saved, tmp_path):
    saved = shutil.copytree(saved, tmp_path / "moved")
    encoder = load_encoder(saved)
    content = pickle.dumps(encoder)
    expected = encoder.encode(TEXTS)
    saved.rename(saved.with_name("gone"))
    with pytest.raises(OSError, match="moved is gone"):
        pickle.dumps(encoder)
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.encode(TEXTS), expected)
    # The files go with the last of the copies.
    folder = Path(again.folder)
    other = again.copy()
    del again
    gc.collect()
    np.testing.assert_array_equal(other.copy().encode(TEXTS), expected)
    del other
    gc.collect()
    assert not folder.exists()


def test_copies_stay_frozen(base, saved):
    encoder = base.compact(TEXTS)
    encoder.embedding.trainable = False
    for other in encoder.copy(), encoder.compact(TEXTS[:2]), encoder.expand(encoder):
        assert not other.embedding.trainable and other.projection.trainable
        assert len(other.trainable_variables) == len(encoder.variables) - 1
    for encoder in tiny_bert(), load_encoder(saved):
        encoder(STRINGS)
        encoder.trainable = False
        assert not copy.deepcopy(encoder).trainable_variables


def test_copies_of_what_has_no_configuration_stay_frozen(saved):
    encoder = load_encoder(saved)
    encoder.trainable = False
    cut = load_encoder(saved).truncate(5)
    cut.trainable = False
    # Keras asks the outer layer first.
    cut.encoder.trainable = True
    for own in encoder, cut:
        for other in pickle.loads(pickle.dumps(own)), copy.deepcopy(own), own.copy():
            assert not other.trainable and not other.trainable_variables
    for other in cut.compact(TEXTS), cut.compact(TEXTS).expand(cut):
        assert not other.trainable and other.encoder.trainable


def test_an_encoder_in_two_places_is_copied_once():
    encoder = TinyEncoder()
    one, cut, two = copy.deepcopy([encoder, encoder.truncate(5), encoder])
    assert one is two is cut.encoder and one is not encoder


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_vocabulary_are_refused(base, tmp_path):
    one, two = base.compact(["a", "b"]), base.compact(["a", "c"])
    assert one.embedding.table.shape == two.embedding.table.shape
    model = functional(one)
    one.save_weights(tmp_path / "one.weights.h5")
    model.save_weights(tmp_path / "model.weights.h5")
    rows = two.embedding.table.numpy()
    for own, name in (two, "one"), (functional(two), "model"):
        with pytest.raises(ValueError, match="another vocabulary than the 4 tok"):
            own.load_weights(tmp_path / f"{name}.weights.h5")
        np.testing.assert_array_equal(two.embedding.table, rows)
    again = base.compact(["b", "a"])
    again.embedding.table.assign(0 * again.embedding.table.value)
    again.load_weights(tmp_path / "one.weights.h5")
    np.testing.assert_array_equal(again.encode(["a", "b"]), one.encode(["a", "b"]))


def test_parts_of_bert_stay_frozen_after_a_call():
    """The first call makes layers without weights, which a fresh model lacks."""
    encoder = tiny_bert()
    encoder(STRINGS)
    last = [layer for layer in encoder._flatten_layers() if layer.weights][-1]
    last.trainable = False
    names = [variable.path for variable in encoder.trainable_variables]
    assert 0 < len(names) < len(encoder.variables)
    for other in encoder.copy(), pickle.loads(pickle.dumps(encoder)):
        assert len(other.trainable_variables) == len(names)
        layers = [layer for layer in other._flatten_layers() if layer.weights]
        assert [layer.trainable for layer in layers] == [
            *[True] * (len(layers) - 1),
            False,
        ]


def test_what_is_frozen_is_not_tuned():
    encoder = TinyEncoder()
    encoder.embedding.trainable = False
    texts = [text for text in TEXTS if text.strip()]
    pairs = pd.DataFrame({"anchor": texts, "positive": texts[::-1]})
    tuned = fine_tune(encoder, pairs, validation_data=pairs, epochs=1).encoder
    moved = [
        not np.array_equal(one, two)
        for one, two in zip(tuned.variables, encoder.variables, strict=True)
    ]
    assert moved[0] is False and all(moved[1:])
    encoder.trainable = False
    with pytest.raises(ValueError, match="all are frozen"):
        fine_tune(encoder, pairs)


class Own(keras.Model):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.head = keras.layers.Dense(3)

    def call(self, texts):
        return self.head(self.encoder(texts))


@of_kinds(CALLED)
def test_models_around_it_are_exported(encoder, tmp_path):
    model = functional(encoder)
    model.export(tmp_path / "functional", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "functional"))
    same(exported.serve, model)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    tf.saved_model.load(str(tmp_path / "saved"))
    own = Own(encoder)
    own(STRINGS)
    signature = [tf.TensorSpec([None], tf.string)]
    own.export(tmp_path / "own", verbose=False, input_signature=signature)
    exported = tf.saved_model.load(str(tmp_path / "own"))
    same(exported.serve, own)


def test_numbers_are_refused_in_a_graph(tiny):
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be strings"):
        tf.function(tiny)(tf.constant([1.0]))


def test_a_siamese_model_is_saved_and_exported(tmp_path):
    model = build_siamese(tiny_bert().truncate(4))
    pair = {"base": STRINGS, "ref": STRINGS[::-1]}
    model.save(tmp_path / "siamese.keras")
    again = keras.models.load_model(tmp_path / "siamese.keras")
    np.testing.assert_allclose(again(pair), model(pair), atol=1e-6)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(exported.serve([*pair.values()]), model(pair), atol=1e-6)


def test_a_checkpoint_loads_in_a_fresh_process(base, tmp_path):
    """Of a classifier on the encoder."""
    model = functional(base.compact(TEXTS))
    model.compile("adam", "sparse_categorical_crossentropy")
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss")
    model.fit(STRINGS, LABELS, verbose=0, callbacks=[best])
    code = (
        "import sys, keras, numpy as np, tensorflow as tf, usetune.encoders;"
        "model = keras.models.load_model('best.keras');"
        "np.save('found.npy', model(tf.constant(sys.argv[1:])))"
    )
    subprocess.run(
        [sys.executable, "-c", code, *TEXTS],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    np.testing.assert_allclose(
        np.load(tmp_path / "found.npy"), model(STRINGS), atol=1e-6
    )
