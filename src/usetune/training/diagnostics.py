"""Warnings about a training that cannot go well, or did not."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import pandas as pd

from usetune._utils.warn import warn
from usetune.data.formats import CLASSES
from usetune.encoders.base import Encoder
from usetune.losses import AnglE, CoSENT, innermost
from usetune.losses.in_batch import InBatchLoss
from usetune.losses.triplets import ACTIVE, Triplet
from usetune.training.batches import unusable
from usetune.training.training_set import TrainingSet

# Mean cosine of distinct texts above which an encoder no longer tells texts apart.
_COLLAPSED = 0.95


def check_data(
    sets: Sequence[TrainingSet], passes: Sequence[Sequence[np.ndarray]], dim: int
) -> None:
    """Warn of losses that cannot be met, and of texts that nothing is learned from.

    Args:
        sets: the data sets of a training.
        passes: for each of them the batches of one pass, as row numbers.
        dim: components of the embeddings.
    """
    for own, batches in zip(sets, passes, strict=True):
        for problem in own.loss.problems(dim):
            warn(problem)
        if own.format is CLASSES:
            _check_classes(own.training["label"].to_numpy(), batches)
            continue
        alone = _without_negatives(own, own.training, batches)
        # One batch may be what is left of a pass.
        if alone > 1 or (alone and alone == len(batches)):
            warn(
                f"{alone} of {len(batches)} batches hold no negatives, and nothing is "
                "learned from them: each has one example, or one anchor, positive, "
                "occupation or similarity for all, or its positives for negatives. "
                "Use larger batches, or more varied pairs"
            )


def check_validation(
    sets: Sequence[TrainingSet], passes: Sequence[Sequence[np.ndarray]]
) -> None:
    """Warn of a validation that measures nothing.

    Args:
        sets: the data sets of a training.
        passes: for each of them the batches of its validation, as row numbers.
    """
    for own, batches in zip(sets, passes, strict=True):
        if _without_negatives(own, own.validation, batches) == len(batches):
            value = "one number" if len(own.columns) > 2 else "0"
            warn(
                f"val_loss is {value} whatever is learned: {len(own.validation)} "
                "examples to validate on, and no negative for any of them. Hold out "
                "more, or give validation_data"
            )


def _without_negatives(
    data: TrainingSet, table: pd.DataFrame, batches: Sequence[np.ndarray]
) -> int:
    """Number of batches whose examples are not compared with each other.

    They all have a text or a thing in common, or a score where its order counts; and
    of the negatives that they have of their own, each is their positive once more.
    """
    loss = innermost(data.loss)
    is_between = isinstance(loss, (InBatchLoss, CoSENT, AnglE))
    if not is_between and not isinstance(loss, Triplet):
        return 0
    names = [*data.columns, *table.columns.intersection(["occupation", "label"])]
    if "similarity" in table and not isinstance(loss, InBatchLoss):
        names = ["similarity"]
    codes = [pd.factorize(table[name])[0] for name in names]
    texts = table[data.columns].to_numpy()
    has_own = (texts[:, 2:] != texts[:, 1:2]).any(axis=1)
    return sum(
        not has_own[rows].any()
        and (not is_between or any((own[rows] == own[rows[0]]).all() for own in codes))
        for rows in batches
    )


def _check_classes(labels: np.ndarray, batches: Sequence[np.ndarray]) -> None:
    single = sum(len(np.unique(labels[rows])) == 1 for rows in batches)
    if single:
        warn(
            f"{single} of {len(batches)} batches hold texts of one class only, and "
            "nothing to tell it from: use batch_sampler='by_label', or larger batches"
        )
    alone = unusable(labels)
    if alone:
        warn(
            f"{alone} of {len(labels)} texts are alone in their class: they have no "
            "positive, and batches by label leave them out"
        )


class TrainingDiagnostics(keras.callbacks.Callback):
    """Warns, once for each kind, of what is wrong after an epoch.

    A loss that is not finite; no triplet that pulls; embeddings that have collapsed.

    Args:
        encoder: the one that is trained.
        texts: distinct ones, to look for a collapse; fewer than two: not looked for.
    """

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        super().__init__()
        self._encoder, self._texts = encoder, texts
        self._said: set[str] = set()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Look at the logs and at the embeddings."""
        if not np.isfinite(logs["loss"]):
            self._say("loss", epoch, "the loss is not finite")
        if logs.get(ACTIVE) == 0:
            self._say(
                "active",
                epoch,
                "no triplet was active: every negative is farther than its positive by "
                "the margin, and nothing is learned. Use a larger margin, or harder "
                "negatives",
            )
        if len(self._texts) > 1 and "collapse" not in self._said:
            self._look_for_a_collapse(epoch)

    def _say(self, kind: str, epoch: int, message: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            warn(f"epoch {epoch + 1}: {message}")

    def _look_for_a_collapse(self, epoch: int) -> None:
        count = len(self._texts)
        try:
            embeddings = self._encoder.encode(self._texts)
        # The epochs before must not be lost.
        except Exception as error:
            self._say("collapse", epoch, f"the encoder embeds no more: {error}")
            return
        total = np.square(embeddings.sum(axis=0)).sum()
        cosine = (total - count) / (count * (count - 1))
        # Also where it is not a number.
        if not cosine < _COLLAPSED:
            variance = embeddings.var(axis=0).mean()
            self._say(
                "collapse",
                epoch,
                f"the embeddings have collapsed: {count} distinct texts have a mean "
                f"cosine of {cosine:.3f} and a variance of {variance:.1e} in each "
                "dimension. Use a smaller learning rate, or data with negatives",
            )
