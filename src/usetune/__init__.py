"""Adapt a pre-trained sentence encoder to a domain, and measure what it cost."""

from usetune.devices import prepare_device
from usetune.encoder import Encoder
from usetune.optimizers import FusedAdam
from usetune.pairs import load_article_pairs, load_pairs, split_pairs
from usetune.plots import compare_similarity, plot_curves, plot_similarity
from usetune.pretrained import load_encoder
from usetune.siamese import AngularSimilarity, build_siamese
from usetune.similarity import angular_similarity, cosine_similarity
from usetune.sts import STSResult, load_sts, sts_benchmark
from usetune.training import ARTICLE_RECIPE, FineTuned, fine_tune

__all__ = [
    "ARTICLE_RECIPE",
    "AngularSimilarity",
    "Encoder",
    "FineTuned",
    "FusedAdam",
    "STSResult",
    "angular_similarity",
    "build_siamese",
    "compare_similarity",
    "cosine_similarity",
    "fine_tune",
    "load_article_pairs",
    "load_encoder",
    "load_pairs",
    "load_sts",
    "plot_curves",
    "plot_similarity",
    "prepare_device",
    "split_pairs",
    "sts_benchmark",
]
