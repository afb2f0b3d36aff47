"""Contestants from the article: its own way of working, and the plain graph.

The article's way is a SavedModel in `hub.KerasLayer` on legacy Keras, one sentence for
each `predict`. The plain graph computes token by token, as its authors did.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial

from benchmarks.rounds import BATCH_SIZE, Round

# One-sentence calls that stand for all of the article's.
CALLS = 50


def encode_plain(texts: Callable[[], list[str]]) -> Round:
    import tensorflow as tf

    from usetune import load_encoder

    plain = _plain_graph(load_encoder())
    batch = sorted((text.encode() for text in texts()), key=len)
    parts = [tf.constant(batch[i : i + 128]) for i in range(0, len(batch), 128)]
    return Round(lambda: [plain(part).numpy() for part in parts], len(batch))


def score_article() -> Round:
    import tf_keras

    layer = _article_layer(_exported())
    model = tf_keras.Sequential([layer])
    return Round(lambda: _one_by_one(model))


def train_article() -> Round:
    from usetune import load_article_pairs

    pairs = load_article_pairs().iloc[:80]
    siamese, _ = _article_siamese(_article_layer(_exported()))
    fit = partial(siamese.fit, *_article_data(pairs), batch_size=BATCH_SIZE, verbose=0)
    return Round(fit, len(pairs) // BATCH_SIZE)


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
