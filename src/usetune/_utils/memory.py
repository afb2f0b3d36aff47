"""Memory that is free, but still this process's."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def memory_given_back() -> Iterator[None]:
    """Give the system back what is free after a block or a function that it decorates.

    A training leaves a model, which is a cycle of references, and small blocks of
    memory, of which glibc keeps some 80 MB for itself. Where there is no glibc, the
    cycles are freed and the rest is left to the C library.
    """
    yield
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
