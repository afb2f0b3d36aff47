import hashlib
import json
import os

import pytest

from usetune._utils.manifest import ManifestError, ManifestFormat


def parse(content):
    if content["kind"] == "bad":
        raise ValueError("kind must be another")
    return content["kind"].upper()


PLAIN = ManifestFormat("plain", "plain.json", 3, parse, "bake it again")
LISTING = ManifestFormat("listing", "listing.json", 1, dict, lists_files=True)


def test_what_is_written_is_read(tmp_path):
    PLAIN.write(tmp_path, {"kind": "é"})
    assert PLAIN.read(tmp_path) == "É"
    assert json.loads((tmp_path / "plain.json").read_text("utf-8")) == {
        "format": "plain",
        "version": 3,
        "kind": "é",
    }
    with pytest.raises(FileNotFoundError, match="listing.json"):
        LISTING.read(tmp_path)


def test_an_interrupted_write_leaves_the_old_manifest(tmp_path, monkeypatch):
    PLAIN.write(tmp_path, {"kind": "a"})

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        PLAIN.write(tmp_path, {"kind": "b"})
    assert PLAIN.read(tmp_path) == "A"
    assert [*tmp_path.iterdir()] == [tmp_path / "plain.json"]


def test_files_are_listed_and_checked(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"12")
    (tmp_path / "a").write_bytes(b"")
    LISTING.write(tmp_path, {})
    files = LISTING.read(tmp_path)["files"]
    assert list(files) == ["a", "b/c"]
    assert files["b/c"] == {"size": 2, "sha256": hashlib.sha256(b"12").hexdigest()}
    LISTING.check_files(tmp_path, files)
    (tmp_path / "b" / "c").write_bytes(b"13")
    with pytest.raises(ValueError, match="b/c is not the file .* SHA-256"):
        LISTING.check_files(tmp_path, files)
    (tmp_path / "b" / "c").write_bytes(b"123")
    with pytest.raises(ValueError, match="b/c is not .* expected 2 bytes. Received: 3"):
        LISTING.check_files(tmp_path, files)
    (tmp_path / "b" / "c").unlink()
    with pytest.raises(FileNotFoundError, match="lacks b/c, which listing.json lists"):
        LISTING.check_files(tmp_path, files)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, " must be of the format 'plain'"),
        ({"version": 4}, ".*newer usetune, in version 4 .* reads version 3: pip"),
        ({"version": 2}, ".*older usetune, in version 2 .* version 3: bake it again"),
        ({"version": True}, ": version must be an integer. Received: True"),
        ({"version": None}, ": version must be an integer. Received: None"),
        ({"kind": "bad"}, ": kind must be another"),
        ({"kind": 1}, " is damaged: AttributeError"),
    ],
)
def test_manifests_that_are_refused(tmp_path, changes, message):
    content = {"format": "plain", "version": 3, "kind": "a"} | changes
    (tmp_path / "plain.json").write_text(json.dumps(content))
    with pytest.raises(ManifestError, match=f"^{tmp_path}/plain.json{message}"):
        PLAIN.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"format": "plain", "version": 3}'],
)
def test_damaged_manifests(tmp_path, content):
    (tmp_path / "plain.json").write_bytes(content)
    with pytest.raises(ManifestError, match="plain.json is damaged: "):
        PLAIN.read(tmp_path)


@pytest.mark.parametrize("name", ["../x", "/x", "a/..", "C:x", "a\\..\\x", "", "a//b"])
def test_names_outside_of_the_folder(tmp_path, name):
    files = {name: {"size": 1, "sha256": ""}}
    content = {"format": "listing", "version": 1, "files": files}
    (tmp_path / "listing.json").write_text(json.dumps(content))
    with pytest.raises(ManifestError, match="lists files outside of its folder"):
        LISTING.read(tmp_path)
