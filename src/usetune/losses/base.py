"""The base class of the losses, and checks of their arguments."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from usetune._utils.checks import check_choice
from usetune.losses.distances import DISTANCES, largest_distance

# A logit that gets no probability and no gradient next to any other.
MASKED = -1e9


class EmbeddingLoss(keras.losses.Loss):
    """A loss on the embeddings of the texts of each example.

    ``y_pred`` is float32 (batch, columns, dim), what `fine_tune` embeds.
    The vectors may have any length: a loss normalises them where its definition does.
    ``y_true`` is float32, what `target` gives: for most losses (batch, 1).

    Args:
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Attributes:
        citation: BibTeX of the paper that the loss comes from, "" for none.
        learning_rate: what the default optimizer of `fine_tune`, Adam, rises to;
            `AngularError` has the article's optimizer instead.
        layers: trainable Keras layers that the loss owns. Who trains with the loss
            calls `build`, then trains their weights too.
    """

    citation = ""
    learning_rate = 1e-4

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layers: list[keras.layers.Layer] = []

    def target(
        self, columns: Sequence[Sequence[str]], labels: np.ndarray
    ) -> np.ndarray:
        """Make the ``y_true`` of examples.

        Args:
            columns: the texts, one sequence (n,) for each column of ``y_pred``.
            labels: numbers (n,). Ids of things or classes must be below 2**24, so that
                float32 tells them apart.

        Returns:
            float32 array with n rows: (n, 1), the labels.
        """
        return np.asarray(labels, dtype=np.float32).reshape(-1, 1)

    def build(self, dim: int) -> None:
        """Create the weights of `layers` for embeddings of ``dim`` components."""

    def problems(self, dim: int) -> list[str]:
        """Say what keeps the loss from its aim; `fine_tune` warns of it.

        Args:
            dim: components of the embeddings, which have unit length.

        Returns:
            Sentences without a full stop; none by default.
        """
        return []

    def metrics(self) -> list[keras.metrics.Metric]:
        """Create the metrics that `fine_tune` reports in addition to the loss.

        Returns:
            New metrics of the loss's ``y_true`` and ``y_pred``; none by default.
        """
        return []

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, which a loss keeps under their names."""
        names = inspect.signature(type(self).__init__).parameters
        own = {name: value for name, value in vars(self).items() if name in names}
        return {**super().get_config(), **own}


class MarginLoss(EmbeddingLoss):
    """A loss that compares distances with a margin.

    Args:
        distance: "cosine", "euclidean" or "manhattan".
        margin: as the loss describes it; above 0.
        **kwargs: name, reduction and dtype of `keras.losses.Loss`.

    Raises:
        ValueError: if ``distance`` is unknown or ``margin`` is not above 0.
    """

    def __init__(
        self, distance: str = "cosine", margin: float = 0.5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_choice("distance", distance, DISTANCES)
        check_positive("margin", margin)
        self.distance = distance
        self.margin = margin

    def problems(self, dim: int) -> list[str]:
        """Say so if the margin exceeds the largest distance of unit vectors."""
        largest = largest_distance(self.distance, dim)
        if self.margin <= largest:
            return []
        return [
            f"{type(self).__name__} has the margin {self.margin}, and unit vectors are "
            f"at most {largest:.4g} apart ({self.distance} distance): the loss cannot "
            "reach 0, and pulls at texts that are as far apart as can be"
        ]


def same_id(ids: Any) -> Any:
    """Which examples have one of k ids in common: (batch, k) → bool (batch, batch)."""
    ids = ops.convert_to_tensor(ids)
    return ops.any(ops.equal(ids[:, None], ids), axis=2)


def same_example(batch: Any) -> Any:
    """The diagonal: a tensor (batch, …) → bool (batch, batch)."""
    number = ops.arange(ops.shape(batch)[0])
    return ops.equal(number[:, None], number)


def check_columns(y_pred: Any, number: int, or_more: bool = False) -> None:
    """Raise ValueError if examples do not have as many texts as a loss takes."""
    columns = y_pred.shape[1] if len(y_pred.shape) == 3 else 0
    if columns is None or columns == number or (or_more and columns > number):
        return
    expected = f"(batch, {number}{' or more' if or_more else ''}, dim)"
    raise ValueError(
        f"y_pred must have the shape {expected}. Received: {tuple(y_pred.shape)}"
    )


def check_positive(name: str, value: float) -> None:
    """Raise ValueError if an argument is not above 0."""
    if not value > 0:
        raise ValueError(f"{name} must be above 0. Received: {value}")
