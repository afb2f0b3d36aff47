"""Adapt a pre-trained sentence encoder to a domain, and measure what it cost."""

from usetune.choice import LOSSES_FOR, losses_table, suggest_loss
from usetune.classes import positive_pairs_from_classes, triplets_from_classes
from usetune.converters import pairs_from_triplets, positive_pairs_from_labelled
from usetune.devices import prepare_device
from usetune.domain import DomainBenchmark, DomainScores
from usetune.encoder import Encoder, interpolate
from usetune.losses import (
    GIST,
    AnglE,
    AngularError,
    BatchAll,
    BatchHard,
    BatchHardSoftMargin,
    BatchSemiHard,
    Cached,
    Contrastive,
    CoSENT,
    CosineSquaredError,
    EmbeddingLoss,
    Matryoshka,
    MegaBatchMargin,
    MultipleNegativesRanking,
    OnlineContrastive,
    Softmax,
    Triplet,
)
from usetune.mining import mine_hard_negatives
from usetune.occupation_pairs import label_pairs
from usetune.occupation_scores import scored_pairs
from usetune.occupations import (
    load_occupations,
    occupation_labels,
    read_occupations,
)
from usetune.optimizers import FusedAdam, warmup_cosine
from usetune.pairs import load_article_pairs, load_pairs
from usetune.plots import (
    compare_similarity,
    plot_curves,
    plot_runs,
    plot_similarity,
    plot_trade_off,
)
from usetune.pretrained import load_encoder
from usetune.retrieval import nearest, relevant_ranks, retrieval_measures
from usetune.siamese import AngularSimilarity, build_siamese
from usetune.similarity import angular_similarity, cosine_similarity
from usetune.soups import fine_tune_soup, trade_off
from usetune.splits import check_leaks, split_pairs
from usetune.sts import STSMeasure, STSResult, load_sts, sts_benchmark
from usetune.training import ARTICLE_RECIPE, FineTuned, fine_tune

__all__ = [
    "ARTICLE_RECIPE",
    "AnglE",
    "AngularError",
    "AngularSimilarity",
    "BatchAll",
    "BatchHard",
    "BatchHardSoftMargin",
    "BatchSemiHard",
    "Cached",
    "CoSENT",
    "Contrastive",
    "CosineSquaredError",
    "DomainBenchmark",
    "DomainScores",
    "EmbeddingLoss",
    "Encoder",
    "FineTuned",
    "FusedAdam",
    "GIST",
    "LOSSES_FOR",
    "Matryoshka",
    "MegaBatchMargin",
    "MultipleNegativesRanking",
    "OnlineContrastive",
    "STSMeasure",
    "STSResult",
    "Softmax",
    "Triplet",
    "angular_similarity",
    "build_siamese",
    "check_leaks",
    "compare_similarity",
    "cosine_similarity",
    "fine_tune",
    "fine_tune_soup",
    "interpolate",
    "label_pairs",
    "load_article_pairs",
    "load_encoder",
    "load_occupations",
    "load_pairs",
    "load_sts",
    "losses_table",
    "mine_hard_negatives",
    "nearest",
    "occupation_labels",
    "pairs_from_triplets",
    "plot_curves",
    "plot_runs",
    "plot_similarity",
    "plot_trade_off",
    "positive_pairs_from_classes",
    "positive_pairs_from_labelled",
    "prepare_device",
    "read_occupations",
    "relevant_ranks",
    "retrieval_measures",
    "scored_pairs",
    "split_pairs",
    "sts_benchmark",
    "suggest_loss",
    "trade_off",
    "triplets_from_classes",
    "warmup_cosine",
]
