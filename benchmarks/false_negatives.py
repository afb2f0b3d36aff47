"""Known positives among the in-batch negatives of real data: how many, and what for.

For ESCO's labels with their occupation's name, and for names with their many labels:
the share of batches of 128 in which a known positive is pushed away, where only what
the column ``occupation`` or the positive says is left out, and with text identity
too; and what training on either gives on occupations that were held out.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import pandas as pd

from usetune import fine_tune, load_encoder, load_occupations
from usetune.data import positive_pairs_from_occupations
from usetune.data.esco import occupation_labels
from usetune.evaluation import RetrievalEvaluator
from usetune.losses import EmbeddingLoss, MultipleNegativesRanking
from usetune.losses.in_batch import known_positives
from usetune.training import EarlyStopping, TrainingSet

BATCH = 128


class ByThing(MultipleNegativesRanking):
    """The loss as it was: told of things, not of texts."""

    target = EmbeddingLoss.target


def tables() -> dict[str, tuple[pd.DataFrame, pd.Series]]:
    """By name: pairs, and the occupation of each, by which they are held out."""
    occupations = load_occupations()
    labels = positive_pairs_from_occupations(occupations)
    texts = occupation_labels(occupations)
    names = texts[texts["preferred"]].set_index("conceptUri")["text"]
    others = texts[~texts["preferred"]]
    answers = pd.DataFrame(
        {
            "anchor": others["conceptUri"].map(names),
            "positive": others["text"],
            "conceptUri": others["conceptUri"],
        }
    ).reset_index(drop=True)
    return {
        "label, its occupation's name": (
            labels[["anchor", "positive", "occupation"]],
            labels["occupation"],
        ),
        "name, its many labels": (
            answers[["anchor", "positive"]],
            answers["conceptUri"],
        ),
    }


def shares(pairs: pd.DataFrame, loss: MultipleNegativesRanking) -> tuple[float, float]:
    """Batches with a false negative: in this batch, and anywhere in the table.

    That is the positive of another example that has a text in common with this one; or
    that the whole table pairs with this one's anchor.
    """
    data = TrainingSet(pairs, pairs, loss=loss, batch_size=BATCH)
    examples = data.examples(data.training)
    texts = pairs[["anchor", "positive"]].to_numpy(object)
    known = {*map(tuple, texts)}
    found = []
    for rows in examples.passes(np.random.default_rng(0)):
        is_negative = ~known_positives(examples.targets[rows], 2)[:, :, 1].numpy()
        couples = [
            (texts[rows[i]], texts[rows[j]]) for i, j in np.argwhere(is_negative)
        ]
        found.append(
            (
                any({*own} & {*other} for own, other in couples),
                any((own[0], other[1]) in known for own, other in couples),
            )
        )
    here, anywhere = np.mean(found, axis=0)
    return float(here), float(anywhere)


def held_out(pairs: pd.DataFrame, groups: pd.Series, seed: int) -> list[float]:
    """MRR@10 on held-out occupations: before training, after it as it was, and now."""
    names = groups.unique()
    chosen = np.random.default_rng(seed).permutation(names)[: len(names) // 5]
    is_test = groups.isin(chosen)
    test, training = pairs[is_test], pairs[~is_test]
    documents = pairs["positive"].unique()
    evaluator = RetrievalEvaluator(
        {anchor: anchor for anchor in test["anchor"].unique()},
        {document: document for document in documents},
        test.groupby("anchor")["positive"].agg(set).to_dict(),
    )
    base = load_encoder()
    values = [evaluator(base)["mrr@10"]]
    for kind in (ByThing, MultipleNegativesRanking):
        data = TrainingSet(training, training[:BATCH], loss=kind(), batch_size=BATCH)
        tuned = fine_tune(
            base, data, epochs=1, early_stopping=EarlyStopping("loss"), seed=seed
        )
        values.append(evaluator(tuned.encoder)["mrr@10"])
    return values


def seconds(loss: MultipleNegativesRanking, size: int) -> float:
    """The fastest of ten evaluations of a loss with its gradient, in a graph."""
    import tensorflow as tf

    texts = [[f"{column} {row}" for row in range(size)] for column in "ab"]
    target = loss.target(texts, np.arange(size))
    embeddings = tf.random.stateless_normal((size, 2, 512), [0, 0])

    @tf.function
    def step(embeddings: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(target, embeddings)
        return tape.gradient(value, embeddings)

    times = []
    for _ in range(11):
        start = time.perf_counter()
        step(embeddings).numpy()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> None:
    """Print all tables; with the argument "shares" only the quick ones."""
    kinds = (ByThing, MultipleNegativesRanking)
    for size in (128, 1024, 4096):
        before, after = (1000 * seconds(kind(), size) for kind in kinds)
        print(f"loss and gradient, batch of {size}: {before:.2f} ms, {after:.2f} ms")
    for name, (pairs, groups) in tables().items():
        print(f"{name}: {len(pairs)} pairs")
        for kind in kinds:
            here, anywhere = shares(pairs, kind())
            print(
                f"  {kind.__name__}: {here:.1%} of batches, {anywhere:.1%} by all pairs"
            )
        for seed in range(0 if "shares" in sys.argv else 3):
            values = held_out(pairs, groups, seed)
            print(f"  seed {seed}: MRR@10", *(f"{value:.4f}" for value in values))


if __name__ == "__main__":
    main()
