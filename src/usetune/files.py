"""Writing files so that an interrupted write leaves the old one whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, rename it to ``path``.

    The temporary path lies beside ``path``, so the rename is atomic. If the block
    raises, ``path`` stays as it was.

    Args:
        path: the file or folder to create. A file is replaced; a folder must not
            exist or be empty.

    Yields:
        A path that does not exist yet, of the same name, in a folder of its own.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}."
    ) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        os.replace(temporary, path)
