"""Checks of arguments, each with one way to say what is wrong."""

from collections.abc import Collection
from numbers import Integral


def check_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Raise ValueError if an argument is not one of its choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {[*choices]}. Received: {value!r}")


def check_at_least(name: str, number: int | None, least: int = 1) -> None:
    """Raise ValueError if an integer is none, or too small; None is no number."""
    if number is not None and not isinstance(number, Integral):
        raise ValueError(f"{name} must be an integer. Received: {number!r}")
    if number is not None and number < least:
        raise ValueError(f"{name} must be at least {least}. Received: {number}")


def check_between(name: str, number: object, least: int, most: int) -> None:
    """Raise ValueError if an argument is no integer, or none of those."""
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise ValueError(f"{name} must be an integer. Received: {number!r}")
    if not least <= int(number) <= most:
        raise ValueError(f"{name} must be from {least} to {most}. Received: {number}")
