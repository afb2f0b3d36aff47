"""Losses for pairs of texts with a score, higher for more similar texts."""

from typing import Any

import keras
from keras import ops

from usetune.losses.base import MASKED, EmbeddingLoss, check_columns, check_positive
from usetune.losses.papers import bibtex_of
from usetune.similarity import AngularSimilarity, cosine_similarity, unit_length


@keras.saving.register_keras_serializable("usetune")
class AngularError(EmbeddingLoss):
    """A Keras loss between scores and angular similarities: the article's recipe.

    Equal to that Keras loss on the output of `usetune.build_siamese`.

    Args:
        function: name of a Keras loss, such as "mean_absolute_error".
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if Keras has no loss of that name.
    """

    citation = bibtex_of("cer2018universal")

    def __init__(self, function: str = "mean_squared_error", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            self._error = keras.losses.get(str(function))
        except ValueError:
            raise ValueError(
                f"function must be the name of a Keras loss. Received: {function!r}"
            ) from None
        self.function = function
        self._similarity = AngularSimilarity()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scores in [0, 1], (batch, 1), and embeddings (batch, 2, dim) → (batch,)."""
        check_columns(y_pred, 2)
        return self._error(y_true, self._similarity([y_pred[:, 0], y_pred[:, 1]]))

    def metrics(self) -> list[keras.metrics.Metric]:
        """Mean absolute error and mean absolute percentage error, as in the article.

        `fine_tune` leaves the second out where a score is 0.
        """
        return [
            keras.metrics.MeanMetricWrapper(AngularError(name).call, name=name)
            for name in ("mean_absolute_error", "mean_absolute_percentage_error")
        ]


@keras.saving.register_keras_serializable("usetune")
class CosineSquaredError(EmbeddingLoss):
    """Squared difference of score and cosine.

    The regression objective of Reimers and Gurevych, "Sentence-BERT", 2019, section 3.
    """

    citation = bibtex_of("reimers2019sentence")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scores in [-1, 1], (batch, 1), and embeddings (batch, 2, dim) → (batch,)."""
        check_columns(y_pred, 2)
        cosine = cosine_similarity(y_pred[:, 0], y_pred[:, 1])
        return ops.square(cosine - y_true[:, 0])


class _OrderLoss(EmbeddingLoss):
    """A penalty for each two pairs that the similarities put in the wrong order."""

    def __init__(self, scale: float = 20.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive("scale", scale)
        self.scale = scale

    def _disorder(self, scores: Any, similarities: Any) -> Any:
        """log(1 + Σ exp(scale (s_i - s_j))) over pairs of which j has the higher score.

        Args:
            scores: any shape, n elements.
            similarities: the same shape.

        Returns:
            A scalar; 0 where all scores are equal.
        """
        scores, similarities = ops.ravel(scores), self.scale * ops.ravel(similarities)
        exponents = ops.where(
            scores[:, None] < scores, similarities[:, None] - similarities, MASKED
        )
        return ops.logsumexp(ops.append(ops.zeros(1), exponents))


@keras.saving.register_keras_serializable("usetune")
class CoSENT(_OrderLoss):
    """The order of the cosines must follow the order of the scores.

    Only the order counts, so that scores may have any range (Huang et al., "CoSENT:
    Consistent sentence embedding via similarity ranking", 2024).

    Args:
        scale: factor of the cosines, one over the temperature; above 0.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("huang2024cosent")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scores (batch, 1) and embeddings (batch, 2, dim) → a scalar."""
        check_columns(y_pred, 2)
        return self._disorder(y_true, cosine_similarity(y_pred[:, 0], y_pred[:, 1]))


@keras.saving.register_keras_serializable("usetune")
class AnglE(_OrderLoss):
    """`CoSENT` on angles in complex space, which do not level off where cosines do.

    Li and Li, "AoE: Angle-optimized embeddings for semantic textual similarity", 2024,
    section 3.4: the halves of a vector are the real and imaginary parts of a complex
    one.

    Args:
        scale: factor of the similarities, one over the temperature; above 0.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.
    """

    citation = bibtex_of("li2023angle")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of the batch, a scalar.

        Args:
            y_true: (batch, 1), scores. Ignored where there are negatives: then
                each positive must be more similar than all negatives of the batch.
            y_pred: (batch, 2 or more, dim): a pair, or anchor, positive and negatives.
        """
        check_columns(y_pred, 2, or_more=True)
        similarities = _complex_similarity(y_pred[:, :1], y_pred[:, 1:])
        columns = ops.shape(similarities)[1]
        is_positive = ops.cast(ops.equal(ops.arange(columns), 0), y_pred.dtype)
        scores = ops.where(columns > 1, is_positive, y_true)
        return self._disorder(scores, similarities)


def _complex_similarity(x: Any, y: Any) -> Any:
    """|Σ (real + imaginary part)| of x / y over |x| / |y|, for vectors (..., dim)."""
    odd = x.shape[-1] % 2
    x, y = (
        unit_length(ops.pad(vectors, [(0, 0), (0, 0), (0, odd)])) for vectors in (x, y)
    )
    real, imaginary = ops.split(x, 2, axis=-1)
    # x / y is x times the conjugate of y over |y|²: both parts are dot products with y.
    parts = ops.concatenate([real + imaginary, imaginary - real], axis=-1)
    return ops.abs(ops.sum(parts * y, axis=-1))
