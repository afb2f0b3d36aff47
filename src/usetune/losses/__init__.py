"""Losses on the embeddings of an example's texts, by the format of the examples.

.. code-block:: python

    from usetune.losses import Matryoshka, MultipleNegativesRanking
    loss = Matryoshka(MultipleNegativesRanking(), dims=[512, 256, 128])
    result = fine_tune(encoder, pairs, loss=loss)

Pairs with a score: `AngularError`, `CosineSquaredError`, `CoSENT`, `AnglE`. Pairs with
a label: `Contrastive`, `OnlineContrastive`, `Softmax`. Positive pairs:
`MultipleNegativesRanking` and `GIST`, with negatives or without, `MegaBatchMargin`;
with negatives also `Triplet` and `AnglE`. Texts with a class: `BatchAll`, `BatchHard`,
`BatchHardSoftMargin`, `BatchSemiHard`. Around others: `Matryoshka`, `Cached`.
"""

from usetune.losses.base import EmbeddingLoss
from usetune.losses.distances import largest_distance
from usetune.losses.guided import GIST
from usetune.losses.labelled import Contrastive, OnlineContrastive, Softmax
from usetune.losses.ranking import MegaBatchMargin, MultipleNegativesRanking
from usetune.losses.scored import AnglE, AngularError, CoSENT, CosineSquaredError
from usetune.losses.triplets import (
    BatchAll,
    BatchHard,
    BatchHardSoftMargin,
    BatchSemiHard,
    Triplet,
)
from usetune.losses.wrappers import Cached, Matryoshka, innermost

__all__ = [
    "GIST",
    "AnglE",
    "AngularError",
    "BatchAll",
    "BatchHard",
    "BatchHardSoftMargin",
    "BatchSemiHard",
    "Cached",
    "CoSENT",
    "Contrastive",
    "CosineSquaredError",
    "EmbeddingLoss",
    "Matryoshka",
    "MegaBatchMargin",
    "MultipleNegativesRanking",
    "OnlineContrastive",
    "Softmax",
    "Triplet",
    "innermost",
    "largest_distance",
]
