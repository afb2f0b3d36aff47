"""Losses on the embeddings of an example's texts."""

import keras
from keras import ops

_MASKED = -1e9


@keras.saving.register_keras_serializable("usetune")
class MultipleNegativesRanking(keras.losses.Loss):
    """In-batch negatives: each anchor must find its positive among all of the batch.

    The cross-entropy of picking the own positive by scaled cosines (Henderson et al.,
    "Efficient natural language response suggestion for Smart Reply", 2017, section
    4.4). Positives of other examples that belong to the same thing as the anchor would
    be false negatives, and are left out.

    Args:
        scale: factor of the cosines, one over the temperature.
    """

    def __init__(self, scale: float = 20.0, name: str = "ranking") -> None:
        super().__init__(name=name)
        self.scale = scale

    def call(self, y_true: object, y_pred: object) -> object:
        """Loss of each example.

        Args:
            y_true: (batch, 1), a number for the thing that the texts are about; below
                2**24, as Keras hands it over as float32.
            y_pred: (batch, 2 or more, dim), unit vectors: anchor, positive, and
                further negatives.

        Returns:
            float32 (batch,).
        """
        anchors, documents = y_pred[:, 0], y_pred[:, 1:]
        own = ops.arange(ops.shape(y_pred)[0])
        other = ops.not_equal(own[:, None], own)
        same_thing = ops.equal(y_true, ops.transpose(y_true))
        scores = self.scale * ops.matmul(anchors, ops.transpose(documents[:, 0]))
        scores = ops.where(other & same_thing, _MASKED, scores)
        further = ops.reshape(documents[:, 1:], (-1, y_pred.shape[2]))
        negatives = self.scale * ops.matmul(anchors, ops.transpose(further))
        scores = ops.concatenate([scores, negatives], axis=1)
        return keras.losses.sparse_categorical_crossentropy(
            own, scores, from_logits=True
        )

    def get_config(self) -> dict[str, object]:
        """The arguments of `__init__`."""
        return {"scale": self.scale, "name": self.name}
