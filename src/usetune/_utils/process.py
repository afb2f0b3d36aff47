"""Processes that were forked, in which TensorFlow waits for threads that are gone."""

import os

# The first process that asked; a forked one inherits it, a spawned one does not.
_first: int | None = None


def is_forked() -> bool:
    """Whether this process was forked from one that asked before."""
    global _first
    _first = _first or os.getpid()
    return os.getpid() != _first


def check_process() -> None:
    """Refuse to go on in a forked process, see `is_forked`.

    Raises:
        RuntimeError: saying how to start processes instead.
    """
    if is_forked():
        raise RuntimeError(
            f"an encoder was in use in process {_first} before it forked this one; "
            "TensorFlow would wait here for ever. Start processes by "
            "multiprocessing.get_context('spawn'), and load the encoder in each"
        )
