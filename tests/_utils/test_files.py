import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests import ROOT
from usetune._utils.files import check_new, check_room, clean, clean_folder, replacing


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
    old, done = (["rename to folder" + x] * overwrite for x in (".old", ".done"))
    assert calls[4:] == [*old, "rename to folder", number(tmp_path), *done]
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


def test_a_new_path(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("none", "empty"):
        check_new(tmp_path / name)
    for name in ("", "file"):
        with pytest.raises(FileExistsError, match=f"{name} exists"):
            check_new(tmp_path / name)


# A process that is killed before or after the rename of this number.
KILLED = """
import os, signal, sys
from usetune._utils.files import replacing

path, last = sys.argv[1], int(sys.argv[2])
rename, done = os.replace, []

def kill_at(count):
    if count == last:
        os.kill(os.getpid(), signal.SIGKILL)

def replace(source, target):
    kill_at(len(done))
    rename(source, target)
    done.append(target)
    kill_at(len(done))

os.replace = replace
with replacing(path, overwrite=True) as temporary:
    temporary.mkdir()
    (temporary / "new").write_text("new")
"""


@pytest.mark.parametrize("renames", [0, 1, 2, 3])
def test_what_a_killed_process_leaves(tmp_path, renames):
    path = tmp_path / "a.b"
    path.mkdir()
    (path / "old").write_text("old")
    # Somebody's own, and of other paths.
    others = {".a.b.12345678", ".ab.12345678.usetune", ".a.b.c.12345678.usetune"}
    for name in others:
        (tmp_path / name).mkdir()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(renames)], cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    assert path.exists() == (renames != 1)
    assert len([*tmp_path.iterdir()]) == len(others) + 1 + (renames != 1)
    # A new folder is asked for, and the old or new one is there again.
    with pytest.raises(FileExistsError, match="a.b exists"):
        check_new(path)
    assert [x.name for x in path.iterdir()] == ["new" if renames > 1 else "old"]
    assert {x.name for x in tmp_path.iterdir()} == {"a.b", *others}
    with replacing(path, overwrite=True) as temporary:
        temporary.mkdir()
    assert not any(path.iterdir())


def test_what_is_being_written_is_left_alone(tmp_path):
    path = tmp_path / "a"
    with replacing(path) as temporary:
        temporary.write_text("first")
        clean(path)
        with replacing(path) as other:
            other.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert [*tmp_path.iterdir()] == [path]


def test_all_that_is_left_in_a_folder(tmp_path):
    others = {".a.12345678.other", ".hidden", "c"}
    for name in (".a.b.12345678.usetune", ".[c].12345678.usetune", *others):
        (tmp_path / name).mkdir()
    (tmp_path / ".[c].12345678.usetune" / "[c].old").write_text("old")
    with replacing(tmp_path / "d") as temporary:
        temporary.write_text("d")
        clean_folder(tmp_path)
    assert {x.name for x in tmp_path.iterdir()} == {"[c]", "d", *others}


def test_a_folder_that_is_cleaned_before_it_is_locked(tmp_path, monkeypatch):
    make, made = tempfile.mkdtemp, []

    def slow(*arguments):
        made.append(make(*arguments))
        if len(made) == 1:
            clean(tmp_path / "a")
            assert not os.path.exists(made[0])
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", slow)
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("a")
        assert temporary.parent == Path(made[1])
    assert [*tmp_path.iterdir()] == [tmp_path / "a"]


def test_half_an_old_folder_does_not_come_back(tmp_path):
    """A process is killed while it removes the old folder, and the new one moves."""
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").write_text("old")
    removed = shutil.rmtree
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with replacing(path, overwrite=True) as temporary:
            temporary.mkdir()
            (temporary / "new").write_text("new")
    assert shutil.rmtree is removed
    path.rename(tmp_path / "elsewhere")
    check_new(path)
    assert [*tmp_path.iterdir()] == [tmp_path / "elsewhere"]


@pytest.fixture
def full_disk():
    """No file of this process becomes larger than 100 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _write_variables(path):
    tf.train.Checkpoint(variable=tf.Variable(tf.zeros(1000))).write(str(path))


@pytest.mark.parametrize(
    "write",
    [
        _write_variables,
        lambda path: path.write_bytes(b"x" * 1000),
        lambda path: np.savetxt(path, np.zeros(1000)),
        lambda path: pd.DataFrame({"a": range(1000)}).to_parquet(path),
    ],
)
def test_a_full_disk(tmp_path, full_disk, write):
    """One error names path and reason, whatever library wrote."""
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(OSError) as raised, replacing(path) as temporary:
        write(temporary)
    message = f"[Errno {errno.EFBIG}] cannot write {path}: File too large"
    assert str(raised.value) == message
    assert [*tmp_path.iterdir()] == [path] and path.read_text() == "old"


def test_paths_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "inner" / "a"
    message = f"cannot write {path}: Not a directory"
    with pytest.raises(NotADirectoryError, match=message):
        check_room(path, 0)
    with pytest.raises(NotADirectoryError, match=message), replacing(path):
        pass
    path = tmp_path / "a"
    check_room(path, 10**6)
    with pytest.raises(OSError, match=rf"write {path}: 1,000,000,000.0 MB are needed"):
        check_room(path, 10**15)
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]
