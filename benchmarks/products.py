"""Contestants in arithmetic: `encode`'s matrix products, and one large product."""

from benchmarks.rounds import Round, sentences


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
