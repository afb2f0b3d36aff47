"""Warnings that point at the line of the user's own code."""

import sys
import warnings

# Code between the user's line and what warns: this package, the loop of `fit`, and
# what enters a block.
_INSIDE = ("usetune", "keras", "contextlib")


def warn(message: str) -> None:
    """Issue a UserWarning that names the line from which this package was called.

    Args:
        message: what is wrong, and what to do about it.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back and _package(frame.f_globals) in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def _package(module: dict[str, object]) -> str:
    return str(module.get("__name__")).partition(".")[0]
