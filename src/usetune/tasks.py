"""What shape of data is trained on how."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from usetune.encoder import Encoder
from usetune.losses import MultipleNegativesRanking
from usetune.optimizers import FusedAdam, article_optimizer, warmup_cosine
from usetune.pairs import POSITIVE, SCORED, text_columns
from usetune.siamese import build_embedder, build_siamese


@dataclass(frozen=True)
class Task:
    """How pairs of one shape are trained on.

    Attributes:
        columns: those that hold texts.
        target: what the loss compares with, one number a pair.
        build: the model to train on an encoder.
        loss: the default loss.
        metrics: Keras metrics to report.
        optimizer: the default optimizer for a number of steps.
        batch_size: the default pairs in a step.
    """

    columns: list[str]
    target: Callable[[pd.DataFrame], np.ndarray]
    build: Callable[[Encoder], keras.Model]
    loss: keras.losses.Loss | str
    metrics: list[str]
    optimizer: Callable[[int], keras.optimizers.Optimizer]
    batch_size: int

    def check(self, pairs: pd.DataFrame) -> None:
        """Raise ValueError if other pairs lack a column of texts of this task."""
        missing = [column for column in self.columns if column not in pairs]
        if missing:
            raise ValueError(
                f"validation lacks the columns {missing} of the training pairs. "
                f"Received: {list(pairs.columns)}"
            )

    def dataset(self, pairs: pd.DataFrame) -> tf.data.Dataset:
        """Pairs as inputs and target (1,) of the model, one at a time."""
        texts = {
            column: tf.constant(pairs[column].tolist(), tf.string)
            for column in self.columns
        }
        target = self.target(pairs).astype("float32")[:, None]
        return tf.data.Dataset.from_tensor_slices((texts, target))


def task_for(pairs: pd.DataFrame) -> Task:
    """The task for pairs, recognised by their columns.

    Args:
        pairs: DataFrame with base, ref and similarity, or with anchor and positive,
            and perhaps negative columns and occupation.

    Raises:
        ValueError: if the columns are neither, or a similarity is outside of [0, 1].
    """
    if all(column in pairs for column in SCORED):
        if not pairs["similarity"].between(0, 1).all():
            raise ValueError(
                "pairs: similarity must be a number in [0, 1] in every row"
            )
        return Task(
            columns=["base", "ref"],
            target=lambda pairs: pairs["similarity"].to_numpy(),
            build=build_siamese,
            loss="mean_squared_error",
            metrics=["mean_absolute_error", "mean_absolute_percentage_error"],
            optimizer=lambda steps: article_optimizer(),
            batch_size=8,
        )
    if all(column in pairs for column in POSITIVE):
        negatives = [column for column in text_columns(pairs) if column not in POSITIVE]
        columns = [*POSITIVE, *negatives]
        same = "occupation" if "occupation" in pairs else "positive"
        return Task(
            columns=columns,
            target=lambda pairs: pd.factorize(pairs[same])[0],
            build=lambda encoder: build_embedder(encoder, columns),
            loss=MultipleNegativesRanking(),
            metrics=[],
            optimizer=lambda steps: FusedAdam(warmup_cosine(5e-4, steps)),
            batch_size=128,
        )
    raise ValueError(
        f"pairs must have the columns {SCORED} or {POSITIVE}. "
        f"Received: {list(pairs.columns)}"
    )
