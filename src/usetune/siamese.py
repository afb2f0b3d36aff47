"""Twin branches on one encoder, with the angular similarity of their outputs."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from usetune.encoder import Encoder
from usetune.similarity import angular_similarity, cosine_similarity


def build_siamese(encoder: Encoder) -> keras.Model:
    """Build the model that scores pairs of texts.

    Both branches are the same ``encoder``: training the model trains it.

    Args:
        encoder: gives unit vectors (batch, dim) for a string tensor (batch,).

    Returns:
        Keras model: string inputs ``base`` and ``ref``, each (batch,) → float32
        (batch, 1), angular similarity in [0, 1].
    """
    texts = [keras.Input((), dtype="string", name=name) for name in ("base", "ref")]
    embeddings = Branches(encoder, name="branches")(texts)
    similarity = AngularSimilarity(name="similarity")(embeddings)
    return keras.Model(texts, similarity, name="siamese")


class Branches(keras.layers.Layer):
    """The same encoder on each of several inputs, in one call.

    One call computes texts and tokens that the inputs share once, and gives one
    gradient for each weight instead of one for each branch.

    Args:
        encoder: gives embeddings (batch, dim) for a string tensor (batch,).
    """

    def __init__(self, encoder: Encoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder

    def call(self, texts: list[tf.Tensor]) -> list[tf.Tensor]:
        """String tensors (batch,), all of one size → as many tensors (batch, dim)."""
        distinct, index = tf.unique(tf.concat(texts, axis=0))
        return tf.split(tf.gather(self.encoder(distinct), index), len(texts))

    def compute_output_spec(self, texts: list[Any]) -> list[keras.KerasTensor]:
        """For each input the encoder's output, (batch, dim)."""
        return [self.encoder.compute_output_spec(text) for text in texts]


@keras.saving.register_keras_serializable("usetune")
class AngularSimilarity(keras.layers.Layer):
    """Angular similarity of two embeddings, with a finite gradient everywhere.

    ``arccos`` has an infinite slope at ±1, where equal texts end up, so the cosine is
    clipped before: equal texts score 0.99858 and pass no gradient.

    Args:
        clip: the cosine is limited to [-clip, clip]; between 0 and 1, exclusive.

    Raises:
        ValueError: if ``clip`` is not between 0 and 1.
    """

    def __init__(self, clip: float = 0.99999, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < clip < 1:
            raise ValueError(f"clip must be between 0 and 1. Received: {clip}")
        self.clip = clip

    def call(self, embeddings: list[Any]) -> Any:
        """Two tensors (batch, dim) → (batch, 1) in [0, 1]."""
        u, v = embeddings
        cosine = ops.clip(cosine_similarity(u, v), -self.clip, self.clip)
        return angular_similarity(cosine)[:, None]

    def compute_output_shape(self, input_shape: list[Any]) -> tuple[Any, int]:
        """(batch, 1)."""
        return (input_shape[0][0], 1)

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        return {**super().get_config(), "clip": self.clip}
