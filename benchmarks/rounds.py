"""What contestants have in common: rounds of work, and the texts that they encode."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

SENTENCES = 10_000
# The article's batch of pairs.
BATCH_SIZE = 8


@dataclass
class Round:
    """Work of so many units. A float that it returns is seconds that it left out."""

    work: Callable[[], object]
    units: float = 1.0


def sentences() -> list[str]:
    from usetune.data import load_sts

    pairs = load_sts("train" if "USETUNE_DATA" in os.environ else "dev")
    return list(dict.fromkeys([*pairs["sentence1"], *pairs["sentence2"]]))[:SENTENCES]


def titles() -> list[str]:
    import random

    from usetune import load_occupations

    labels = load_occupations()["altLabels"].explode().dropna()
    distinct = list(dict.fromkeys(labels))
    random.Random(0).shuffle(distinct)
    return distinct[:SENTENCES]


def apart(make: Callable, *arguments: object) -> object:
    """Call in another process: memory that only the making takes is not counted."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(make, *arguments).result()
