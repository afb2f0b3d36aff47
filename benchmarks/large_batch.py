"""Memory of in-batch negatives in one large batch: at once, and with cached gradients.

Prints the peak of resident memory and the seconds of two steps of 4,096 pairs, each way
in a process of its own.
"""

import os
import resource
import subprocess
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

PAIRS = 4_096


def train(way: str) -> None:
    import pandas as pd

    from usetune import fine_tune, load_encoder, load_occupations
    from usetune.data import positive_pairs_from_occupations
    from usetune.losses import Cached, MultipleNegativesRanking

    labels = positive_pairs_from_occupations(load_occupations())
    # Where there are too few, each label comes several times, with a number.
    copies = [labels.assign(anchor=labels["anchor"] + f" {n}") for n in range(40)]
    pairs = pd.concat(copies if len(labels) < PAIRS else [labels])[: PAIRS + 100]
    loss = MultipleNegativesRanking()
    start = time.perf_counter()
    fine_tune(
        load_encoder(),
        pairs[:PAIRS],
        validation_data=pairs[PAIRS:],
        loss=loss if way == "at once" else Cached(loss, int(way)),
        batch_size=PAIRS,
        epochs=2,
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{way:>8}: peak {peak:.2f} GB, {seconds:.0f} s")


def main() -> None:
    for way in ("at once", "32", "128"):
        subprocess.run([sys.executable, __file__, way], check=True)


if __name__ == "__main__":
    train(sys.argv[1]) if len(sys.argv) > 1 else main()
