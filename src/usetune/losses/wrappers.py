"""Losses around another loss."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from usetune.losses.base import EmbeddingLoss, check_positive
from usetune.losses.in_batch import InBatchLoss
from usetune.losses.papers import bibtex_of
from usetune.similarity import unit_length


class _Wrapper(EmbeddingLoss):
    """A loss around another, whose targets it takes.

    Attributes:
        loss: the inner loss.
    """

    def __init__(self, loss: EmbeddingLoss, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss = loss

    def target(
        self, columns: Sequence[Sequence[str]], labels: np.ndarray
    ) -> np.ndarray:
        """The target of the inner loss."""
        return self.loss.target(columns, labels)

    def problems(self, dim: int) -> list[str]:
        """The problems of the inner loss."""
        return self.loss.problems(dim)

    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of the inner loss, on embeddings of full width."""
        return self.loss.metrics()

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A loss from what `get_config` gives."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


@keras.saving.register_keras_serializable("usetune")
class Matryoshka(_Wrapper):
    """The sum of a loss on the first components of the embeddings, for several widths.

    Embeddings may then be cut to any of the widths. Each cut is brought to unit length
    (Kusupati et al., "Matryoshka representation learning", 2022, equation 1).

    Args:
        loss: on the cut embeddings; one without layers of its own.
        dims: the widths in any order, each at most the width of the embeddings, which
            is not added automatically.
        weights: factor of the loss for each of ``dims``, above 0. Default: 1 for all.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Attributes:
        dims: the widths, largest first.
        weights: in the order of ``dims``.

    Raises:
        ValueError: if an argument is out of range, or the loss does not qualify.
    """

    citation = bibtex_of("kusupati2022matryoshka")

    def __init__(
        self,
        loss: EmbeddingLoss,
        dims: Sequence[int],
        weights: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(loss, **kwargs)
        # Layers have one input width; `Cached` must see the whole step.
        plain = isinstance(loss, EmbeddingLoss) and not isinstance(loss, Cached)
        if not plain or loss.layers:
            raise ValueError(
                "loss must be an EmbeddingLoss without layers of its own and not "
                f"Cached. Received: {loss}"
            )
        self.learning_rate = loss.learning_rate
        if not dims or min(dims) < 1 or len(set(dims)) < len(dims):
            raise ValueError(
                f"dims must be distinct integers of at least 1. Received: {dims}"
            )
        weights = [1.0] * len(dims) if weights is None else weights
        if len(weights) != len(dims):
            raise ValueError(
                f"weights must be as many as dims, {len(dims)}. Received: {weights}"
            )
        for weight in weights:
            check_positive("weights", weight)
        ordered = sorted(zip(dims, weights, strict=True), reverse=True)
        self.dims = [dim for dim, _ in ordered]
        self.weights = [weight for _, weight in ordered]

    def build(self, dim: int) -> None:
        """Raise ValueError if embeddings of ``dim`` components are too short."""
        if self.dims[0] > dim:
            raise ValueError(
                f"dims must be at most {dim}, the width of the embeddings. "
                f"Received: {self.dims}"
            )

    def problems(self, dim: int) -> list[str]:
        """Also say so if the full width is not among ``dims``: it is not trained."""
        if self.dims[0] >= dim:
            return super().problems(dim)
        return [
            *super().problems(dim),
            f"dims={self.dims} lacks {dim}, the width of the embeddings: whole ones "
            "are not trained, only cut ones. Add it, unless only cut ones are used",
        ]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The weighted sum of what the inner loss gives for each width."""
        self.build(y_pred.shape[-1])
        return sum(
            weight * self.loss.call(y_true, unit_length(y_pred[..., :dim]))
            for dim, weight in zip(self.dims, self.weights, strict=True)
        )


@keras.saving.register_keras_serializable("usetune")
class Cached(_Wrapper):
    """A loss with in-batch negatives whose batch is embedded in parts.

    The value is that of the inner loss on the whole batch. A training step that knows
    this class embeds ``mini_batch_size`` examples at a time, twice, so that memory does
    not grow with the batch and its negatives (Gao et al., "Scaling deep contrastive
    learning batch size under memory limited setup", 2021, section 3).

    Args:
        loss: `MultipleNegativesRanking`, `MegaBatchMargin`, `GIST`, or `Matryoshka`
            around one of them: other losses treat examples apart, and smaller batches
            serve as well.
        mini_batch_size: examples to embed at a time, at least 1.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if the loss is another, or ``mini_batch_size`` is not above 0.
    """

    citation = bibtex_of("gao2021scaling")

    def __init__(
        self, loss: EmbeddingLoss, mini_batch_size: int = 32, **kwargs: Any
    ) -> None:
        super().__init__(loss, **kwargs)
        inner = loss.loss if isinstance(loss, Matryoshka) else loss
        if not isinstance(inner, InBatchLoss):
            raise ValueError(
                "loss must be MultipleNegativesRanking, MegaBatchMargin or GIST, or "
                f"Matryoshka around one of them. Received: {loss}"
            )
        self.learning_rate = loss.learning_rate
        check_positive("mini_batch_size", mini_batch_size)
        self.mini_batch_size = mini_batch_size

    def build(self, dim: int) -> None:
        """Check the inner loss against embeddings of ``dim`` components."""
        self.loss.build(dim)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What the inner loss gives for the whole batch."""
        return self.loss.call(y_true, y_pred)


def innermost(loss: EmbeddingLoss) -> EmbeddingLoss:
    """The loss within `Matryoshka` and `Cached`."""
    while isinstance(loss, _Wrapper):
        loss = loss.loss
    return loss
