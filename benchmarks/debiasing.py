"""A direction of gender, taken out after tuning or held down during it.

One member of the recommended recipe on ESCO: as it is; its direction removed, as in
notebook 8; and with a penalty on the part of each embedding that lies along the base's
direction. Directions come from every second pair of terms, what is told of them from
the pairs between. Intervals are of the paired difference from the base, 95 %.

    python benchmarks/debiasing.py [--seeds 10]
"""

import argparse
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from experiment import Results, Split, recommended
from keras import ops

from usetune import load_encoder
from usetune.bias import (
    association_summary,
    bias_direction,
    compare_associations,
    gender_association,
    load_bias_terms,
    probe_accuracy,
    weat,
)
from usetune.encoders import Encoder, remove_direction
from usetune.losses import MultipleNegativesRanking
from usetune.similarity import unit_length

WEIGHTS = (1.0, 10.0, 100.0)
LISTS = load_bias_terms()["lists"]
DEFINING = [*zip(LISTS["female"][::2], LISTS["male"][::2], strict=True)]
UNSEEN = LISTS["female"][1::2], LISTS["male"][1::2]
GIVEN_NAMES = [*zip(LISTS["female_names"], LISTS["male_names"], strict=True)]


class Penalised(MultipleNegativesRanking):
    """The default loss, and the squared part of the embeddings along a direction.

    Args:
        direction: a vector of length 1, (dim,).
        weight: what the mean square is multiplied by.
        **kwargs: those of the loss.
    """

    def __init__(
        self, direction: list[float], weight: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.direction, self.weight = direction, weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example, (batch,)."""
        along = ops.matmul(unit_length(y_pred), ops.array(self.direction)[:, None])
        penalty = ops.mean(ops.square(along), axis=(1, 2))
        return super().call(y_true, y_pred) + self.weight * penalty


class Association:
    """The association of titles with terms that gave no direction, against the base."""

    def __init__(self, base: Encoder, titles: list[str]) -> None:
        self.titles = titles
        self.before = gender_association(base, titles, *UNSEEN)

    def figures(self, encoder: Encoder) -> dict[str, Any]:
        """WEAT, the spread over titles with its interval, and names told apart."""
        after = gender_association(encoder, self.titles, *UNSEEN)
        test = weat(encoder, LISTS["care_jobs"], LISTS["craft_jobs"], *UNSEEN)
        table = association_summary(compare_associations(self.before, after))
        return {
            "statistic": test.statistic,
            "d": test.effect_size,
            "names told apart": probe_accuracy(encoder, GIVEN_NAMES),
            "spread": table.loc["deviation"].to_dict(),
        }


def encoders(base: Encoder, split: Split) -> dict[str, Callable[[], Encoder]]:
    """Functions that give the base, what is trained from it, and both changed."""
    direction = bias_direction(base, DEFINING).direction
    train = partial(recommended, base, split.training, split.watched, members=1)
    tuned = cache(train)

    def tuned_and_removed() -> Encoder:
        return remove_direction(tuned(), bias_direction(tuned(), DEFINING).direction)

    penalised = {
        f"tuned with a penalty of {weight:g}": partial(
            train, loss=Penalised(direction.tolist(), weight)
        )
        for weight in WEIGHTS
    }
    return {
        "base": lambda: base,
        "base, direction removed": lambda: remove_direction(base, direction),
        "tuned": tuned,
        "tuned, then removed": tuned_and_removed,
        **penalised,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    arguments = parser.parse_args()
    results = Results("debiasing", ["seed", "encoder"])
    base = load_encoder()
    for seed in arguments.seeds:
        split = Split("esco", seed)
        titles = split.validation["positive"].unique().tolist()
        association, before = Association(base, titles), split.before(base)
        for name, make in encoders(base, split).items():
            row = {"seed": seed, "encoder": name}
            if results.has(**row):
                continue
            encoder = make()
            row |= association.figures(encoder)
            results.append(row | {"gains": split.gains(before, encoder)})
    print(results.table())


if __name__ == "__main__":
    main()
