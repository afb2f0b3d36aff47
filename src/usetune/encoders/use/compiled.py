"""How functions are compiled for the processor."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numba


def compiled(function: Callable) -> Any:
    """The function, compiled at its first call; it does not hold Python's lock."""
    # Sums may be reordered, so that they are vectorised; NaN and infinity stay.
    compile_ = partial(
        numba.njit,
        nogil=True,
        error_model="numpy",
        fastmath={"reassoc", "contract", "nsz"},
    )
    try:
        # Kept beside this file, or in the user's cache: it takes seconds.
        return compile_(cache=True)(function)
    except RuntimeError:  # neither folder can be written
        return compile_()(function)
