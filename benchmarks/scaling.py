"""How the cost of encoding grows with the number and the length of the texts.

Prints medians and slopes, writes a picture and JSON.
"""

import json
import random
import statistics
import time
from collections.abc import Callable

import numpy as np
from bench import OUTPUT, ROUNDS
from matplotlib import pyplot as plt
from rounds import sentences

from usetune import Encoder, load_encoder

COUNTS = (1_000, 3_162, 10_000, 31_623, 100_000)
LENGTHS = (8, 16, 32, 64, 128, 256, 512)
TEXTS = 512


def made_up(count: int, lengths: list[int], words: list[str]) -> list[str]:
    """Distinct texts of so many words, drawn as often as they occur in STS."""
    rng = random.Random(0)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[" ".join(rng.choices(words, k=rng.choice(lengths)))] = None
    return list(texts)


def of_tokens(count: int, words: list[str], length: int, encoder: Encoder) -> list[str]:
    """Distinct texts of so many tokens, those at the start and the end included."""
    single = [word for word in words if len(encoder.tokenizer.tokenize(word)) == 3]
    return made_up(count, [length - 2], single)


def measure(work: Callable[[list[str]], object], sizes: dict[int, list[str]]) -> dict:
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    work(sizes[min(sizes)])
    for _ in range(ROUNDS):
        for size, texts in sizes.items():
            start = time.perf_counter()
            work(texts)
            seconds[size].append(time.perf_counter() - start)
    medians = {size: statistics.median(rounds) for size, rounds in seconds.items()}
    slope = np.polyfit(np.log(list(medians)), np.log(list(medians.values())), 1)[0]
    return {"seconds": seconds, "medians": medians, "slope": slope}


def main() -> None:
    encoder, real = load_encoder(), sentences()
    words = [word for text in real for word in text.split()]
    lengths = [len(text.split()) for text in real]
    long = made_up(COUNTS[-1], lengths, words)
    common = [word for word in dict.fromkeys(words) if word.isascii()][:2_000]
    report = {
        "sentences": measure(encoder.encode, {n: long[:n] for n in COUNTS}),
        "tokens in each of 512 texts": measure(
            encoder.encode,
            {n: of_tokens(TEXTS, common, n, encoder) for n in LENGTHS},
        ),
    }
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, (name, result) in zip(axes, report.items(), strict=True):
        sizes, medians = list(result["medians"]), list(result["medians"].values())
        axis.loglog(sizes, medians, "o-", label=f"slope {result['slope']:.2f}")
        low = [min(rounds) for rounds in result["seconds"].values()]
        high = [max(rounds) for rounds in result["seconds"].values()]
        axis.fill_between(sizes, low, high, alpha=0.2)
        axis.set(xlabel=name, ylabel="seconds")
        axis.legend()
        axis.grid(which="both", alpha=0.2)
        print(
            name, {size: round(value, 3) for size, value in result["medians"].items()}
        )
        print(f"  slope {result['slope']:.3f}")
    figure.suptitle(f"encode(): median and range of {ROUNDS} rounds")
    OUTPUT.mkdir(exist_ok=True)
    figure.savefig(OUTPUT / "scaling.png", dpi=150)
    (OUTPUT / "scaling.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
