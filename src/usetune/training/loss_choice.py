"""Which loss fits which data."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from usetune.data.formats import (
    BINARY,
    CLASSES,
    LABELLED,
    POSITIVE,
    SCORED,
    TRIPLETS,
    Format,
    check_rows,
    format_of,
)
from usetune.losses import (
    GIST,
    AnglE,
    AngularError,
    BatchAll,
    BatchHard,
    BatchHardSoftMargin,
    BatchSemiHard,
    Contrastive,
    CoSENT,
    CosineSquaredError,
    EmbeddingLoss,
    MegaBatchMargin,
    MultipleNegativesRanking,
    OnlineContrastive,
    Softmax,
    Triplet,
    innermost,
)

_IN_BATCH = "every other positive of the batch is a negative, so large batches help"

# For each format of data the losses that fit, the default first, and why.
LOSSES_FOR: Mapping[str, Mapping[type[EmbeddingLoss], str]] = {
    SCORED.name: {
        AngularError: "the angular similarity follows the scores; the article's",
        CosineSquaredError: "the cosine follows the scores",
        CoSENT: "only the order of the scores counts, not their scale",
        AnglE: "as CoSENT, on angles in the complex plane, which saturate less",
    },
    BINARY.name: {
        OnlineContrastive: "pulls 1 together and 0 apart, on the hard pairs of a batch",
        Contrastive: "pulls 1 together, and 0 apart up to a margin, on every pair",
        Softmax: "a classifier on both embeddings and their difference",
    },
    LABELLED.name: {
        Softmax: "a classifier on both embeddings and their difference",
    },
    POSITIVE.name: {
        MultipleNegativesRanking: _IN_BATCH,
        GIST: "the same, without the negatives that a guide takes for positives",
        MegaBatchMargin: "the hardest other positive of a large batch, up to a margin",
        AnglE: "only with columns of negatives: positives before negatives",
    },
    TRIPLETS.name: {
        MultipleNegativesRanking: f"{_IN_BATCH}, and all given negatives as well",
        GIST: "the same, without the negatives that a guide takes for positives",
        Triplet: "the positive is nearer than the negative by a margin",
        AnglE: "positives before negatives, on angles in the complex plane",
    },
    CLASSES.name: {
        BatchHardSoftMargin: "the farthest of the class against the nearest other",
        BatchHard: "the same, up to a margin",
        BatchSemiHard: "the nearest other that is farther than the positive",
        BatchAll: "every triplet of the batch that violates the margin",
    },
}


@dataclass(frozen=True)
class Suggestion:
    """What `suggest_loss` found, in words when printed.

    Attributes:
        format: the name of the data's format.
        rows: number of examples.
        losses: the losses that fit, the default first, each with its use.
    """

    format: str
    rows: int
    losses: Mapping[type[EmbeddingLoss], str]

    def __str__(self) -> str:
        lines = [f"{self.rows} {self.format}. Losses that fit, the default first:"]
        lines += [f"- {loss.__name__}: {why}" for loss, why in self.losses.items()]
        return "\n".join(lines)


def suggest_loss(data: pd.DataFrame, format: str | None = None) -> Suggestion:
    """Name the format of training data and the losses that fit it.

    Args:
        data: training data, as `load_pairs` takes it.
        format: the name of the format, where the columns would fit several.

    Raises:
        ValueError: if the columns fit no format, or a cell is wrong.
    """
    found = format_of(data, format)
    data = check_rows(data, found, "data")
    return Suggestion(found.name, len(data), _fitting(data, found))


def _fitting(data: pd.DataFrame, format: Format) -> Mapping[type[EmbeddingLoss], str]:
    losses = dict(LOSSES_FOR[format.name])
    if format is POSITIVE and "negative_1" not in data:
        del losses[AnglE]
    return losses


def default_loss(data: pd.DataFrame, format: Format) -> EmbeddingLoss:
    """The first loss of `LOSSES_FOR`, made for the data.

    Raises:
        ValueError: if a classifier would have more classes without a pair than with.
    """
    loss = next(iter(LOSSES_FOR[format.name]))
    if loss is not Softmax:
        return loss()
    classes, used = int(data["label"].max()) + 1, data["label"].nunique()
    if classes > 2 * used:
        raise ValueError(
            f"labels number the classes from 0. Received: {used} different labels up "
            f"to {classes - 1}, for a classifier of {classes:,} classes. Number them "
            "without gaps, pairs['label'] = pandas.factorize(pairs['label'])[0], or "
            f"give the loss: Softmax({classes})"
        )
    return Softmax(classes)


def check_loss(loss: EmbeddingLoss, data: pd.DataFrame, format: Format) -> None:
    """Refuse a loss that does not fit the data; a loss of the user's own always fits.

    Raises:
        ValueError: naming the loss, the format and the losses that fit.
    """
    inner = innermost(loss)
    fitting = _fitting(data, format)
    known = {loss for losses in LOSSES_FOR.values() for loss in losses}
    if type(inner) in known and type(inner) not in fitting:
        names = ", ".join(loss.__name__ for loss in fitting)
        raise ValueError(
            f"{type(inner).__name__} does not fit {format.name}. Expected {names}, or "
            "one of these within Matryoshka or Cached"
        )
    if isinstance(inner, Softmax) and data["label"].max() >= inner.classes:
        raise ValueError(
            f"Softmax has {inner.classes} classes, labels 0 to {inner.classes - 1}. "
            f"Received: the label {data['label'].max()}"
        )
    if isinstance(inner, GIST) and inner.guide is None:
        raise ValueError("GIST needs a guide: for example GIST(load_encoder())")
