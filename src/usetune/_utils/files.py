"""Writing files so that an interrupted write leaves the old one whole."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Ends the name of the hidden folder that holds a folder while it is replaced.
_ASIDE = ".old"


@contextmanager
def replacing(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, rename it to ``path``.

    The temporary path lies beside ``path``, so the rename is atomic. What was written
    is on the disk before the rename, and the rename before the block is left. If the
    block raises, ``path`` stays as it was.

    Args:
        path: the file or folder to create. A file is replaced; a folder must not
            exist or be empty.
        overwrite: replace a folder that is not empty, too. No system renames over one:
            it is first moved to a hidden folder beside it, and back if the new one
            cannot take its place. If the process is killed between the two, `restore`
            moves it back; the next call with ``overwrite`` begins with that.

    Yields:
        A path that does not exist yet, of the same name, in a folder of its own.

    Raises:
        OSError: if it cannot be written, or not be renamed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if overwrite:
        restore(path)
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}."
    ) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        _sync(temporary)
        if overwrite and not is_new(path) and path.is_dir():
            _swap(temporary, path)
        else:
            os.replace(temporary, path)
            _sync_folder(path.parent)


def restore(path: str | Path) -> None:
    """Undo what a process left that was killed while it replaced a folder.

    Where the new folder has not taken its place, the old one is moved back; else the
    old one is removed.

    Args:
        path: of the folder.
    """
    path = Path(path)
    # tempfile puts eight such characters in between.
    ours = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}{re.escape(_ASIDE)}")
    if not path.parent.is_dir():
        return
    for aside in [x for x in path.parent.iterdir() if ours.fullmatch(x.name)]:
        if is_new(path) and (aside / path.name).exists():
            os.replace(aside / path.name, path)
        shutil.rmtree(aside, ignore_errors=True)


def is_new(path: str | Path) -> bool:
    """Whether nothing is at a path, or an empty folder."""
    path = Path(path)
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def check_new(filepath: str | Path) -> None:
    """Refuse a path where something is, but for an empty folder.

    Raises:
        FileExistsError: naming it.
    """
    restore(filepath)
    if not is_new(filepath):
        raise FileExistsError(f"a new folder is needed; {filepath} exists")


def _swap(new: Path, path: Path) -> None:
    """Put a folder in the place of another, then delete the other."""
    aside = Path(
        tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=_ASIDE)
    )
    old = aside / path.name
    try:
        os.replace(path, old)
        os.replace(new, path)
        _sync_folder(path.parent)
    except BaseException:
        if not path.exists():
            os.replace(old, path)
        raise
    finally:
        if path.exists():
            shutil.rmtree(aside)


def _sync(path: Path) -> None:
    """Wait until a file, or a folder with all in it, is on the disk."""
    if not path.is_dir():
        _sync_file(path)
        return
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            _sync_file(Path(folder, name))
        _sync_folder(Path(folder))


def _sync_file(path: Path) -> None:
    # Windows wants a file that may be written.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk, where a system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        # Windows opens no folders.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems do not sync folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
