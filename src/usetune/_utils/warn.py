"""Warnings that point at the line of the user's own code."""

import sys
import warnings
from pathlib import Path

import keras

# Code between the user's line and what warns: this package, and the loop of `fit`.
_INSIDE = (str(Path(__file__).parents[1]), str(Path(keras.__file__).parent))


def warn(message: str) -> None:
    """Issue a UserWarning that names the line from which this package was called."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
