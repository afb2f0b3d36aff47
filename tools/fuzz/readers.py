"""All readers, and their inputs by number."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tools.fuzz import files, generated, state
from tools.fuzz.verdicts import Case

# Inputs that hypothesis draws with one seed.
_BATCH = 50


def show() -> None:
    """Print names and numbers of inputs as JSON."""
    # Those that take longest come first.
    readers = [*state.all_readers(), *files.all_readers(), *generated.all_readers()]
    print(json.dumps([[reader[0], reader[-1]] for reader in readers]))


def cases(name: str, seed: int, first: int, templates: Path) -> Iterator[Case]:
    """The inputs of a reader from a number on, without an end.

    Args:
        name: of the reader.
        seed: of all inputs.
        first: number of the first one.
        templates: a folder for what is written once.
    """
    state.set_templates(templates)
    for own, strategy, make, _ in generated.all_readers():
        if own == name:
            number = first
            while True:
                batch, place = divmod(number, _BATCH)
                drawn = generated.draws(strategy, seed * 100_000 + batch, _BATCH)
                # A strategy of few values is exhausted early.
                for value in (drawn * _BATCH)[place:_BATCH]:
                    with tempfile.TemporaryDirectory() as folder:
                        yield make(value, number, Path(folder))
                    number += 1
    makers = [*files.all_readers(), *state.all_readers()]
    (make_damaged,) = [make for own, make, _ in makers if own == name]
    number = first
    while True:
        with tempfile.TemporaryDirectory() as folder:
            yield make_damaged(Path(folder), Random(f"{seed}/{name}/{number}"))
        number += 1
