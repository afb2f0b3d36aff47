"""How many pairs does a tuning need? Gains on held-out groups, by number of pairs.

One training for each size, domain and split, on pairs drawn at random from the groups
that are not held out: batches of a quarter of the pairs (16 to 512), ten passes, at
most 75 steps. Intervals are of the paired difference, 95 %, over things.

    python benchmarks/learning_curve.py [--domains icd10cm] [--seeds 10 11]
"""

import argparse
import time

from experiment import DOMAINS, SEEDS, Results, Split, recommended

from usetune import load_encoder

# The last is all pairs.
SIZES = (30, 100, 300, 1000, 3000, 0)
PASSES, STEPS = 10, 75
BATCH = (16, 512)


def settings(size: int) -> dict[str, object]:
    """Batches and steps that fit the number of pairs."""
    batch = min(max(size // 4, BATCH[0]), BATCH[1])
    return {
        "members": 1,
        "batch_size": batch,
        "steps_per_epoch": min(PASSES * size // batch, STEPS),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domains", nargs="+", default=DOMAINS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    arguments = parser.parse_args()
    results = Results("learning_curve", ["domain", "seed", "size"])
    base = load_encoder()
    for seed in arguments.seeds:
        for domain in arguments.domains:
            split = Split(domain, seed)
            before = split.before(base)
            for size in arguments.sizes:
                row = {"domain": domain, "seed": seed, "size": size}
                if results.has(**row) or size >= len(split.training):
                    continue
                some = split.training
                if size:
                    some = some.sample(size, random_state=seed)
                started = time.perf_counter()
                tuned = recommended(
                    base, some, split.watched, seed=seed, **settings(len(some))
                )
                row |= {"pairs": len(some), "seconds": time.perf_counter() - started}
                results.append(row | {"gains": split.gains(before, tuned)})
    print(results.table())


if __name__ == "__main__":
    main()
