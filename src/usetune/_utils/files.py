"""Writing files so that an interrupted write leaves the old one whole, and no other."""

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from usetune._utils.paths import expand

# Ends the names of our hidden folders, so that nobody else's is taken for one.
_ENDING = ".usetune"
# Ends the name of an old folder that is removed: half of it must not be moved back.
_DONE = ".done"
# Why a system stops writing, whatever a library makes of it.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextmanager
def replacing(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, rename it to ``path``.

    The temporary path lies in a hidden folder beside ``path``, so the rename is atomic.
    What was written is on the disk before the rename, and the rename before the block
    is left. If the block raises, ``path`` stays as it was. What a killed process
    leaves, the next call for the same path removes, see `clean`.

    Args:
        path: the file or folder to create. A file is replaced; a folder must not
            exist or be empty.
        overwrite: replace a folder that is not empty, too. No system renames over one:
            it is first moved to the hidden folder, and back if the new one cannot take
            its place.

    Yields:
        A path that does not exist yet, of the same name, in a folder of its own.

    Raises:
        OSError: if it cannot be written, or not be renamed; where the disk is full, the
            one error for whatever a library raised.
    """
    path = expand(path)
    with _hidden_folder(path) as folder:
        temporary, old = folder / path.name, _aside(folder, path)
        try:
            yield temporary
            _sync(temporary)
        except Exception as error:
            for code in _FULL:
                if os.strerror(code) in str(error):
                    raise _refusal(path, code) from error
            raise
        if overwrite and path.is_dir():
            os.replace(path, old)
        os.replace(temporary, path)
        _sync_one(path.parent)
        if old.exists():
            os.replace(old, old.with_suffix(_DONE))


def clean(path: str | Path) -> None:
    """Undo what processes left that were killed while they wrote a file or folder.

    Where the new folder has not taken its place, the old one is moved back. What a
    process is writing now is left alone: it holds a lock. File systems without locks
    are not cleaned.

    Args:
        path: of the file or folder.
    """
    path = expand(path)
    _clean(path.parent, glob.escape(path.name))


def clean_folder(folder: Path) -> None:
    """Do what `clean` does for every path in a folder, without those deeper in it."""
    _clean(folder, "*")


def _clean(parent: Path, names: str) -> None:
    # tempfile puts eight characters in between.
    random = f".{'?' * 8}{_ENDING}"
    for folder in parent.glob(f".{names}{random}"):
        with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_left:
            if is_left:
                _settle(folder, parent / folder.name[1 : -len(random)])


def is_new(path: str | Path) -> bool:
    """Whether nothing is at a path, or an empty folder."""
    path = expand(path)
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def check_new(filepath: str | Path) -> None:
    """Refuse a path where something is, but for an empty folder.

    Raises:
        FileExistsError: naming it.
    """
    clean(filepath)
    if not is_new(filepath):
        raise FileExistsError(f"a new folder is needed; {filepath} exists")


def check_room(path: str | Path, size: int) -> None:
    """Refuse a path that cannot be written, before there is something to lose.

    Args:
        path: of a file or folder.
        size: bytes that it will need.

    Raises:
        OSError: naming the path and the reason.
    """
    path = expand(path)
    with _hidden_folder(path):
        free = shutil.disk_usage(path.parent).free
    if free < size:
        raise OSError(
            errno.ENOSPC,
            f"cannot write {path}: {size / 1e6:,.1f} MB are needed, and "
            f"{free / 1e6:,.1f} MB are free",
        )


@contextmanager
def _hidden_folder(path: Path) -> Iterator[Path]:
    """A folder beside a path, locked until it is removed."""
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            clean(path)
            folder = _locked_folder(path, stack)
        except OSError as error:
            raise _refusal(path, error.errno or errno.EIO) from error
        stack.callback(_settle, folder, path)
        yield folder


def _locked_folder(path: Path, stack: ExitStack) -> Path:
    while True:
        folder = Path(tempfile.mkdtemp(_ENDING, f".{path.name}.", path.parent))
        stack.enter_context(_locked(folder, fcntl.LOCK_EX))
        # `clean` of another process may have been quicker than the lock.
        if folder.exists():
            return folder


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[bool]:
    """Hold a folder's lock, which the system gives back when a process is killed.

    Yields:
        False if another holds it, the folder is gone, or the system has no locks.
    """
    with ExitStack() as stack:
        try:
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, how)
            is_held = True
        except OSError:
            is_held = False
        yield is_held


def _settle(folder: Path, path: Path) -> None:
    """Remove a hidden folder; an old one in it goes back if nothing came instead."""
    old = _aside(folder, path)
    if old.exists():
        os.replace(old, path if is_new(path) else old.with_suffix(_DONE))
    shutil.rmtree(folder, ignore_errors=True)


def _aside(folder: Path, path: Path) -> Path:
    """Where a folder waits until another has its place."""
    return folder / f"{path.name}.old"


def _refusal(path: Path, code: int) -> OSError:
    return OSError(code, f"cannot write {path}: {os.strerror(code)}")


def _sync(path: Path) -> None:
    """Wait until a file, or a folder with all in it, is on the disk."""
    if path.is_dir():
        for inner in path.iterdir():
            _sync(inner)
    _sync_one(path)


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems do not sync folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
