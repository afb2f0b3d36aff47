"""What the losses share whose negatives are texts of the batch's other examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops

from usetune.losses.base import EmbeddingLoss, same_id


class TextAwareLoss(EmbeddingLoss):
    """A loss that is told which texts of a batch are the same."""

    def target(
        self, columns: Sequence[Sequence[str]], labels: np.ndarray
    ) -> np.ndarray:
        """Numbers that tell things, or classes, and texts apart.

        Args:
            columns: the texts, one sequence (n,) for each column of ``y_pred``.
            labels: a number for the thing or class of each example, (n,).

        Returns:
            float32 array (n, 1 + columns): the label, and each of the texts.

        Raises:
            ValueError: if there are too many texts for float32 to number.
        """
        numbers, _ = number_texts(columns)
        return np.column_stack([labels, numbers]).astype(np.float32)


class InBatchLoss(TextAwareLoss):
    """A loss whose negatives are the texts of the batch's other examples.

    A known positive of an example is never its negative. Two examples are alike that
    are about the same thing, or have an anchor or a positive in common. The anchors and
    positives of alike examples are left out wherever they occur, as explicit negatives
    too.
    """

    learning_rate = 5e-4


def number_texts(columns: Sequence[Sequence[str]]) -> tuple[np.ndarray, list[str]]:
    """Number distinct texts in the order of their first occurrence.

    Args:
        columns: sequences (n,) of texts.

    Returns:
        Numbers (n, columns), and the texts by number.

    Raises:
        ValueError: if there are more than 2**24, which float32 does not tell apart.
    """
    texts = np.array([text for column in columns for text in column], dtype=object)
    numbers, distinct = pd.factorize(texts)
    if len(distinct) > 2**24:
        raise ValueError(
            "a data set with in-batch negatives can hold 16,777,216 distinct texts. "
            f"Received: {len(distinct):,}"
        )
    return numbers.reshape(len(columns), -1).T, distinct.tolist()


def known_positives(y_true: Any, columns: int) -> Any:
    """Which texts of a batch are no negatives of which example.

    Args:
        y_true: (batch, 1 + columns), the target of `TextAwareLoss`; or (batch, 1),
            things alone, where every text is another.
        columns: number of texts in an example.

    Returns:
        bool (batch, batch, columns): at i, j, k whether the text k of the example j is
        an anchor or a positive of an example that is like i, or of i itself.
    """
    y_true = ops.convert_to_tensor(y_true)
    if y_true.shape[1] == 1:
        return same_id(y_true)[:, :, None] & (ops.arange(columns) < 2)
    texts = y_true[:, 1:]
    crossed = ops.equal(texts[:, :1], texts[:, 1])
    alike = same_id(y_true[:, :3]) | crossed | ops.transpose(crossed)
    # Of each distinct text the examples that are like one that has it in its pair:
    # sums by text, as a matrix product would take batch³ steps.
    _, numbers = tf.unique(tf.reshape(texts, [-1]))
    numbers = tf.reshape(numbers, tf.shape(texts))
    counts = sum(
        tf.math.unsorted_segment_sum(
            tf.cast(alike, tf.int32), numbers[:, column], tf.size(texts)
        )
        for column in (0, 1)
    )
    return tf.transpose(tf.gather(counts > 0, numbers), (2, 0, 1))
