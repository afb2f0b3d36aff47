"""Losses for positive pairs, whose negatives are the other texts of the batch."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from usetune._utils.checks import check_choice
from usetune.losses.base import (
    MASKED,
    check_columns,
    check_positive,
    same_example,
)
from usetune.losses.distances import products
from usetune.losses.in_batch import InBatchLoss, known_positives
from usetune.losses.papers import bibtex_of
from usetune.similarity import unit_length

_DIRECTIONS = ("query_to_doc", "doc_to_query", "query_to_query", "doc_to_doc")
_HARDNESS = (None, "hard_negatives", "in_batch_negatives")


@keras.saving.register_keras_serializable("usetune")
class MultipleNegativesRanking(InBatchLoss):
    """In-batch negatives: each anchor must find its positive in the batch.

    The cross-entropy of picking the anchor's own positive by scaled similarities
    (Henderson et al., "Efficient natural language response suggestion for Smart Reply",
    2017, section 4.4). Anchors and positives of other examples that are about the same
    thing, or share a text with this one, would be false negatives: these texts are left
    out, as explicit negatives too.

    ``directions=("query_to_doc", "doc_to_query"), partition="per_direction"`` gives
    the symmetric loss; all four directions give that of Li et al., "Towards general
    text embeddings with multi-stage contrastive learning", 2023.

    Args:
        scale: factor of the similarities, one over the temperature; above 0. For dot
            products 1 is usual.
        similarity: "cosine" or "dot".
        directions: what an example's own pair competes with. "query_to_doc",
            always there: its anchor with all positives and negatives. "doc_to_query":
            its positive with all anchors. "query_to_query": its anchor with the other
            anchors. "doc_to_doc": its positive with other examples' positives and
            negatives.
        partition: "joint" for one softmax over all directions, "per_direction" for the
            mean of one each, which takes the first two directions only.
        hardness: which negatives of "query_to_doc" weigh more the nearer they are:
            "hard_negatives", the example's own explicit ones, "in_batch_negatives",
            all texts of other examples (Lan et al., "LLaVE", 2025, equation 5), or
            None.
        hardness_strength: their logits grow by this factor times their similarity;
            above 0, or 0 without ``hardness``.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if an argument is out of range or not one of its choices.
    """

    citation = bibtex_of("henderson2017efficient")

    def __init__(
        self,
        scale: float = 20.0,
        similarity: str = "cosine",
        directions: Sequence[str] = ("query_to_doc",),
        partition: str = "joint",
        hardness: str | None = None,
        hardness_strength: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("scale", scale)
        check_choice("similarity", similarity, ("cosine", "dot"))
        check_choice("partition", partition, ("joint", "per_direction"))
        check_choice("hardness", hardness, _HARDNESS)
        allowed = _DIRECTIONS if partition == "joint" else _DIRECTIONS[:2]
        distinct = set(directions)
        if (
            "query_to_doc" not in distinct
            or not distinct.issubset(allowed)
            or len(distinct) < len(directions)
        ):
            raise ValueError(
                "directions must hold 'query_to_doc', and each at most once of "
                f"{list(allowed)} with partition={partition!r}. Received: {directions}"
            )
        if hardness_strength < 0 or (hardness is None) != (hardness_strength == 0):
            raise ValueError(
                "hardness_strength must be above 0 with a hardness, and 0 without. "
                f"Received: {hardness_strength} with hardness={hardness!r}"
            )
        self.scale = scale
        self.similarity = similarity
        self.directions = tuple(directions)
        self.partition = partition
        self.hardness = hardness
        self.hardness_strength = hardness_strength

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each example.

        Args:
            y_true: what `target` gives, or only its first column (batch, 1), a number
                for the thing that the texts are about, below 2**24, because Keras
                passes it as float32.
            y_pred: (batch, 2 or more, dim): anchor, positive, and further negatives.

        Returns:
            float32 (batch,).
        """
        check_columns(y_pred, 2, or_more=True)
        if self.similarity == "cosine":
            y_pred = unit_length(y_pred)
        anchors, positives, documents = y_pred[:, 0], y_pred[:, 1], y_pred[:, 1:]
        own = same_example(y_true)[:, :, None]
        known = known_positives(y_true, ops.shape(y_pred)[1])
        of_anchors, of_documents = known[:, :, :1], known[:, :, 1:]
        is_positive = ops.equal(ops.arange(ops.shape(documents)[1]), 0)
        # Of each direction: what is compared with what, and what is left out.
        comparisons = {
            "query_to_doc": (anchors, documents, of_documents & ~(own & is_positive)),
            "doc_to_query": (positives, y_pred[:, :1], of_anchors & ~own),
            "query_to_query": (anchors, y_pred[:, :1], of_anchors),
            "doc_to_doc": (positives, documents, of_documents | own),
        }
        logits = {}
        for direction in self.directions:
            left, right, excluded = comparisons[direction]
            similarities = products(left, right)
            scores = self.scale * similarities
            if direction == "query_to_doc" and self.hardness:
                hard = self.hardness == "hard_negatives"
                harder = own & ~is_positive if hard else ~own
                extra = self.hardness_strength * ops.stop_gradient(similarities)
                scores += ops.where(harder, extra, 0.0)
            logits[direction] = ops.where(excluded, MASKED, scores)
        own_score = ops.diagonal(logits["query_to_doc"][:, :, 0])
        if self.partition == "joint":
            joint = ops.concatenate([*logits.values()], axis=2)
            return ops.logsumexp(joint, axis=(1, 2)) - own_score
        partitions = [ops.logsumexp(each, axis=(1, 2)) for each in logits.values()]
        return sum(partitions) / len(partitions) - own_score


@keras.saving.register_keras_serializable("usetune")
class MegaBatchMargin(InBatchLoss):
    """A margin for the positive, and one for the nearest negative of a large batch.

    For batches of hundreds, in which one negative is hard (Wieting and Gimpel,
    "ParaNMT-50M", 2018). Known positives of the anchor are left out, as in
    `MultipleNegativesRanking`.

    Args:
        positive_margin: cosine from which the positive is near enough, in [-1, 1].
        negative_margin: cosine up to which the negative is far enough, in [-1, 1].
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if a margin is outside of [-1, 1].
    """

    citation = bibtex_of("wieting2018paranmt")

    def __init__(
        self,
        positive_margin: float = 0.8,
        negative_margin: float = 0.3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not (-1 <= positive_margin <= 1 and -1 <= negative_margin <= 1):
            raise ValueError(
                "positive_margin and negative_margin must be in [-1, 1]. "
                f"Received: {positive_margin} and {negative_margin}"
            )
        self.positive_margin = positive_margin
        self.negative_margin = negative_margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What `target` gives and embeddings (batch, 2, dim) → (batch,)."""
        check_columns(y_pred, 2)
        y_pred = unit_length(y_pred)
        cosines = products(y_pred[:, 0], y_pred[:, 1:])[:, :, 0]
        known = known_positives(y_true, 2)[:, :, 1]
        nearest = ops.max(ops.where(known, MASKED, cosines), axis=1)
        return ops.relu(self.positive_margin - ops.diagonal(cosines)) + ops.relu(
            nearest - self.negative_margin
        )
