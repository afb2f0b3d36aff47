"""In-batch negatives that a second encoder filters."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from usetune._utils.checks import check_choice
from usetune.losses.base import (
    MASKED,
    check_columns,
    check_positive,
    same_example,
)
from usetune.losses.distances import products
from usetune.losses.in_batch import InBatchLoss, known_positives, number_texts
from usetune.losses.papers import bibtex_of
from usetune.similarity import unit_length

# Cosines of the same two texts differ by less: rounding must not decide what is masked.
_ROUNDING = 1e-6


@keras.saving.register_keras_serializable("usetune")
class GIST(InBatchLoss):
    """In-batch negatives without those that a guide finds as near as the positive.

    Anchors compete with all positives, negatives and other anchors, positives with
    other positives, in one softmax. What the guide's cosine puts at least as near as
    the example's own pair is taken for a false negative and left out, duplicates of a
    text included (Solatorio, "GISTEmbed: Guided in-sample selection of training
    negatives for text embedding fine-tuning", 2024). Known positives are left out as in
    `MultipleNegativesRanking`, whatever the guide says.

    Args:
        guide: anything with ``encode(texts)`` → float array (n, guide_dim), such as an
            `Encoder`; `target` calls it. It is not part of the configuration: a loss
            that is read back has None.
        temperature: divides the cosines; above 0.
        margin_strategy: "absolute" leaves out negatives from the cosine of the own pair
            minus ``margin`` on, "relative" from it minus ``margin`` times its size on.
        margin: at least 0.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if an argument is out of range, or the strategy is unknown.
    """

    citation = bibtex_of("solatorio2024gistembed")

    def __init__(
        self,
        guide: Any = None,
        temperature: float = 0.01,
        margin_strategy: str = "absolute",
        margin: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("temperature", temperature)
        check_choice("margin_strategy", margin_strategy, ("absolute", "relative"))
        if not margin >= 0:
            raise ValueError(f"margin must be at least 0. Received: {margin}")
        self.guide = guide
        self.temperature = temperature
        self.margin_strategy = margin_strategy
        self.margin = margin

    def target(
        self, columns: Sequence[Sequence[str]], labels: np.ndarray
    ) -> np.ndarray:
        """Numbers of things and texts, and the guide's embedding of each text.

        Each distinct text is encoded once.

        Args:
            columns: the texts, one sequence (n,) for each column of ``y_pred``.
            labels: a number for the thing that each example is about, (n,).

        Returns:
            float32 array (n, columns, 2 + guide_dim): for each text the thing, its own
            number, and the guide's embedding.

        Raises:
            ValueError: if there is no guide.
        """
        if self.guide is None:
            raise ValueError("guide must be an encoder to train with. Received: None")
        numbers, texts = number_texts(columns)
        embeddings = np.asarray(self.guide.encode(texts), dtype=np.float32)
        things = np.broadcast_to(np.reshape(labels, (-1, 1)), numbers.shape)
        told = np.stack([things, numbers], axis=2).astype(np.float32)
        return np.concatenate([told, embeddings[numbers]], axis=2)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each example.

        Args:
            y_true: (batch, columns, 2 + guide_dim), what `target` gives.
            y_pred: (batch, 2 or more, dim): anchor, positive, and further negatives.

        Returns:
            float32 (batch,).
        """
        check_columns(y_pred, 2, or_more=True)
        ids = ops.concatenate([y_true[:, :1, 0], y_true[:, :, 1]], axis=1)
        known = known_positives(ids, ops.shape(y_pred)[1])
        # In the order of `_cosines`.
        known = [known[:, :, 1:], known[:, :, :1], known[:, :, 1:2]]
        guided = _cosines(y_true[:, :, 2:])
        threshold = ops.diagonal(guided[:, :, 0])
        relative = self.margin_strategy == "relative"
        threshold -= self.margin * (ops.abs(threshold) if relative else 1.0)
        too_near = guided >= threshold[:, None, None] - _ROUNDING
        excluded = too_near | ops.concatenate(known, axis=2)
        logits = _cosines(y_pred) / self.temperature
        is_positive = ops.equal(ops.arange(ops.shape(logits)[2]), 0)
        own_pair = same_example(y_pred)[:, :, None] & is_positive
        logits = ops.where(excluded & ~own_pair, MASKED, logits)
        return ops.logsumexp(logits, axis=(1, 2)) - ops.diagonal(logits[:, :, 0])

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` without the guide."""
        config = super().get_config()
        del config["guide"]
        return config


def _cosines(embeddings: Any) -> Any:
    """All cosines that compete, (batch, batch, columns + 1).

    In the last axis: anchor with positive, with each negative, with anchor, and
    positive with positive.
    """
    embeddings = unit_length(embeddings)
    anchors, positives = embeddings[:, 0], embeddings[:, 1]
    return ops.concatenate(
        [
            products(anchors, embeddings[:, 1:]),
            products(anchors, embeddings[:, :1]),
            products(positives, embeddings[:, 1:2]),
        ],
        axis=2,
    )
