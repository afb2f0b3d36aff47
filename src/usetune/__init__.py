"""Adapt a pre-trained sentence encoder to a domain, and measure what it cost."""

from usetune.bias.associations import (
    association_summary,
    compare_associations,
    gender_association,
)
from usetune.bias.direction import bias_direction, probe_accuracy
from usetune.bias.terms import load_bias_terms
from usetune.bias.weat import WEATResult, weat
from usetune.corpus.embed import CorpusCounts, embed_corpus
from usetune.corpus.index import build_index, load_index, recall_table
from usetune.corpus.reader import EmbeddedCorpus
from usetune.data.article import load_article_pairs
from usetune.data.converters import (
    pairs_from_triplets,
    positive_pairs_from_classes,
    positive_pairs_from_labelled,
    triplets_from_classes,
)
from usetune.data.esco import load_occupations, occupation_labels, read_occupations
from usetune.data.esco_pairs import label_pairs, scored_pairs
from usetune.data.mining import mine_hard_negatives
from usetune.data.pairs import load_pairs
from usetune.data.splits import check_leaks, split_pairs
from usetune.data.sts import load_sts
from usetune.devices import prepare_device
from usetune.encoders.base import Encoder, ProjectedEncoder
from usetune.encoders.loading import load_encoder
from usetune.encoders.projections import principal_rotation, remove_direction
from usetune.evaluation.compression import size_table
from usetune.evaluation.domain import DomainBenchmark
from usetune.evaluation.errors import most_wrong, neighbours, worst_queries
from usetune.evaluation.pairs import (
    BinaryClassificationEvaluator,
    SimilarityEvaluator,
    TripletEvaluator,
)
from usetune.evaluation.ranking import relevant_ranks, retrieval_measures
from usetune.evaluation.retrieval import RetrievalEvaluator
from usetune.evaluation.scores import DomainScores, RetrievalScores
from usetune.evaluation.sts import STSMeasure, STSResult, sts_benchmark
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
from usetune.plots.bias import plot_association
from usetune.plots.compression import plot_sizes
from usetune.plots.maps import compare_maps, map_2d, plot_map
from usetune.plots.similarity import compare_similarity, plot_similarity
from usetune.plots.tensorboard import export_projector
from usetune.plots.training import plot_curves, plot_runs, plot_trade_off
from usetune.protocols import Measure
from usetune.search.binary import nearest_binary
from usetune.search.exact import nearest
from usetune.search.quantization import QuantizedCorpus, Quantizer
from usetune.sharing.card import model_card
from usetune.sharing.upload import push_to_hub, push_to_kaggle
from usetune.similarity import AngularSimilarity, angular_similarity, cosine_similarity
from usetune.training.averaging import fine_tune_soup, interpolate, trade_off
from usetune.training.callbacks import MeasureCallback
from usetune.training.fine_tuning import ARTICLE_RECIPE, FineTuned, fine_tune
from usetune.training.loss_choice import LOSSES_FOR, losses_table, suggest_loss
from usetune.training.optimizers import FusedAdam, warmup_cosine
from usetune.training.siamese import build_siamese

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
