"""Adapt a pre-trained sentence encoder to a domain, and measure what it cost."""

from usetune.bias import WEATResult, weat
from usetune.bias_terms import load_bias_terms
from usetune.callbacks import Measure, MeasureCallback
from usetune.charts import plot_curves, plot_runs, plot_trade_off
from usetune.choice import LOSSES_FOR, losses_table, suggest_loss
from usetune.classes import positive_pairs_from_classes, triplets_from_classes
from usetune.converters import pairs_from_triplets, positive_pairs_from_labelled
from usetune.corpus import CorpusCounts, embed_corpus
from usetune.corpus_index import build_index, load_index, recall_table
from usetune.corpus_search import EmbeddedCorpus
from usetune.debias import bias_direction, probe_accuracy
from usetune.devices import prepare_device
from usetune.domain import DomainBenchmark, DomainScores
from usetune.encoder import Encoder
from usetune.evaluators import (
    BinaryClassificationEvaluator,
    SimilarityEvaluator,
    TripletEvaluator,
)
from usetune.hamming import nearest_binary
from usetune.inspection import most_wrong, neighbours, worst_queries
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
from usetune.maps import compare_maps, map_2d, plot_map
from usetune.measure_charts import plot_association, plot_sizes
from usetune.mining import mine_hard_negatives
from usetune.model_card import model_card
from usetune.occupation_pairs import label_pairs
from usetune.occupation_scores import scored_pairs
from usetune.occupations import (
    load_occupations,
    occupation_labels,
    read_occupations,
)
from usetune.optimizers import FusedAdam, warmup_cosine
from usetune.pairs import load_article_pairs, load_pairs
from usetune.plots import compare_similarity, plot_similarity
from usetune.pretrained import load_encoder
from usetune.projected import (
    ProjectedEncoder,
    principal_rotation,
    remove_direction,
)
from usetune.projector import export_projector
from usetune.quantization import QuantizedCorpus, Quantizer
from usetune.retrieval import nearest, relevant_ranks, retrieval_measures
from usetune.retrieval_evaluator import RetrievalEvaluator
from usetune.retrieval_scores import RetrievalScores
from usetune.sharing import push_to_hub, push_to_kaggle
from usetune.siamese import AngularSimilarity, build_siamese
from usetune.similarity import angular_similarity, cosine_similarity
from usetune.sizes import size_table
from usetune.soups import fine_tune_soup, interpolate, trade_off
from usetune.splits import check_leaks, split_pairs
from usetune.sts import STSMeasure, STSResult, load_sts, sts_benchmark
from usetune.title_bias import (
    association_summary,
    compare_associations,
    gender_association,
)
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
    "BinaryClassificationEvaluator",
    "Cached",
    "CoSENT",
    "Contrastive",
    "CorpusCounts",
    "CosineSquaredError",
    "DomainBenchmark",
    "DomainScores",
    "EmbeddedCorpus",
    "EmbeddingLoss",
    "Encoder",
    "FineTuned",
    "FusedAdam",
    "GIST",
    "LOSSES_FOR",
    "Matryoshka",
    "Measure",
    "MeasureCallback",
    "MegaBatchMargin",
    "MultipleNegativesRanking",
    "OnlineContrastive",
    "ProjectedEncoder",
    "QuantizedCorpus",
    "Quantizer",
    "RetrievalEvaluator",
    "RetrievalScores",
    "STSMeasure",
    "STSResult",
    "SimilarityEvaluator",
    "Softmax",
    "Triplet",
    "TripletEvaluator",
    "WEATResult",
    "angular_similarity",
    "association_summary",
    "bias_direction",
    "build_index",
    "build_siamese",
    "check_leaks",
    "compare_associations",
    "compare_maps",
    "compare_similarity",
    "cosine_similarity",
    "embed_corpus",
    "export_projector",
    "fine_tune",
    "fine_tune_soup",
    "gender_association",
    "interpolate",
    "label_pairs",
    "load_article_pairs",
    "load_bias_terms",
    "load_encoder",
    "load_index",
    "load_occupations",
    "load_pairs",
    "load_sts",
    "losses_table",
    "map_2d",
    "mine_hard_negatives",
    "model_card",
    "most_wrong",
    "nearest",
    "nearest_binary",
    "neighbours",
    "occupation_labels",
    "pairs_from_triplets",
    "plot_association",
    "plot_curves",
    "plot_map",
    "plot_runs",
    "plot_similarity",
    "plot_sizes",
    "plot_trade_off",
    "positive_pairs_from_classes",
    "positive_pairs_from_labelled",
    "prepare_device",
    "principal_rotation",
    "push_to_hub",
    "push_to_kaggle",
    "read_occupations",
    "relevant_ranks",
    "probe_accuracy",
    "recall_table",
    "remove_direction",
    "retrieval_measures",
    "scored_pairs",
    "size_table",
    "split_pairs",
    "sts_benchmark",
    "suggest_loss",
    "trade_off",
    "triplets_from_classes",
    "warmup_cosine",
    "weat",
    "worst_queries",
]
