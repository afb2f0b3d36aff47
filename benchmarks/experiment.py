"""What the experiments on the three domains share: their data, splits and results."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import pandas as pd

from usetune import DomainEvaluator, STSEvaluator, load_occupations, split_pairs
from usetune.data import load_terminology, positive_pairs_from_occupations
from usetune.encoders import Encoder
from usetune.evaluation.scores import Scores
from usetune.training import fine_tune_soup

OUTPUT = Path("outputs")
DOMAINS = ("esco", "hpo", "icd10cm")
# Choices are made on the first split of ESCO; these are the others.
SEEDS = (10, 11, 12)
HELD_OUT = 0.25
SAMPLES = 500
METRICS = ["recall@1", "mrr@10", "pearson", "pearson_cosine"]
SETTINGS = {
    "members": 2,
    "epochs": 1,
    "batch_size": 512,
    "steps_per_epoch": 75,
    "frozen": ["feed_forward"],
}


def load(domain: str) -> pd.DataFrame:
    """Positive pairs of a domain."""
    if domain == "esco":
        return positive_pairs_from_occupations(load_occupations())
    return load_terminology(domain)


def recommended(
    base: Encoder,
    training: pd.DataFrame,
    validation: pd.DataFrame,
    **settings: Any,
) -> Encoder:
    """What the guide to a domain of one's own recommends."""
    # Names of one group are no negatives of each other.
    training = training.assign(occupation=training["group"])
    settings = {**SETTINGS, **settings}
    return fine_tune_soup(
        base, training, validation_data=validation, **settings
    ).encoder


class Split:
    """A domain with a quarter of its groups held out."""

    def __init__(
        self, domain: str, seed: int, pairs: pd.DataFrame | None = None
    ) -> None:
        self.domain, self.seed = domain, seed
        self.pairs = load(domain) if pairs is None else pairs
        self.training, self.validation = split_pairs(
            self.pairs, HELD_OUT, "group", seed
        )
        # What a training watches; the results are of all that is held out.
        self.watched = self.validation.sample(250, random_state=0)

    @cached_property
    def evaluators(self) -> dict[str, Any]:
        """What is measured before and after."""
        corpus = self.pairs["positive"].unique()
        return {
            "domain": DomainEvaluator(self.validation, corpus),
            "sts": STSEvaluator(),
        }

    def before(self, base: Encoder) -> dict[str, Any]:
        """The scores of the base."""
        return {name: each.score(base) for name, each in self.evaluators.items()}

    def gains(self, before: Mapping[str, Any], tuned: Encoder) -> dict[str, Any]:
        """For each evaluator and metric: base, tuned, difference, low, high and n."""
        return {
            name: compared(before[name], each.score(tuned))
            for name, each in self.evaluators.items()
        }


def compared(before: Any, after: Any) -> dict[str, dict[str, float]]:
    """Paired differences with their intervals, by metric."""
    if isinstance(before, Scores):
        # Their bootstrap takes longest, and is not asked for.
        before, after = (
            replace(each, cosines=None, by_cluster=None) for each in (before, after)
        )
    table = before.compare(after, samples=SAMPLES)
    return table.loc[table.index.intersection(METRICS)].to_dict("index")


class Results:
    """Results as JSON Lines, each written as soon as it is there."""

    def __init__(self, name: str, keys: list[str]) -> None:
        self.path, self.keys = OUTPUT / f"{name}.jsonl", keys
        self.rows: list[dict[str, Any]] = []
        if self.path.exists():
            self.rows = [json.loads(row) for row in self.path.read_text().splitlines()]

    def has(self, **found: Any) -> bool:
        """Whether an earlier call has computed this one."""
        return any({key: row[key] for key in self.keys} == found for row in self.rows)

    def missing(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those to compute: the first, which others are compared with, if any is."""
        later = [row for row in rows[1:] if not self.has(**row)]
        return [rows[0], *later] if later or not self.has(**rows[0]) else []

    def append(self, row: dict[str, Any]) -> None:
        """Write a result, and print its gains; one that is there is left as it is."""
        if self.has(**{key: row[key] for key in self.keys}):
            return
        OUTPUT.mkdir(exist_ok=True)
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print({key: row[key] for key in self.keys}, shown(row["gains"]), flush=True)

    def table(self) -> str:
        """All results in Markdown: n, the base's value, and the gain."""
        lines = []
        for row in self.rows:
            line = {k: v for k, v in row.items() if k != "gains"}
            gains = shown(row["gains"]).items()
            lines.append(line | {f"{name}: base, gain": gain for name, gain in gains})
        return pd.DataFrame(lines).to_markdown(index=False, floatfmt=".4g")


def shown(gains: Mapping[str, Any]) -> dict[str, str]:
    """MRR@10 or Pearson's correlation of the base, the gain, and n."""
    cells = {}
    for name, metrics in gains.items():
        metric = metrics.get("mrr@10") or [*metrics.values()][-1]
        cells[name] = f"{metric['base']:.3f}, {interval(metric)}, n = {metric['n']:.0f}"
    return cells


def interval(metric: Mapping[str, float], digits: int = 3) -> str:
    """A difference with its 95 % interval."""
    difference, low, high = (
        f"{round(metric[key], digits) + 0.0:+.{digits}f}".replace("-", "−")
        for key in ("difference", "low", "high")
    )
    return f"{difference} [{low}, {high}]"
