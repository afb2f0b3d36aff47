"""Losses compared fairly: each at the best of a grid of rates, chosen on one split.

All see the same labels of ESCO: positive pairs; the same with a hard negative as
triplets, taken apart into pairs labelled 1 and 0, these as scores or cosines; and as
texts with a class, their occupation. 30 batches of 128, `fine_tune`'s warm-up and
decay. The rate of each loss is the best on the first split; it is reported on others,
beside the rate that `fine_tune` took by default before this was measured.

    python benchmarks/losses.py
"""

import time
from collections.abc import Callable

import pandas as pd
from experiment import Results, Split

from usetune import fine_tune, load_encoder
from usetune.data import MiningLimits, mine_hard_negatives, pairs_from_triplets
from usetune.encoders import Encoder
from usetune.losses import (
    GIST,
    AnglE,
    BatchHardSoftMargin,
    Contrastive,
    CoSENT,
    CosineSquaredError,
    EmbeddingLoss,
    MegaBatchMargin,
    MultipleNegativesRanking,
    OnlineContrastive,
    Softmax,
    Triplet,
)
from usetune.training import FusedAdam, warmup_cosine

RATES = (3e-4, 1e-3, 1e-4)
CHOICE, OTHERS = 0, (10, 11)
STEPS, BATCH = 30, 128
# Each loss with its data, and the rate that `fine_tune` took by default.
LOSSES: dict[str, tuple[Callable[[Encoder], EmbeddingLoss], str, float]] = {
    "MultipleNegativesRanking": (lambda _: MultipleNegativesRanking(), "pairs", 5e-4),
    "GIST": (GIST, "pairs", 5e-4),
    "MegaBatchMargin": (lambda _: MegaBatchMargin(), "pairs", 5e-4),
    "OnlineContrastive": (lambda _: OnlineContrastive(), "binary", 1e-4),
    "Contrastive": (lambda _: Contrastive(), "binary", 1e-4),
    "Softmax": (lambda _: Softmax(2), "binary", 1e-4),
    "CoSENT": (lambda _: CoSENT(), "scored", 1e-4),
    "CosineSquaredError": (lambda _: CosineSquaredError(), "cosines", 1e-4),
    "Triplet": (lambda _: Triplet(), "triplets", 1e-4),
    "AnglE": (lambda _: AnglE(), "triplets", 1e-4),
    "BatchHardSoftMargin": (lambda _: BatchHardSoftMargin(), "classes", 1e-4),
}


def formats(base: Encoder, pairs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The same pairs in every format that a loss here takes."""
    limits = MiningLimits(relative_margin=0.05)
    triplets = mine_hard_negatives(base, pairs, count=1, limits=limits)
    binary = pairs_from_triplets(triplets)
    # 1 for the same meaning, 0.5 for none: the scale of scored pairs.
    scored = binary[["base", "ref"]].assign(similarity=0.5 + binary["label"] / 2)
    cosines = scored.assign(similarity=binary["label"].astype(float))
    names = pairs.assign(anchor=pairs["positive"]).drop_duplicates("occupation")
    titles = pd.concat([pairs, names])
    owner = pd.factorize(titles["occupation"])[0]
    tables = {
        "pairs": pairs,
        "triplets": triplets,
        "binary": binary,
        "scored": scored,
        "cosines": cosines,
        "classes": pd.DataFrame({"text": titles["anchor"], "label": owner}),
    }
    return {name: table.reset_index(drop=True) for name, table in tables.items()}


def main() -> None:
    results = Results("losses", ["seed", "loss", "rate"])
    base = load_encoder()
    for seed in (CHOICE, *OTHERS):
        split = Split("esco", seed)
        data = formats(base, split.training)
        before = split.before(base)
        runs = [(name, rate) for rate in RATES for name in LOSSES]
        if seed != CHOICE:
            runs = [
                (name, rate)
                for name, (_, _, default) in LOSSES.items()
                for rate in sorted({default, best(results, name)})
            ]
        for name, rate in runs:
            row = {"seed": seed, "loss": name, "rate": rate}
            if results.has(**row):
                continue
            loss, format, _ = LOSSES[name]
            started = time.process_time()
            tuned = fine_tune(
                base,
                data[format],
                validation_data=data[format][:256],
                loss=loss(base),
                batch_size=BATCH,
                epochs=1,
                steps_per_epoch=STEPS,
                optimizer=FusedAdam(warmup_cosine(rate, STEPS)),
            ).encoder
            row["cpu_seconds"] = time.process_time() - started
            results.append(row | {"gains": split.gains(before, tuned)})
    print(results.table())


def best(results: Results, loss: str) -> float:
    """The rate of the largest gain in MRR@10 on the split for choices."""
    rows = [r for r in results.rows if (r["loss"], r["seed"]) == (loss, CHOICE)]
    gain = {r["rate"]: r["gains"]["domain"]["mrr@10"]["difference"] for r in rows}
    return max(gain, key=gain.__getitem__)


if __name__ == "__main__":
    main()
