"""Training data and benchmarks: read, checked, converted, split, and mined.

.. code-block:: python

    from usetune.data import counts, load_pairs, split_pairs
    pairs = load_pairs("titles.csv", names={"alternative label": "anchor"})
    training, validation = split_pairs(pairs, 0.25)
    print(counts(training))
"""

from usetune.data.article import load_article_pairs
from usetune.data.class_converters import (
    positive_pairs_from_classes,
    triplets_from_classes,
)
from usetune.data.converters import pairs_from_triplets, positive_pairs_from_labelled
from usetune.data.counts import counts
from usetune.data.esco import load_occupations, occupation_labels
from usetune.data.esco_pairs import (
    positive_pairs_from_occupations,
    scored_pairs_from_occupations,
)
from usetune.data.mining import mine_hard_negatives
from usetune.data.mining_limits import MiningLimits
from usetune.data.pairs import load_pairs
from usetune.data.siblings import sibling_pairs
from usetune.data.sources import shipped
from usetune.data.splits import check_leaks, split_pairs
from usetune.data.sts import load_sts
from usetune.data.terminology import load_terminology

__all__ = [
    "load_pairs",
    "load_article_pairs",
    "load_sts",
    "load_occupations",
    "load_terminology",
    "occupation_labels",
    "positive_pairs_from_occupations",
    "scored_pairs_from_occupations",
    "pairs_from_triplets",
    "positive_pairs_from_classes",
    "positive_pairs_from_labelled",
    "triplets_from_classes",
    "sibling_pairs",
    "split_pairs",
    "check_leaks",
    "mine_hard_negatives",
    "MiningLimits",
    "counts",
    "shipped",
]
