"""Losses for pairs of texts with a label: alike or not, or one of several classes."""

from typing import Any

import keras
import numpy as np
from keras import ops

from usetune.losses.base import EmbeddingLoss, MarginLoss, check_columns
from usetune.losses.distances import distance_between
from usetune.losses.papers import bibtex_of


@keras.saving.register_keras_serializable("usetune")
class Contrastive(MarginLoss):
    """Pulls alike pairs together and others apart until they are ``margin`` away.

    Half the squared distance of alike pairs, and for others half the square of what the
    distance falls short of the margin (Hadsell, Chopra and LeCun, "Dimensionality
    reduction by learning an invariant mapping", 2006, equation 4).

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        margin: distance from which pairs that are not alike are left alone; above 0.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("hadsell2006dimensionality")
    learning_rate = 3e-4

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Labels (batch, 1), 1 for alike, and embeddings (batch, 2, dim) → (batch,)."""
        check_columns(y_pred, 2)
        alike = y_true[:, 0]
        distance = distance_between(self.distance, y_pred[:, 0], y_pred[:, 1])
        violation = ops.relu(self.margin - distance)
        return (alike * ops.square(distance) + (1 - alike) * ops.square(violation)) / 2


@keras.saving.register_keras_serializable("usetune")
class OnlineContrastive(MarginLoss):
    """Contrastive loss of only the pairs of a batch that are in the wrong order.

    Those are the alike pairs farther than the nearest other pair, and the others nearer
    than the farthest alike pair; if the batch has only one kind, those beyond the mean.
    The losses are summed and not halved, as the reference implementation
    (sentence-transformers) has it.

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        margin: distance from which pairs that are not alike are left alone; above 0.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("hadsell2006dimensionality")
    learning_rate = 3e-4

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Labels (batch, 1), 1 for alike, and embeddings (batch, 2, dim) → a scalar."""
        check_columns(y_pred, 2)
        distance = distance_between(self.distance, y_pred[:, 0], y_pred[:, 1])
        alike = ops.equal(y_true[:, 0], 1)
        mean = ops.mean(distance)
        farthest = ops.max(ops.where(alike, distance, -np.inf))
        nearest = ops.min(ops.where(alike, np.inf, distance))
        far = alike & (distance > ops.where(ops.all(alike), mean, nearest))
        near = ~alike & (distance < ops.where(ops.any(alike), farthest, mean))
        violation = ops.relu(self.margin - distance)
        losses = ops.where(far, ops.square(distance), 0.0)
        return ops.sum(losses + ops.where(near, ops.square(violation), 0.0))


@keras.saving.register_keras_serializable("usetune")
class Softmax(EmbeddingLoss):
    """Classifies pairs, such as premise and hypothesis, by ``(u, v, |u - v|)``.

    The classifier is one dense layer with a bias (Reimers and Gurevych,
    "Sentence-BERT", 2019, section 3, classification objective). It is trained with the
    encoder, and only the encoder is of use afterwards: the configuration does not hold
    its weights.

    Args:
        classes: number of classes, at least 2.
        seed: seed of the classifier's initial weights.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if there are fewer than two classes.
    """

    citation = bibtex_of("reimers2019sentence")

    def __init__(self, classes: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if classes < 2:
            raise ValueError(f"classes must be at least 2. Received: {classes}")
        self.classes = classes
        self.seed = seed
        self.layers = [self._classifier()]

    def build(self, dim: int) -> None:
        """Create the classifier anew, for embeddings of ``dim`` components."""
        self.layers = [self._classifier()]
        self.layers[0].build((None, 3 * dim))

    def _classifier(self) -> keras.layers.Layer:
        first = keras.initializers.GlorotUniform(seed=self.seed)
        return keras.layers.Dense(
            self.classes, kernel_initializer=first, dtype="float32"
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Classes (batch, 1) and embeddings (batch, 2, dim) → (batch,)."""
        check_columns(y_pred, 2)
        u, v = y_pred[:, 0], y_pred[:, 1]
        logits = self.layers[0](ops.concatenate([u, v, ops.abs(u - v)], axis=-1))
        return keras.losses.sparse_categorical_crossentropy(
            y_true, logits, from_logits=True
        )
