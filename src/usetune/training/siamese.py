"""Twin branches on one encoder, with the angular similarity of their outputs."""

from typing import Any

import keras
import tensorflow as tf

from usetune.encoders.base import Encoder
from usetune.similarity import AngularSimilarity


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


@keras.saving.register_keras_serializable("usetune")
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

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Branches":
        """Undo `get_config`."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
