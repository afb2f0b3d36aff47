"""Contestants of this package: encode, score, train, and the whole job."""

import tempfile
from collections.abc import Callable
from functools import partial

from benchmarks.rounds import BATCH_SIZE, Round, apart


def encode(texts: Callable[[], list[str]], precision: str = "float32") -> Round:
    from usetune import load_encoder

    encoder, batch = load_encoder(precision=precision), texts()
    return Round(lambda: encoder.encode(batch), len(batch))


def encode_static(texts: Callable[[], list[str]]) -> Round:
    from usetune import load_encoder

    batch = texts()
    student = load_encoder(apart(_distilled, batch))
    return Round(lambda: student.encode(batch), len(batch))


def score() -> Round:
    from usetune import load_encoder, sts_benchmark

    encoder = load_encoder()
    return Round(lambda: sts_benchmark(encoder))


def train(whole_table: bool = False) -> Round:
    import tensorflow as tf

    from usetune import build_siamese, load_article_pairs, load_encoder
    from usetune.training.optimizers import article_optimizer

    pairs, encoder = load_article_pairs().iloc[:80], load_encoder()
    optimizer = article_optimizer()
    if whole_table:
        import keras

        config = optimizer.get_config()
        del config["rates"]  # FusedAdam's own
        optimizer = keras.optimizers.Adam.from_config(config)
    else:
        encoder = encoder.compact([*pairs["base"], *pairs["ref"]])
    siamese = build_siamese(encoder)
    siamese.compile(optimizer, "mean_squared_error")
    texts = (pairs["base"].tolist(), pairs["ref"].tolist())
    data = tf.data.Dataset.from_tensor_slices((texts, pairs["similarity"].tolist()))
    data = data.batch(BATCH_SIZE)
    fit = partial(siamese.fit, data, verbose=0, shuffle=False)
    return Round(fit, len(pairs) // BATCH_SIZE)


def job() -> Round:
    from usetune import (
        ARTICLE_RECIPE,
        fine_tune,
        load_article_pairs,
        load_encoder,
        sts_benchmark,
    )

    def work() -> None:
        encoder = load_encoder()
        sts_benchmark(encoder)
        tuned = fine_tune(encoder, load_article_pairs(), **ARTICLE_RECIPE)
        sts_benchmark(tuned.encoder)

    return Round(work)


def _distilled(texts: list[str]) -> str:
    from usetune import distil, load_encoder

    folder = tempfile.mkdtemp() + "/student"
    distil(load_encoder(), texts).save(folder)
    return folder
