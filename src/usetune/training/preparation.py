"""From what `fine_tune` is given to the batches that it trains on."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from usetune.protocols import Evaluator
from usetune.training.stream import BatchStream
from usetune.training.training_set import TrainingSet

# One table, or data sets with what belongs to each.
Pairs: TypeAlias = pd.DataFrame | TrainingSet | Sequence[TrainingSet]


def training_sets(
    pairs: Pairs, seed: int, of_one_set: Mapping[str, Any]
) -> list[TrainingSet]:
    """The data sets that `fine_tune` is given, see there.

    Args:
        pairs: a table, or data sets.
        seed: seed of the split of a table.
        of_one_set: arguments of `TrainingSet` for a table.
    """
    if isinstance(pairs, pd.DataFrame):
        return [TrainingSet(pairs, seed=seed, **of_one_set)]
    sets = [pairs] if isinstance(pairs, TrainingSet) else list(pairs)
    given = [name for name, value in of_one_set.items() if value is not None]
    if given:
        raise ValueError(
            f"{given} belong to each TrainingSet: TrainingSet(pairs, {given[0]}=...)"
        )
    for own in sets:
        if not isinstance(own, TrainingSet):
            raise ValueError(
                "pairs must be a DataFrame, or one or several TrainingSet. Received: "
                f"{type(own).__name__} in a {type(pairs).__name__}"
            )
    names = [own.name for own in sets]
    if not sets or len({*names}) < len(names):
        raise ValueError(
            "several data sets need a name each, and there must be one at least: "
            f"TrainingSet(pairs, name=...). Received: {names}"
        )
    return sets


class TrainingData:
    """The data sets of a training, their examples, and batches of these.

    Args:
        sets: the data sets.
        mixing: see `fine_tune`.
        seed: of the order of the examples.

    Attributes:
        sets: the data sets.
        training: batches to train on.
        validation: batches to validate on.
    """

    def __init__(self, sets: Sequence[TrainingSet], mixing: str, seed: int) -> None:
        self.sets = tuple(sets)
        self._examples = [
            (own.examples(own.training), own.examples(own.validation)) for own in sets
        ]
        training, validation = zip(*self._examples, strict=True)
        self.training = BatchStream(training, mixing, seed)
        self.validation = BatchStream(validation, "proportional", seed)

    def texts(self, evaluators: Sequence[Evaluator]) -> list[str]:
        """Every text that the training meets."""
        texts = [text for own in self.sets for text in own.texts()]
        return texts + [text for own in evaluators for text in own.texts]

    def identity(self) -> dict[str, str]:
        """Digests that tell the data, losses and batches from those of others."""
        return {
            f"data {own.name}".strip(): own.digest([part.targets for part in parts])
            for own, parts in zip(self.sets, self._examples, strict=True)
        }
