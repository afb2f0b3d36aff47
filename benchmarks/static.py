"""What a static student keeps of its teacher, on groups that were held out.

The teacher is tuned as the guide recommends, then distilled to the names of training
and the sentences of STS train, to the held-out names as well, and to names alone. No
student sees a label, or a sentence of STS dev. Intervals are of the paired difference
to the teacher, 95 %, over things.

    python benchmarks/static.py [--domains esco] [--seeds 10 11]
"""

import argparse
import time

import pandas as pd
from experiment import DOMAINS, OUTPUT, Results, Split, recommended

from usetune import distil, load_encoder
from usetune.data import load_sts
from usetune.encoders import Encoder


def teacher(split: Split) -> Encoder:
    """The tuned encoder of a split; a second call finds it in its folder."""
    folder = OUTPUT / f"teacher_{split.domain}_{split.seed}"
    if not folder.exists():
        tuned = recommended(load_encoder(), split.training, split.validation)
        tuned.save(folder)
    return load_encoder(folder)


def names(pairs: pd.DataFrame) -> list[str]:
    """Each name once."""
    return list(dict.fromkeys([*pairs["anchor"], *pairs["positive"]]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domains", nargs="+", default=DOMAINS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    arguments = parser.parse_args()
    results = Results("static", ["domain", "seed", "texts"])
    pairs = load_sts("train")
    sentences = [*pairs["sentence1"], *pairs["sentence2"]]
    for domain in arguments.domains:
        for seed in arguments.seeds:
            split = Split(domain, seed)
            tuned, training = teacher(split), names(split.training)
            texts = {
                "names, STS": training + sentences,
                "held-out names too, STS": names(split.pairs) + sentences,
                "names": training,
            }
            before = None
            for kind, own in texts.items():
                row = {"domain": domain, "seed": seed, "texts": kind}
                if results.has(**row):
                    continue
                before = before or split.before(tuned)
                started = time.perf_counter()
                student = distil(tuned, own)
                row["seconds"] = time.perf_counter() - started
                results.append(row | {"gains": split.gains(before, student)})
    print(results.table())


if __name__ == "__main__":
    main()
