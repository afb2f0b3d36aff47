"""Does it help to change the names that are trained on?

Other names lose words, get typing errors or abbreviations, or another name of the same
thing takes the place of its name; one member of the recommended recipe on three copies
of the pairs, changed anew in each. Measured on held-out groups, and on the same names
with typing errors. And on the occupations that come with this project, whether labels
in other languages help English ones. Intervals are of the paired difference, 95 %.

    python benchmarks/augmentation.py [--domains icd10cm esco] [--seeds 10]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from experiment import Results, Split, recommended

from usetune import DomainEvaluator, load_encoder, load_occupations
from usetune.data import positive_pairs_from_occupations, shipped

COPIES = 3
# Shares: of words for the first three, of rows for the last.
WORDS_DROPPED, WORDS_MISTYPED, WORDS_CUT, ROWS_REPLACED = 0.15, 0.15, 0.2, 0.25
LONG = 6
SMALL = {"members": 1, "batch_size": 128, "steps_per_epoch": 30}

Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def drop_words(text: str, generator: np.random.Generator) -> str:
    """Leave words out, but not all."""
    words = text.split()
    kept = [word for word in words if generator.random() >= WORDS_DROPPED]
    return " ".join(kept or words)


def mistype(text: str, generator: np.random.Generator) -> str:
    """Swap two neighbouring letters of some words."""
    words = text.split()
    for number, word in enumerate(words):
        if len(word) > 3 and generator.random() < WORDS_MISTYPED:
            at = int(generator.integers(len(word) - 1))
            swapped = word[at + 1] + word[at]
            words[number] = word[:at] + swapped + word[at + 2 :]
    return " ".join(words)


def abbreviate(text: str, generator: np.random.Generator) -> str:
    """Cut some long words to their first four letters and a full stop."""
    words = text.split()
    for number, word in enumerate(words):
        if len(word) >= LONG and generator.random() < WORDS_CUT:
            words[number] = f"{word[:4]}."
    return " ".join(words)


def of_anchors(change: Callable[[str, np.random.Generator], str]) -> Change:
    """The change of a text, for the other names of a table."""

    def changed(pairs: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
        anchors = [change(text, generator) for text in pairs["anchor"]]
        return pairs.assign(anchor=anchors)

    return changed


def replace(pairs: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Another other name of the same thing in place of the name, in some rows."""
    order = generator.permutation(len(pairs))
    drawn = pairs.iloc[order].groupby("positive")["anchor"].first()
    others = pairs["positive"].map(drawn)
    chosen = (generator.random(len(pairs)) < ROWS_REPLACED) & (
        others != pairs["anchor"]
    ).to_numpy()
    return pairs.assign(positive=pairs["positive"].where(~chosen, others))


CHANGES: dict[str, Change] = {
    "none": lambda pairs, _: pairs,
    "words dropped": of_anchors(drop_words),
    "typing errors": of_anchors(mistype),
    "abbreviations": of_anchors(abbreviate),
    "another name for the name": replace,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domains", nargs="*", default=["icd10cm", "esco"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    arguments = parser.parse_args()
    results = Results("augmentation", ["domain", "seed", "change"])
    base = load_encoder()
    for domain in arguments.domains:
        for seed in arguments.seeds:
            split = Split(domain, seed)
            mistyped = of_anchors(mistype)(
                split.validation, np.random.default_rng(seed)
            )
            split.evaluators["typing errors"] = DomainEvaluator(
                mistyped, split.pairs["positive"].unique()
            )
            before = split.before(base)
            rows = [
                {"domain": domain, "seed": seed, "change": name} for name in CHANGES
            ]
            for row in results.missing(rows):
                name = row["change"]
                change = CHANGES[name]
                generator = np.random.default_rng(seed)
                copies = [change(split.training, generator) for _ in range(COPIES)]
                training = pd.concat(copies, ignore_index=True)
                started = time.process_time()
                tuned = recommended(base, training, split.watched, members=1)
                row["cpu_seconds"] = time.process_time() - started
                gains = split.gains(before, tuned)
                if name == "none":
                    plain = split.before(tuned)
                else:
                    over = split.gains(plain, tuned)
                    gains |= {f"{key}, over none": own for key, own in over.items()}
                results.append(row | {"gains": gains})
    for seed in arguments.seeds:
        languages(results, seed)
    print(results.table())


def languages(results: Results, seed: int) -> None:
    """English labels of the occupations of this project, with others and without."""
    occupations = load_occupations(shipped("occupations.csv"))
    pairs = positive_pairs_from_occupations(occupations)
    english = occupations[occupations["language"] == "en"]
    own = {*english["preferredLabel"], *english["altLabels"].explode()}
    split, base = Split("occupations", seed, pairs), load_encoder()
    corpus = pairs["positive"].unique()
    is_english = split.validation["anchor"].isin(own)
    split.evaluators.clear()
    split.evaluators |= {
        "English": DomainEvaluator(split.validation[is_english], corpus),
        "other languages": DomainEvaluator(split.validation[~is_english], corpus),
    }
    before = split.before(base)
    trainings = {
        "English only": split.training[split.training["anchor"].isin(own)],
        "with other languages": split.training,
    }
    rows = [
        {"domain": "occupations", "seed": seed, "change": name} for name in trainings
    ]
    for row in results.missing(rows):
        training = trainings[row["change"]]
        # Equal steps of equal size.
        tuned = recommended(base, training, split.watched, **SMALL)
        gains = split.gains(before, tuned)
        if row is rows[0]:
            plain = split.before(tuned)
        else:
            over = split.gains(plain, tuned)
            gains |= {f"{key}, over English only": own for key, own in over.items()}
        results.append(row | {"pairs": len(training), "gains": gains})


if __name__ == "__main__":
    main()
