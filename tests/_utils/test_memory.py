import ctypes
import sys
from pathlib import Path

import pytest

from usetune._utils.memory import memory_given_back

SIZE, BLOCK = 80_000_000, 4_000


def resident():
    """Bytes of this process in memory."""
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_is_free_goes_back_to_the_system():
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        pytest.skip("this C library is not glibc")
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

    @memory_given_back()
    def leave_holes():
        blocks = [libc.malloc(BLOCK) for _ in range(SIZE // BLOCK)]
        for block in blocks:
            ctypes.memset(block, 1, BLOCK)
        # One at the end stays in use, so that glibc keeps those before it.
        for block in blocks[:-1]:
            libc.free(block)
        return resident(), blocks[-1]

    before, last = leave_holes()
    assert resident() < before - SIZE / 2
    libc.free(last)
