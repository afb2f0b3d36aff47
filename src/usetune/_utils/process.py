"""Processes that were forked, in which TensorFlow waits for threads that are gone."""

import os

# The first process that asked; a forked one inherits it, a spawned one does not.
_first: int | None = None


def check_process() -> None:
    """Refuse to go on in a process forked from one that called this before.

    Raises:
        RuntimeError: saying how to start processes instead.
    """
    global _first
    _first = _first or os.getpid()
    if os.getpid() != _first:
        raise RuntimeError(
            f"an encoder was in use in process {_first} before it forked this one; "
            "TensorFlow would wait here for ever. Start processes by "
            "multiprocessing.get_context('spawn'), and load the encoder in each"
        )
