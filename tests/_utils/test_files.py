import os

import pytest

from usetune._utils.files import check_new, replacing


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
