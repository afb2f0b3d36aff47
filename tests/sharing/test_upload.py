"""Encoders on the Hugging Face Hub and on Kaggle, both played by the test."""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from tests.fakes import fake_hub
from tests.fakes.tiny_bert import tiny_bert
from tests.fakes.tiny_encoder import TinyEncoder
from usetune import load_encoder
from usetune.encoders.hubs import HUB_ID
from usetune.encoders.saved_model import SavedModelEncoder
from usetune.sharing.upload import push_to_hub, push_to_kaggle

# huggingface_hub 2.4 sends files by an argument that its HTTP library renames.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TEXTS = ["a b", "c d e", ""]
CARD = "---\nlibrary_name: usetune\n---\n# É, a card\n"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files: none of ours is left after the test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    # TensorFlow leaves the files of code that it generates.
    assert not any(path.is_dir() for path in folder.iterdir())


@pytest.fixture
def hub(tmp_path, monkeypatch, temporary):
    constants = pytest.importorskip("huggingface_hub.constants")
    with fake_hub.running(fake_hub.Hub()) as server:
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", fake_hub.TOKEN)
        yield server


@pytest.fixture
def kaggle(tmp_path, monkeypatch, temporary):
    pytest.importorskip("kagglehub")
    environment = pytest.importorskip("kagglesdk.kaggle_env")
    with fake_hub.running(fake_hub.Kaggle()) as server:
        local = environment.KaggleEnv.LOCAL
        monkeypatch.setitem(environment._env_to_endpoint, local, server.url)
        monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
        monkeypatch.setenv("KAGGLE_API_TOKEN", fake_hub.TOKEN)
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
        # It looks at every frame of the stack, for each request.
        monkeypatch.setattr("kagglehub.clients.get_user_agent", lambda: "test")
        yield server


@pytest.fixture(scope="module")
def projected(tiny):
    return tiny.truncate(8)


def assert_same(again, encoder):
    np.testing.assert_allclose(again.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_hub_round_trip(hub, projected):
    address = push_to_hub(projected, "owner/model", card=CARD)
    assert address.startswith(f"{hub.url}/owner/model/commit/")
    # One commit upon the one that makes the repository.
    before, after = hub.repositories["owner/model"]["main"]
    assert [*before] == [".gitattributes"]
    assert after["README.md"].decode() == CARD
    listed = json.loads(after["usetune.json"])["files"]
    assert {*listed, "usetune.json", "README.md", ".gitattributes"} == {*after}
    assert hub.private["owner/model"]
    again = load_encoder("hf://owner/model")
    assert_same(again, projected)
    # Only what is needed comes down.
    assert not any("README" in line for line in hub.requests if "resolve" in line)


def test_use_on_the_hub(hub, base):
    small = base.compact(["one text"])
    small.projection.bias.assign_add(np.full(512, 0.01, np.float32))
    push_to_hub(small, "owner/use", card=CARD)
    again = load_encoder("hf://owner/use")
    np.testing.assert_array_equal(
        again.encode(["one text"]), small.encode(["one text"])
    )


def test_commits_and_branches_of_a_repository(hub, projected):
    other = TinyEncoder(seed=1).truncate(8)
    first = push_to_hub(projected, "owner/model", card=CARD, private=False)
    assert not hub.private["owner/model"]
    push_to_hub(other, "owner/model", card=CARD, commit_message="a better one")
    push_to_hub(TinyEncoder(seed=2), "owner/model", card=CARD, revision="wide")
    push_to_hub(TinyEncoder(seed=2), "owner/model", card=CARD, revision="wide")
    counts = {b: len(c) for b, c in hub.repositories["owner/model"].items()}
    assert counts["main"] == 3
    default = "Upload an encoder with usetune"
    assert hub.messages[:3] == [default, "a better one", default]
    for revision, encoder in (
        ("", other),
        ("@main", other),
        ("@" + first.rpartition("/")[2], projected),
        ("@wide", TinyEncoder(seed=2)),
    ):
        again = load_encoder(f"hf://owner/model{revision}")
        assert_same(again, encoder)
    with pytest.raises(OSError, match="could not download 'hf://owner/model@none'"):
        load_encoder("hf://owner/model@none")


def test_a_push_during_a_download_does_not_mix_two_encoders(
    hub, projected, monkeypatch
):
    import huggingface_hub

    push_to_hub(projected, "owner/model", card=CARD)
    download, calls = huggingface_hub.snapshot_download, []

    def interrupted(*arguments, **options):
        folder = download(*arguments, **options)
        calls.append(folder)
        if len(calls) == 1:
            push_to_hub(TinyEncoder(seed=1), "owner/model", card=CARD)
        return folder

    monkeypatch.setattr(huggingface_hub, "snapshot_download", interrupted)
    again = load_encoder("hf://owner/model")
    assert_same(again, projected)


def test_offline_with_a_filled_cache(hub, projected, tmp_path):
    push_to_hub(projected, "owner/model", card=CARD)
    expected = load_encoder("hf://owner/model").encode(TEXTS)
    asked = len(hub.requests)
    code = (
        "import numpy, sys, usetune; load = usetune.load_encoder;"
        "numpy.save(sys.argv[1], load('hf://owner/model').encode(sys.argv[2:]))"
    )
    output = tmp_path / "embeddings.npy"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_ENDPOINT": hub.url,
    }
    command = [sys.executable, "-c", code, str(output), *TEXTS]
    subprocess.run(command, check=True, env=environment)
    np.testing.assert_array_equal(np.load(output), expected)
    assert len(hub.requests) == asked


def test_a_changed_file_on_the_hub_is_refused(hub, projected):
    push_to_hub(projected, "owner/model", card=CARD)
    files = hub.repositories["owner/model"]["main"][-1]
    files["matrix.npz"] = files["matrix.npz"][:-1] + b"x"
    with pytest.raises(ValueError, match="matrix.npz is not the file that was saved"):
        load_encoder("hf://owner/model")


def test_other_repositories(hub, tmp_path):
    encoder = tiny_bert()
    encoder.save(tmp_path / "bert")
    files = contents(tmp_path / "bert")
    del files["usetune.json"]
    hub.add("owner/bert", {**files, "pytorch_model.bin": b"large", "a.md": b""})
    again = load_encoder("hf://owner/bert", pooling="max", max_length=9)
    assert (again.pooling, again.max_length) == ("max", 9)
    np.testing.assert_array_equal(again.get_weights()[0], encoder.get_weights()[0])
    assert not any("pytorch_model.bin" in line for line in hub.requests)
    hub.add("owner/text", {"README.md": b"text"})
    with pytest.raises(ValueError, match="neither usetune.json nor the config.json"):
        load_encoder("hf://owner/text")
    with pytest.raises(OSError, match="could not download 'hf://owner/none'"):
        load_encoder("hf://owner/none")


def test_without_a_card(hub, projected, tmp_path):
    with pytest.warns(UserWarning, match="without a model card") as record:
        push_to_hub(projected, "owner/model")
    assert record[0].filename == __file__
    assert "README.md" not in hub.repositories["owner/model"]["main"][-1]
    push_to_hub(projected, "owner/model", card=CARD)
    with pytest.warns(UserWarning, match="without a model card"):
        push_to_hub(projected, "owner/model")
    assert hub.repositories["owner/model"]["main"][-1]["README.md"].decode() == CARD


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/repos/create", 403),
        ("/api/repos/create", 500),
        ("/branch/", 403),
        ("/objects/batch", 403),
        ("/storage/", 403),
        ("/commit/", 500),
    ],
)
def test_a_failed_push_commits_nothing(hub, projected, path, status):
    hub.fail[path] = status
    message = f"(?s)could not upload to 'owner/model'.*nothing was committed.*{status}"
    with pytest.raises(OSError, match=message):
        push_to_hub(projected, "owner/model", card=CARD, revision="new")
    assert any(path in line for line in hub.requests)
    for commits in hub.repositories.get("owner/model", {}).values():
        assert [*map(len, commits)] == [1]


def test_a_token_that_is_not_known(hub, projected):
    with pytest.raises(OSError, match="(?s)could not upload to 'owner/model'.*401"):
        push_to_hub(projected, "owner/model", card=CARD, token="other")
    assert hub.repositories == {}


def test_a_hub_that_is_not_there(hub, projected):
    hub.shutdown()
    hub.server_close()
    with pytest.raises(OSError, match="could not upload to 'owner/model'"):
        push_to_hub(projected, "owner/model", card=CARD)
    with pytest.raises(OSError, match="could not download 'hf://owner/model'"):
        load_encoder("hf://owner/model")


IDS = ["model", "a/b/c", "owner/", "/model", "owner/mo del", "owner/a--b", "own..er/m"]
IDS += ["owner/x.git", "-owner/model", "owner/model.", "owner/mödel", "", "owner/m\n"]
IDS += ["owner/" + "m" * 97, "owner/model@main", "hf://owner/model"]


@pytest.mark.parametrize("repo_id", [*IDS, None, 3])
def test_malformed_ids_are_refused_before_anything_is_written(
    hub, projected, repo_id, tmp_path
):
    with pytest.raises(ValueError, match="repo_id must be owner/model. Received:"):
        push_to_hub(projected, repo_id, card=CARD, dry_run=tmp_path / "dry")
    if isinstance(repo_id, str) and "@" not in repo_id:
        with pytest.raises(ValueError, match="handle must be hf://owner/model"):
            load_encoder(f"hf://{repo_id}")
    assert hub.requests == [] and not (tmp_path / "dry").exists()


@pytest.mark.parametrize("handle", ["hf://owner/model@", "hf://@main", "hf://a@b/c"])
def test_malformed_revisions(hub, handle):
    with pytest.raises(ValueError, match="handle must be hf://owner/model"):
        load_encoder(handle)


def test_ids_are_those_of_the_hub():
    validators = pytest.importorskip("huggingface_hub.utils")
    good = ["owner/model", "a/b", "O-w.n_1/m.o-d_e.l", "owner/" + "m" * 96, "_a/b_"]
    for repo_id in [*good, *IDS]:
        try:
            validators.validate_repo_id(repo_id)
            allowed = repo_id.count("/") == 1
        except validators.HFValidationError:
            allowed = False
        assert bool(HUB_ID.fullmatch(repo_id)) == allowed, repo_id
    assert all(map(HUB_ID.fullmatch, good))


PUSHES = [(push_to_hub, "owner/model"), (push_to_kaggle, "owner/model/other/small")]


@pytest.mark.parametrize(("push", "handle"), PUSHES)
def test_dry_run(hub, kaggle, projected, tmp_path, push, handle, monkeypatch):
    # It needs neither library.
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    folder = tmp_path / "dry"
    assert push(projected, handle, card=CARD, dry_run=folder) == str(folder)
    assert (folder / "README.md").read_text("utf-8") == CARD
    again = load_encoder(folder)
    assert_same(again, projected)
    with pytest.raises(FileExistsError, match="dry exists"):
        push(projected, handle, card=CARD, dry_run=folder)
    assert hub.requests == kaggle.requests == []


@pytest.mark.parametrize(("push", "handle"), PUSHES)
def test_what_is_pushed_is_what_a_dry_run_writes(
    hub, kaggle, projected, tmp_path, push, handle
):
    push(projected, handle, card=CARD, dry_run=tmp_path / "dry")
    push(projected, handle, card=CARD)
    if push is push_to_hub:
        pushed = hub.repositories["owner/model"]["main"][-1]
        del pushed[".gitattributes"]
    else:
        (pushed,) = kaggle.versions["owner/model/small"]
    written = contents(tmp_path / "dry")
    assert pushed.keys() == written.keys()
    assert pushed["matrix.npz"] == written["matrix.npz"]
    assert pushed["README.md"] == written["README.md"]


@pytest.mark.parametrize(("push", "handle"), PUSHES)
def test_faults_of_the_caller(hub, kaggle, projected, push, handle, tmp_path):
    for folder in (None, tmp_path / "dry"):
        with pytest.raises(TypeError, match="encoder must be .* Received: 'x'"):
            push("x", handle, card=CARD, dry_run=folder)
        with pytest.raises(TypeError, match=r"card must be .* Received: Posix"):
            push(projected, handle, card=tmp_path, dry_run=folder)
    assert hub.requests == kaggle.requests == []
    assert not (tmp_path / "dry").exists()


@pytest.mark.parametrize(("push", "handle"), PUSHES)
def test_a_full_disk_leaves_nothing(
    hub, kaggle, projected, push, handle, tmp_path, monkeypatch
):
    def full_disk(file, **_):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    for folder in (None, tmp_path / "dry"):
        with pytest.raises(OSError, match="^no space left"):
            push(projected, handle, card=CARD, dry_run=folder)
    assert hub.requests == kaggle.requests == []
    assert not any("dry" in path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize(("push", "handle"), PUSHES)
def test_an_extra_that_is_not_installed(projected, push, handle, monkeypatch):
    for name in ("huggingface_hub", "kagglehub"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install usetune\[share\]"):
        push(projected, handle, card=CARD)
    with pytest.raises(ImportError, match=r"pip install usetune\[share\]"):
        load_encoder(f"{'hf' if push is push_to_hub else 'kaggle'}://{handle}")


def test_kaggle_round_trip(kaggle, projected):
    handle = "owner/model/other/small"
    address = push_to_kaggle(projected, handle, card=CARD, license_name="MIT")
    assert address == f"https://www.kaggle.com/models/{handle}"
    assert kaggle.models["owner/model"]["isPrivate"]
    assert kaggle.asked[-1]["body"]["licenseName"] == "MIT"
    other = TinyEncoder(seed=1).truncate(8)
    push_to_kaggle(other, handle, card=CARD, version_notes="a better one")
    assert kaggle.asked[-1]["body"]["versionNotes"] == "a better one"
    for version, encoder in (("", other), ("/1", projected)):
        assert_same(load_encoder(f"kaggle://{handle}{version}"), encoder)


def test_a_saved_model_on_kaggle(kaggle, tiny, tmp_path):
    tiny.export(tmp_path / "exported")
    kaggle.models["owner/model"] = {}
    kaggle.versions["owner/model/small"] = [contents(tmp_path / "exported")]
    for framework in ("tensorflow2", "tensorFlow2", "keras", "Transformers"):
        again = load_encoder(f"kaggle://owner/model/{framework}/small")
    assert type(again) is SavedModelEncoder
    assert_same(again, tiny)


@pytest.mark.parametrize(
    ("path", "status"),
    [("GetModel", 500), ("CreateModel", 403), ("StartBlob", 403), ("/put/", 500)],
)
def test_a_failed_push_to_kaggle(kaggle, projected, path, status):
    kaggle.fail[path] = status
    handle = "owner/model/other/small"
    with pytest.raises(OSError, match=f"could not upload to '{handle}' on Kaggle"):
        push_to_kaggle(projected, handle, card=CARD)
    assert kaggle.versions == {}
    with pytest.raises(OSError, match=f"could not download 'kaggle://{handle}'"):
        load_encoder(f"kaggle://{handle}")


@pytest.mark.parametrize(
    "handle",
    [
        "owner/model",
        "owner/model/other",
        "owner/model/other/small/1",
        "owner/model/pyTorch/small",
        "owner/model/other/small/1/2",
        "owner/mo del/other/small",
        "owner//other/small",
        None,
    ],
)
def test_malformed_kaggle_handles(kaggle, projected, handle, tmp_path):
    with pytest.raises(ValueError, match="handle must be owner/model/framework/var"):
        push_to_kaggle(projected, handle, card=CARD, dry_run=tmp_path / "dry")
    assert kaggle.requests == [] and not (tmp_path / "dry").exists()
