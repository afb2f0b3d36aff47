"""Paths that users give."""

import os
from pathlib import Path


def expand(path: str | Path) -> Path:
    """A path with ``~`` and ``~name`` replaced by the home folder, as a shell does.

    Args:
        path: of a file or folder. A name such as ``~$list.csv``, where no user is
            called ``$list.csv``, stays as it is.

    Raises:
        TypeError: if it is no path.
    """
    return Path(os.path.expanduser(path))
