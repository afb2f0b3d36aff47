"""Losses by which the positive must be nearer than the negative by a margin."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from usetune._utils.checks import check_choice
from usetune.losses.base import (
    MarginLoss,
    check_columns,
    same_example,
    same_id,
)
from usetune.losses.distances import DISTANCES, distance_between, distances_within
from usetune.losses.in_batch import TextAwareLoss
from usetune.losses.papers import bibtex_of

# The name of the metric that tells the share of the triplets with a loss.
ACTIVE = "active"


class _TripletLoss(MarginLoss, TextAwareLoss):
    """A loss of triplets: an anchor, a positive and a negative each."""

    def metrics(self) -> list[keras.metrics.Metric]:
        """The share of `active` triplets, under the name `ACTIVE`."""
        return [keras.metrics.MeanMetricWrapper(self.active, name=ACTIVE)]

    def active(self, y_true: Any, y_pred: Any) -> Any:
        """Share of the triplets that the loss still changes.

        Args:
            y_true: as in ``call``.
            y_pred: as in ``call``.

        Returns:
            A scalar in [0, 1]: the share of the valid or mined triplets that violate
            the margin; 0 if there are none.
        """
        violation, valid = self._triplets(
            ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        )
        return _mean(ops.cast(valid & (violation > 0), "float32"), valid)

    def _triplets(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """By how much each triplet violates its margin, and which triplets count."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("usetune")
class Triplet(_TripletLoss):
    """The positive must be nearer to the anchor than each negative by the margin.

    Schroff, Kalenichenko and Philbin, "FaceNet", 2015, section 3.1, with plain instead
    of squared distances.

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        margin: above 0. The default can be met by unit vectors, whose distances reach
            `largest_distance`; the common 5 with Euclidean distance cannot.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("schroff2015facenet")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each example.

        Args:
            y_true: ignored.
            y_pred: (batch, 3 or more, dim): anchor, positive, negatives.

        Returns:
            float32 (batch,), the mean over the negatives.
        """
        violation, _ = self._triplets(y_true, y_pred)
        return ops.mean(ops.relu(violation), axis=1)

    def _triplets(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        check_columns(y_pred, 3, or_more=True)
        distances = distance_between(self.distance, y_pred[:, :1], y_pred[:, 1:])
        violation = distances[:, :1] - distances[:, 1:] + self.margin
        return violation, ops.ones_like(violation, dtype="bool")


@keras.saving.register_keras_serializable("usetune")
class BatchAll(_TripletLoss):
    """The mean over all triplets of a batch that violate the margin.

    Hermans, Beyer and Leibe, "In defense of the triplet loss for person
    re-identification", 2017, section 2, batch all, averaged over triplets with a loss.

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        margin: above 0; the default can be met by unit vectors, see `Triplet`.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("hermans2017defense")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What `target` gives and embeddings (batch, 1, dim) → a scalar."""
        violation, valid = self._triplets(y_true, y_pred)
        counted = valid & (violation > 0)
        return _mean(ops.where(counted, violation, 0.0), counted)

    def _triplets(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        nearer, farther, negative = _positive_pairs(self.distance, y_true, y_pred)
        return nearer - farther + self.margin, negative


@keras.saving.register_keras_serializable("usetune")
class BatchSemiHard(_TripletLoss):
    """Each two texts of a class with the nearest negative that is farther than them.

    If no negative of the anchor is farther than the positive, then with the farthest
    (Schroff, Kalenichenko and Philbin, "FaceNet", 2015, section 3.2).

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        margin: above 0; the default can be met by unit vectors, see `Triplet`.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("schroff2015facenet")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What `target` gives and embeddings (batch, 1, dim) → a scalar."""
        violation, valid = self._triplets(y_true, y_pred)
        return _mean(ops.relu(violation), valid)

    def _triplets(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        positive, others, negative = _positive_pairs(self.distance, y_true, y_pred)
        beyond = negative & (others > positive)
        # keras.ops.min and max refuse tensors without elements: there may be no pair.
        nearest = tf.reduce_min(ops.where(beyond, others, float("inf")), axis=1)
        farthest = tf.reduce_max(ops.where(negative, others, 0.0), axis=1)
        mined = ops.where(ops.any(beyond, axis=1), nearest, farthest)
        violation = positive[:, 0] - mined + self.margin
        return violation, ops.ones_like(violation, dtype="bool")


@keras.saving.register_keras_serializable("usetune")
class BatchHard(_TripletLoss):
    """Each text with the farthest one of its class and the nearest one of another.

    Hermans, Beyer and Leibe, "In defense of the triplet loss for person
    re-identification", 2017, section 2, batch hard. A text that is alone in its class
    counts with a positive at distance 0; in a batch of one class the negative is as far
    as the farthest text, so that nothing is learned from it.

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        margin: above 0; the default can be met by unit vectors, see `Triplet`.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("hermans2017defense")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What `target` gives and embeddings (batch, 1, dim) → (batch,)."""
        violation, _ = self._triplets(y_true, y_pred)
        return ops.relu(violation)

    def _triplets(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        gap, valid = _hardest_gap(self.distance, y_true, y_pred)
        return gap + self.margin, valid


@keras.saving.register_keras_serializable("usetune")
class BatchHardSoftMargin(TextAwareLoss):
    """`BatchHard` without a limit: the better a triplet, the less the loss changes it.

    The softplus of the difference stands in for the margin (Hermans, Beyer and Leibe,
    2017, section 2, soft margin).

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if ``distance`` is unknown.
    """

    citation = bibtex_of("hermans2017defense")

    def __init__(self, distance: str = "cosine", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_choice("distance", distance, DISTANCES)
        self.distance = distance

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What `target` gives and embeddings (batch, 1, dim) → (batch,)."""
        gap, _ = _hardest_gap(self.distance, y_true, y_pred)
        return ops.softplus(gap)


def _positive_pairs(distance: str, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
    """Every two texts of a class, in both orders, and all texts of the batch.

    Returns:
        Distance of the two (pairs, 1), distances of the first to all texts (pairs,
        batch), and which of those are negatives (pairs, batch).
    """
    check_columns(y_pred, 1)
    distances = distances_within(distance, y_pred[:, 0])
    same, negative = _same_and_negative(y_true)
    pairs = tf.where(same & ~same_example(y_true))
    anchors = pairs[:, 0]
    positive = tf.gather_nd(distances, pairs)[:, None]
    return positive, tf.gather(distances, anchors), tf.gather(negative, anchors)


def _hardest_gap(distance: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Farthest positive minus nearest negative of each text, and who has both."""
    check_columns(y_pred, 1)
    distances = distances_within(distance, y_pred[:, 0])
    same, negative = _same_and_negative(y_true)
    positive = same & ~same_example(y_true)
    farthest = ops.max(ops.where(positive, distances, 0.0), axis=1)
    largest = ops.max(distances, axis=1, keepdims=True)
    nearest = ops.min(ops.where(negative, distances, largest), axis=1)
    valid = ops.any(positive, axis=1) & ops.any(negative, axis=1)
    return farthest - nearest, valid


def _same_and_negative(y_true: Any) -> tuple[Any, Any]:
    """Which texts are of one class, and which of another without being the same text.

    Args:
        y_true: (batch, 2), classes and numbers of texts, or classes alone (batch, 1).

    Returns:
        Two bool (batch, batch).
    """
    return same_id(y_true[:, :1]), ~same_id(y_true)


def _mean(values: Any, counted: Any) -> Any:
    """Sum of all values over the number of the counted ones; 0 without any."""
    number = ops.sum(ops.cast(counted, "float32"))
    return ops.sum(values) / ops.maximum(number, 1.0)
