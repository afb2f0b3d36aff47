import hashlib
import json
import os

import pytest

from usetune._utils.manifest import ManifestError, ManifestFormat


def parse(content):
    if content["kind"] == "bad":
        raise ValueError("kind must be another")
    return content["kind"].upper()


PLAIN = ManifestFormat("plain", "plain.json", 3, ("kind",), parse, "bake it again")
LISTING = ManifestFormat("listing", "listing.json", 1, (), dict, lists_files=True)


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
    with pytest.raises(ValueError, match="b/c is not the file .* expected sha256"):
        LISTING.check_files(tmp_path, files)
    (tmp_path / "b" / "c").write_bytes(b"123")
    with pytest.raises(ValueError, match="b/c is not .* expected size 2. Received: 3"):
        LISTING.check_files(tmp_path, files)
    (tmp_path / "b" / "c").unlink()
    with pytest.raises(FileNotFoundError, match="lacks b/c, which listing.json lists"):
        LISTING.check_files(tmp_path, files)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, ": must be of the format 'plain'"),
        ({"version": 4}, ".*newer usetune, in version 4 .* reads version 3: pip"),
        ({"version": 2}, ".*older usetune, in version 2 .* version 3: bake it again"),
        ({"version": True}, ": version must be an integer. Received: True"),
        ({"version": None}, ": version must be an integer. Received: None"),
        ({"kind": "bad"}, ": kind must be another"),
        ({"kid": 1}, ": must have the fields .'format', 'kind', 'version'.. .*'kid', "),
        ({"kind": 1}, " is damaged: AttributeError"),
    ],
)
def test_manifests_that_are_refused(tmp_path, changes, message):
    content = {"format": "plain", "version": 3, "kind": "a"} | changes
    (tmp_path / "plain.json").write_text(json.dumps(content))
    with pytest.raises(ManifestError, match=f"^{tmp_path}/plain.json{message}"):
        PLAIN.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON in UTF-8: Expecting value"),
        (b"{", "is not JSON in UTF-8: "),
        (b"\xff", "is not JSON in UTF-8: 'utf-8' codec"),
        (b"[" * 100_000, "is not JSON in UTF-8: maximum recursion depth"),
        (b"9" * 5000, "is not JSON in UTF-8: Exceeds the limit"),
        (b'{"kind": "\\ud800"}', "is not JSON in UTF-8: .*surrogates not allowed"),
        (b'{"kind": 1, "kind": 2}', r"is not JSON .* \['kind'\] come twice"),
        (b"[]", r"must be a JSON object. Received: \[\]"),
        (b'{"format": "plain", "version": 3}', "must have the fields .*'kind'"),
    ],
)
def test_damaged_manifests(tmp_path, content, message):
    (tmp_path / "plain.json").write_bytes(content)
    with pytest.raises(ManifestError, match=f"plain.json: {message}"):
        PLAIN.read(tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        1,
        {"size": 1},
        {"size": 1, "sha265": "0" * 64},
        # A right digest beside a misspelt one.
        {"size": 1, "sha256": "0" * 64, "sha265": "0" * 64},
        {"size": True, "sha256": "0" * 64},
        {"size": 1, "sha256": "0" * 63},
        {"size": 1, "sha256": None},
    ],
)
def test_entries(tmp_path, entry):
    content = {"format": "listing", "version": 1, "files": {"a": entry}}
    (tmp_path / "listing.json").write_text(json.dumps(content))
    with pytest.raises(ManifestError, match="files must give a size and a sha256"):
        LISTING.read(tmp_path)


def test_files_that_are_not_listed(tmp_path):
    (tmp_path / "a").mkdir()
    LISTING.write(tmp_path, {})
    beside = ["README.md", "LICENSE", "LICENSE.txt", ".gitattributes", "a/.DS_Store"]
    for name in beside:
        (tmp_path / name).write_text("")
    LISTING.check_files(tmp_path, {}, only=True)
    (tmp_path / "a" / "more").write_text("")
    LISTING.check_files(tmp_path, {})
    with pytest.raises(
        ValueError, match=r"holds \['a/more'\], which listing.json does"
    ):
        LISTING.check_files(tmp_path, {}, only=True)


@pytest.mark.parametrize("name", ["../x", "/x", "a/..", "C:x", "a\\..\\x", "", "a//b"])
def test_names_outside_of_the_folder(tmp_path, name):
    files = {name: {"size": 1, "sha256": "0" * 64}}
    content = {"format": "listing", "version": 1, "files": files}
    (tmp_path / "listing.json").write_text(json.dumps(content))
    with pytest.raises(ManifestError, match="lists files outside of its folder"):
        LISTING.read(tmp_path)
