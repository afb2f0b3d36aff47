import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.conftest import TEXTS
from tests.fakes.tiny_bert import tiny_bert
from usetune.encoders import strings
from usetune.encoders import text_model as module

MULTILINGUAL = [
    "data scientist",
    "Ein Mann spielt Flöte.",
    "رجل يعزف على الناي",
    "男がフルートを吹いている。",
    "Мужчина играет на флейте",
    "👩🏽‍🔬 naïve café ﬁ ①",
    "nul\0inside and at the end\0",
    "\u202eright to left\ufeff",
]


def test_order_duplicates_and_batches(base):
    texts = [*MULTILINGUAL, "x " * 300, "data scientist", *MULTILINGUAL[::-1]]
    together = base.encode(texts)
    assert together.shape == (len(texts), 512) and together.dtype == np.float32
    alone = np.stack([base(tf.constant([text.encode()]))[0] for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(base.encode(texts, batch_size=3), alone, atol=1e-6)
    np.testing.assert_array_equal(together[9], together[0])


def test_each_distinct_text_is_computed_once(base, monkeypatch):
    computed = []
    forward = base._forward
    monkeypatch.setattr(
        base, "_forward", lambda texts: computed.extend(texts.numpy()) or forward(texts)
    )
    base.encode(["b", "a", "b", "b", "a"])
    assert sorted(computed) == [b"a", b"b"]


def test_batches_are_the_same_in_every_process(base, monkeypatch):
    # Of texts of one length, which no order of a set must part.
    batches = []
    monkeypatch.setattr(
        base,
        "_forward",
        lambda texts: batches.append(texts.numpy().tolist()) or np.zeros((2, 512)),
    )
    base.encode([*"hgfedcba"], batch_size=2)
    assert batches == [[b"g", b"h"], [b"e", b"f"], [b"c", b"d"], [b"a", b"b"]]


def test_batches_are_bounded_in_texts_and_in_bytes():
    texts = sorted([b"x" * length for length in range(0, 5000, 7)], key=len)
    ranges = list(strings.batches(texts, 128))
    assert [start for start, _ in ranges] == [0, *[stop for _, stop in ranges[:-1]]]
    assert ranges[-1][1] == len(texts)
    for start, stop in ranges:
        assert 0 < stop - start <= 128
        assert sum(map(len, texts[start:stop])) <= strings.BATCH_BYTES
    assert list(strings.batches([b"x" * 100_000], 128)) == [(0, 1)]
    assert list(strings.batches([], 128)) == []


def test_what_is_not_padded_counts_its_own_bytes():
    texts = [b"x" * size for size in (10, 10, 10, 100, 100, 200)]
    assert strings.batches(texts, 128, 250) == [(0, 3), (3, 5), (5, 6)]
    assert strings.batches(texts, 128, 250, padded=False) == [(0, 5), (5, 6)]


def test_no_small_rest_is_left():
    texts = [b"x" * 10] * 9
    assert strings.batches(texts, 128, 80) == [(0, 9)]
    assert strings.batches(texts, 8, 80) == [(0, 8), (8, 9)]
    assert strings.batches([*texts, texts[0]], 128, 80) == [(0, 8), (8, 10)]
    # A long one is computed alone.
    long = b"x" * (strings.BATCH_BYTES + 1)
    assert strings.batches([b"x", long], 128, 2 * len(long)) == [(0, 1), (1, 2)]


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "a\udc00b", "x" * 100_000])
def test_any_text_gives_a_finite_unit_vector(base, text):
    embedding = base.encode([text])[0]
    assert np.isfinite(embedding).all()
    np.testing.assert_allclose(np.linalg.norm(embedding), 1, atol=1e-5)


def test_100_000_characters_of_many_tokens(base):
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 20_000)) * 5
    embedding = base.encode([text])[0]
    np.testing.assert_allclose(np.linalg.norm(embedding), 1, atol=1e-5)


def test_surrogate_pairs_are_joined_and_lone_ones_replaced(base):
    embeddings = base.encode(["\ud83d\ude00", "a\ud800b"])
    expected = base.encode(["😀", "a\ufffdb"])
    np.testing.assert_allclose(embeddings, expected, atol=1e-6)


def test_no_texts(base):
    assert base.encode([]).shape == (0, 512)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "b", None], r"texts\[2\].*None of type NoneType"),
        (["a", 5], r"texts\[1\].*5 of type int"),
        ([b"bytes"], r"texts\[0\].*bytes"),
        ([float("nan")], r"texts\[0\].*nan of type float"),
        ({"a": "b"}, r"Write list\(texts.values\(\)\)"),
        (pd.DataFrame({"base": ["a"]}), r"one column.*\['base'\]"),
    ],
)
def test_what_is_not_text_is_refused_by_position(base, texts, message):
    with pytest.raises(TypeError, match=message):
        base.encode(texts)
    with pytest.raises(TypeError, match=message):
        base.predict(texts, verbose=0)
    with pytest.raises(TypeError, match=message):
        base.compact(texts)


def test_one_text_has_one_embedding(base):
    found = base.encode("data scientist")
    assert found.shape == (512,) and found.dtype == np.float32
    np.testing.assert_array_equal(found, base.encode(["data scientist"])[0])
    with pytest.raises(TypeError, match=r"Write \[texts\]. Received: 'one'"):
        base.predict("one", verbose=0)


def test_batch_size_must_be_positive(base):
    with pytest.raises(ValueError, match="batch_size.*0"):
        base.encode(["a"], batch_size=0)


def test_predict_agrees_with_encode(base):
    expected = base.encode(MULTILINGUAL)
    np.testing.assert_allclose(
        base.predict(MULTILINGUAL, verbose=0), expected, atol=1e-6
    )
    predicted = base.predict(tf.constant(["one", "two", "three"]), 2, verbose=0)
    np.testing.assert_allclose(
        predicted, base.encode(["one", "two", "three"]), atol=1e-6
    )


def test_predict_takes_a_column_of_texts(tiny):
    expected = tiny.encode(TEXTS)
    column = np.array(TEXTS, object)[:, None]
    for texts in column, column.astype(str), tf.constant(column):
        found = tiny.predict(texts, verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"\(batch, 1\). Received: \(4, 2\)"):
        tiny.predict(np.full((4, 2), "a"), verbose=0)


def test_progress_bar_on_long_work_only(base, monkeypatch, capfd):
    base.encode(["short"])
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(module, "_PROGRESS_DELAY", 0)
    base.encode(["now", "shown"], batch_size=1)
    assert "encode" in capfd.readouterr().err


def test_a_progress_bar_can_be_asked_for(tiny, monkeypatch, capfd):
    for text in ("one", ["one"]):
        tiny.encode(text, show_progress_bar=True)
        assert "encode:   0%" in capfd.readouterr().err
    monkeypatch.setattr(module, "_PROGRESS_DELAY", 0)
    tiny.encode(["one"], show_progress_bar=False)
    assert capfd.readouterr().err == ""


def test_arguments_of_sentence_transformers(tiny):
    holds = {
        "prompt_name": None,
        "prompt": None,
        "output_value": "sentence_embedding",
        "precision": "float32",
        "convert_to_numpy": True,
        "convert_to_tensor": False,
        "device": None,
        "normalize_embeddings": True,
        "truncate_dim": None,
        "pool": None,
        "chunk_size": None,
    }
    for encoder in (tiny, tiny_bert()):
        found = encoder.encode(["one"], batch_size=32, **holds)
        np.testing.assert_array_equal(found, encoder.encode(["one"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"convert_to_tensor": True}, "for convert_to_tensor=True: .* tf.constant"),
        ({"convert_to_numpy": False}, "is a NumPy array"),
        ({"device": "cuda"}, "device='cuda': write with tf.device"),
        ({"precision": "int8"}, "precision='int8': .*Quantizer"),
        ({"prompt_name": "query", "truncate_dim": 8}, r"before each.*; truncate_dim=8"),
    ],
)
def test_what_does_not_hold_here_is_refused(tiny, options, message):
    for texts in ("one", ["one"]):
        with pytest.raises(ValueError, match=message):
            tiny.encode(texts, **options)


def test_unknown_arguments_are_refused(tiny):
    with pytest.raises(TypeError, match="argument 'batchsize'. It takes texts, batch_"):
        tiny.encode(["one"], batchsize=3)


def test_similarities_are_cosines(tiny):
    one, two = np.eye(3)[:2] * 5, np.array([[1, 1, 0], [0, 0, 0], [-2, 0, 0]])
    cosines = [[0.5**0.5, 0, -1], [0.5**0.5, 0, 0]]
    np.testing.assert_allclose(tiny.similarity(one, two), cosines, atol=1e-12)
    np.testing.assert_allclose(tiny.similarity(one[0], two), cosines[:1], atol=1e-12)
    found = tiny.similarity_pairwise(one, two[:2])
    np.testing.assert_allclose(found, [0.5**0.5, 0], atol=1e-12)
    assert tiny.similarity_pairwise(two[2], one[0]).tolist() == -1
    with pytest.raises(ValueError, match=r"one. Received: \(2, 3\), \(3, 3\)"):
        tiny.similarity_pairwise(one, two)
    embeddings = tiny.encode(MULTILINGUAL)
    found = tiny.similarity(embeddings, tf.constant(embeddings))
    assert found.dtype == np.float32 and found.shape == (8, 8)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-6)


def test_export_does_not_overwrite(small, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(FileExistsError, match=str(tmp_path)):
        small.export(tmp_path)
    assert (tmp_path / "file").read_text() == "kept"


def test_only_saved_models_are_exported(tiny, tmp_path, capsys):
    for format in ("onnx", "tf_saved_models"):
        with pytest.raises(ValueError, match=f"'tf_saved_model'. Received: '{format}'"):
            tiny.export(tmp_path / "exported", format=format)
    assert not [*tmp_path.iterdir()]
    for verbose in (None, False, True):
        folder = tmp_path / f"exported {verbose}"
        tiny.export(folder, format="tf_saved_model", verbose=verbose)
        assert (folder / "saved_model.pb").is_file()
        said = f"Saved artifact at '{folder}'.\n" if verbose else ""
        assert capsys.readouterr().out == said


def test_copy_is_independent(small):
    copy = small.copy()
    for a, b in zip(copy.variables, small.variables, strict=True):
        np.testing.assert_array_equal(a, b)
        a.assign(a.value + 1)
        assert np.abs(b.numpy() - a.numpy()).min() > 0.5
