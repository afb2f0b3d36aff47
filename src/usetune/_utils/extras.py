"""Libraries that come with an extra of the package."""

import importlib
from types import ModuleType


def require(name: str, extra: str, purpose: str) -> ModuleType:
    """Import a library of an extra.

    Args:
        name: of the module.
        extra: that brings it, "share" for ``usetune[share]``.
        purpose: what needs it, for the error: "a BERT checkpoint".

    Raises:
        ImportError: saying what it is for, and how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {name}: pip install usetune[{extra}] ({error})"
        ) from error
