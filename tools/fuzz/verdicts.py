"""What comes of one input: right, clear, obscure, wrong or undetectable."""

import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import usetune

RIGHT, CLEAR, OBSCURE = "right", "clear", "obscure"
WRONG, UNDETECTABLE = "wrong", "undetectable"
VERDICTS = (RIGHT, CLEAR, OBSCURE, WRONG, UNDETECTABLE)

_PACKAGE = str(Path(usetune.__file__).parent)
_KINDS = (ValueError, TypeError, OSError, ImportError)


@dataclass(frozen=True)
class Case:
    """One input of one reader.

    Attributes:
        what: was done to make it, for people.
        read: calls the package.
        judge: takes what it returned; gives a verdict and the reason.
        names: a clear refusal has one of them in its message: the file, the argument.
        whole: the input has no fault, and a refusal would be wrong.
    """

    what: str
    read: Callable[[], Any]
    judge: Callable[[Any], tuple[str, str]]
    names: Sequence[str]
    whole: bool = False


def verdict(case: Case) -> tuple[str, str]:
    """Read the input, and judge what comes of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = case.read()
    except Exception as error:
        return refusal(error, case)
    return case.judge(found)


def refusal(error: Exception, case: Case) -> tuple[str, str]:
    """Judge an exception: is it ours, and does it name the input and a reason?"""
    message = f"{type(error).__name__}: {error}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    ours = frame.filename.startswith(_PACKAGE)
    kind = type(error)
    is_known = isinstance(error, _KINDS) and not isinstance(error, UnicodeError)
    if not (ours and is_known and kind.__module__.partition(".")[0] in _OWN_MODULES):
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        return OBSCURE, f"{kind.__module__}.{message:.300} ({where})"
    if not any(name in message for name in case.names):
        return OBSCURE, f"names none of {list(case.names)}: {message:.300}"
    if case.whole:
        return WRONG, f"refused, though it has no fault: {message:.300}"
    return CLEAR, message[:300]


_OWN_MODULES = ("builtins", "usetune")
