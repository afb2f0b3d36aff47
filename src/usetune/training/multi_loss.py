"""Several data sets in one training: the loss of each on its own batches."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from usetune.training.training_set import TrainingSet


class LossPerDataSet(keras.losses.Loss):
    """The loss of the data set that a batch is from.

    Args:
        sets: the data sets.
        targets: shape of each one's target, without the batch.
    """

    def __init__(
        self, sets: Sequence[TrainingSet], targets: Sequence[tuple[int, ...]]
    ) -> None:
        super().__init__(name="mixture")
        self.sets, self.targets = sets, targets

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Value for one batch.

        Args:
            y_true: (batch, 1 + width), the number of the data set, then the target,
                flattened.
            y_pred: (batch, columns, dim).
        """
        branches = [
            lambda number=number: self._of(number, y_true, y_pred)
            for number in range(len(self.sets))
        ]
        return tf.switch_case(tf.cast(y_true[0, 0], tf.int32), branches)

    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean loss of each data set on its own, named loss_ and its name."""
        return [
            _LossOf(self, number, name=f"loss_{own.name}")
            for number, own in enumerate(self.sets)
        ]

    def _of(self, number: int, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        target = tf.reshape(y_true[:, 1:], (-1, *self.targets[number]))
        own = self.sets[number]
        embeddings = tf.ensure_shape(y_pred, (None, len(own.columns), y_pred.shape[2]))
        return own.loss(target, embeddings)


class _LossOf(keras.metrics.Mean):
    def __init__(self, mixture: LossPerDataSet, number: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._mixture, self._number = mixture, number

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        own = tf.equal(tf.cast(y_true[0, 0], tf.int32), self._number)
        value = tf.cond(
            own,
            lambda: self._mixture._of(self._number, y_true, y_pred),
            lambda: tf.constant(0.0),
        )
        size = tf.shape(y_true)[0]
        super().update_state(value, sample_weight=tf.where(own, size, 0))
