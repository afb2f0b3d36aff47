"""What the recommended recipe carries over, to what it was not chosen on.

Trained on ESCO's English labels, groups held out: ESCO of another release, the test
split of STS in five languages, STS between languages, queries in other languages that
search English names (the occupations that come with this project). And one encoder for
three domains. Intervals are of the paired difference, 95 %.

    python benchmarks/transfer.py [--releases official tabiya] [--seeds 10 11]
    python benchmarks/transfer.py --releases --joint 10
"""

import argparse
import os
import time

import pandas as pd
from experiment import DOMAINS, SETTINGS, Results, Split, compared, recommended

from usetune import (
    DomainEvaluator,
    STSEvaluator,
    load_encoder,
    load_occupations,
)
from usetune.data import (
    load_sts,
    occupation_labels,
    positive_pairs_from_occupations,
    shipped,
    sources,
)
from usetune.encoders import Encoder
from usetune.evaluation import SimilarityEvaluator
from usetune.training import TrainingSet, fine_tune_soup

LANGUAGES = ("en", "fr", "it", "nl", "ja")
QUERIES = ("fr", "it", "nl")
# Steps of the training on all domains: as many as a training on each takes.
JOINT_STEPS = len(DOMAINS) * 75


def release(name: str) -> pd.DataFrame:
    """Pairs of a release: as ESCO sends it, or 1.1.1 as it is downloaded."""
    paths = [sources.find("esco/tabiya_occupations.csv")] if name == "tabiya" else []
    return positive_pairs_from_occupations(load_occupations(*paths))


def across(language: str) -> SimilarityEvaluator:
    """STS dev, the first sentence in English and the second in another language."""
    english, other = (load_sts("dev", name) for name in ("en", language))
    return SimilarityEvaluator(
        pd.DataFrame(
            {
                "base": english["sentence1"],
                "ref": other["sentence2"],
                "similarity": english["score"] / 5,
            }
        )
    )


def queries(language: str) -> DomainEvaluator:
    """Labels in another language that search the English names of occupations."""
    labels = occupation_labels(load_occupations(shipped("occupations.csv")))
    names = labels.query("language == 'en' and preferred")
    own = labels[(labels["language"] == language) & ~labels["shared"]]
    pairs = own.merge(names, on="conceptUri", suffixes=("", "_en"))
    pairs = pairs.rename(columns={"text": "anchor", "text_en": "positive"})
    return DomainEvaluator(pairs[["anchor", "positive"]], names["text"].tolist())


def carried_over() -> dict[str, object]:
    """What is measured on every encoder beside its own split."""
    return {
        **{f"STS test {name}": STSEvaluator("test", name) for name in LANGUAGES},
        **{f"STS en-{name}": across(name) for name in LANGUAGES[1:]},
        **{f"{name} → English names": queries(name) for name in QUERIES},
    }


def for_all(base: Encoder, splits: list[Split]) -> Encoder:
    """One encoder for several domains, in batches of one domain each."""
    sets = [
        TrainingSet(
            split.training.assign(occupation=split.training["group"]),
            split.watched,
            batch_size=SETTINGS["batch_size"],
            name=split.domain,
        )
        for split in splits
    ]
    settings = {**SETTINGS, "steps_per_epoch": JOINT_STEPS}
    del settings["batch_size"]
    return fine_tune_soup(base, sets, **settings).encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--releases", nargs="*", default=["official", "tabiya"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[10, 11])
    parser.add_argument("--joint", nargs="*", type=int, default=[10])
    arguments = parser.parse_args()
    results = Results("transfer", ["training", "seed"])
    base = load_encoder()
    others = carried_over()
    before = {name: each.score(base) for name, each in others.items()}

    def measured(about: dict[str, object], splits: list[Split]) -> None:
        if results.has(**about):
            return
        started, load = time.perf_counter(), os.getloadavg()[0]
        if len(splits) == 1:
            tuned = recommended(base, splits[0].training, splits[0].watched)
        else:
            tuned = for_all(base, splits)
        seconds = time.perf_counter() - started
        gains = {
            name: compared(before[name], each.score(tuned))
            for name, each in others.items()
        }
        for split in splits:
            own = split.gains(split.before(base), tuned)
            gains |= {f"{split.domain}": own["domain"], "STS dev en": own["sts"]}
        results.append(
            {
                **about,
                "pairs": sum(len(split.training) for split in splits),
                "seconds": seconds,
                "load": load,
                "gains": gains,
            }
        )

    for seed in arguments.seeds:
        for name in arguments.releases:
            about = {"training": f"esco {name}", "seed": seed}
            measured(about, [Split("esco", seed, release(name))])
    for seed in arguments.joint:
        splits = [Split(domain, seed) for domain in DOMAINS]
        measured({"training": "three domains", "seed": seed}, splits)
    print(results.table())


if __name__ == "__main__":
    main()
