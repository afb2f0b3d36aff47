"""The encoder's graph computed token by token, with nothing shared between tokens."""

import tensorflow as tf

from usetune.encoders.use import weights


def plain_graph(encoder, texts):
    """String tensor (batch,) → (batch, 512), by the weights of ``encoder``."""
    tokens = encoder.tokenizer.tokenize(texts)
    text_ids = tokens.value_rowids()
    row_of_token = tf.constant(encoder.embedding.rows(range(weights.VOCABULARY_SIZE)))
    rows = tf.gather(row_of_token, tokens.values)
    embedded = tf.gather(encoder.embedding.table.value, rows)
    features = [embedded]
    for ngram in encoder.ngrams:
        x = ngram.normalization(ngram.projection(embedded))
        for convolution in ngram.convolutions:
            x += convolution(windows(x, text_ids, ngram.order, ngram.left))
        features.append(x)
    features = tf.concat(features, axis=1)
    mean, variance = tf.nn.moments(features, axes=[1], keepdims=True)
    norm = encoder.normalization
    features = (features - mean) / tf.sqrt(variance + norm.epsilon)
    features = features * norm.gamma + norm.beta
    total = tf.math.segment_sum(encoder.projection(features), text_ids)
    sentence = total / tf.sqrt(tf.cast(tokens.row_lengths(), tf.float32))[:, None]
    return tf.math.l2_normalize(encoder.feed_forward(sentence), axis=1)


def windows(x, text_ids, order, left):
    size = tf.size(text_ids)
    x = tf.pad(x, [[left, order - 1 - left], [0, 0]])
    ids = tf.pad(text_ids, [[left, order - 1 - left]], constant_values=-1)
    parts = [
        tf.where((ids[k : k + size] == text_ids)[:, None], x[k : k + size], 0.0)
        for k in range(order)
    ]
    return tf.concat(parts, axis=1)
