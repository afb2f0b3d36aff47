import os
import signal
import subprocess
import sys

import pytest

from tests import ROOT
from usetune._utils.files import check_new, replacing, restore


def test_replaces_only_when_done(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def watched(monkeypatch):
    """What is synced and renamed from here on, in order, files by their number."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def sync(handle):
        calls.append(os.fstat(handle).st_ino)
        fsync(handle)

    def rename(source, target):
        calls.append(f"rename to {os.path.basename(target)}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    return calls


def number(path):
    return path.stat().st_ino


def test_a_file_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    calls = watched(monkeypatch)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    file = number(tmp_path / "a.txt")
    assert calls == [file, "rename to a.txt", number(tmp_path)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_on_the_disk_before_its_name(tmp_path, monkeypatch, overwrite):
    path = tmp_path / "folder"
    if overwrite:
        path.mkdir()
        (path / "old").write_text("old")
    calls = watched(monkeypatch)
    with replacing(path, overwrite) as temporary:
        (temporary / "inner").mkdir(parents=True)
        (temporary / "inner" / "b").write_text("b")
        (temporary / "a").write_text("a")
    inner, b, a = (number(path / name) for name in ("inner", "inner/b", "a"))
    assert calls[:2] == [b, inner]
    assert calls[2:4] == [a, number(path)]
    renames = ["rename to folder"] * (1 + overwrite)
    assert calls[4:] == [*renames, number(tmp_path)]
    assert sorted(x.name for x in path.iterdir()) == ["a", "inner"]
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_does_not_reach_the_disk_replaces_none(tmp_path, monkeypatch):
    def full(_):
        raise OSError("no space left on device")

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OSError, match="no space left"),
        replacing(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [*tmp_path.iterdir()] == [tmp_path / "a.txt"]


def test_folders_that_cannot_be_opened_are_not_synced(tmp_path, monkeypatch):
    """As on Windows."""
    system_open = os.open

    def no_folders(path, *arguments, **options):
        if path == tmp_path:
            raise PermissionError(path)
        return system_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", no_folders)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_new_path(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("none", "empty"):
        check_new(tmp_path / name)
    for name in ("", "file"):
        with pytest.raises(FileExistsError, match=f"{name} exists"):
            check_new(tmp_path / name)


# A process that is killed after the rename of this number.
KILLED = """
import os, signal, sys
from usetune._utils.files import replacing

path, last = sys.argv[1], int(sys.argv[2])
rename, done = os.replace, []

def replace(source, target):
    rename(source, target)
    done.append(target)
    if len(done) == last:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = replace
with replacing(path, overwrite=True) as temporary:
    temporary.mkdir()
    (temporary / "new").write_text("new")
"""


@pytest.mark.skipif(os.name == "nt", reason="has no SIGKILL")
@pytest.mark.parametrize("renames", [1, 2])
def test_a_process_is_killed_between_the_renames(tmp_path, renames):
    path = tmp_path / "a.b"
    path.mkdir()
    (path / "old").write_text("old")
    # What others left, or are writing.
    others = [tmp_path / name for name in (".a.b.12345678", ".ab.12345678.old")]
    for other in others:
        other.mkdir()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(renames)], cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    assert path.exists() == (renames == 2)
    if renames == 1:
        # A new folder is asked for, and the old one is there again.
        with pytest.raises(FileExistsError, match="a.b exists"):
            check_new(path)
        assert [x.name for x in path.iterdir()] == ["old"]
    else:
        restore(path)
        assert [x.name for x in path.iterdir()] == ["new"]
    left = {x for x in tmp_path.iterdir() if not x.name.startswith(".a.b.")}
    assert left == {path, others[1]}
    assert not [*tmp_path.glob("*.b.*.old")] and others[0].exists()
    with replacing(path, overwrite=True) as temporary:
        temporary.mkdir()
    assert not any(path.iterdir())


@pytest.mark.parametrize("renames", [1, 2])
def test_replacing_again_after_a_kill(tmp_path, renames):
    path = tmp_path / "a"
    left = tmp_path / ".a.12345678.old" / "a"
    left.mkdir(parents=True)
    (left / "old").write_text("old")
    if renames == 2:
        path.mkdir()
        (path / "new").write_text("new")
    with pytest.raises(KeyboardInterrupt), replacing(path, overwrite=True):
        raise KeyboardInterrupt
    assert [x.name for x in path.iterdir()] == ["old" if renames == 1 else "new"]
    assert [*tmp_path.iterdir()] == [path]
