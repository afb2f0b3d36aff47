from . import bias as bias
from . import corpus as corpus
from . import data as data
from . import devices as devices
from . import encoders as encoders
from . import evaluation as evaluation
from . import losses as losses
from . import plots as plots
from . import protocols as protocols
from . import search as search
from . import sharing as sharing
from . import similarity as similarity
from . import sklearn as sklearn
from . import training as training
from .corpus import embed_corpus as embed_corpus
from .data import check_leaks as check_leaks
from .data import load_article_pairs as load_article_pairs
from .data import load_occupations as load_occupations
from .data import load_pairs as load_pairs
from .data import split_pairs as split_pairs
from .devices import prepare_device as prepare_device
from .encoders import Encoder as Encoder
from .encoders import load_encoder as load_encoder
from .evaluation import DomainEvaluator as DomainEvaluator
from .evaluation import RetrievalEvaluator as RetrievalEvaluator
from .evaluation import STSEvaluator as STSEvaluator
from .evaluation import sts_benchmark as sts_benchmark
from .plots import plot_similarity as plot_similarity
from .plots import plot_similarity_comparison as plot_similarity_comparison
from .sharing import model_card as model_card
from .similarity import angular_similarity as angular_similarity
from .similarity import cosine_similarity as cosine_similarity
from .training import ARTICLE_RECIPE as ARTICLE_RECIPE
from .training import EarlyStopping as EarlyStopping
from .training import build_siamese as build_siamese
from .training import distil as distil
from .training import fine_tune as fine_tune
from .training import fine_tune_soup as fine_tune_soup
from .training import interpolate as interpolate
from .training import suggest_loss as suggest_loss

__all__ = [
    "ARTICLE_RECIPE",
    "DomainEvaluator",
    "EarlyStopping",
    "Encoder",
    "RetrievalEvaluator",
    "STSEvaluator",
    "angular_similarity",
    "bias",
    "build_siamese",
    "check_leaks",
    "corpus",
    "cosine_similarity",
    "data",
    "devices",
    "distil",
    "embed_corpus",
    "encoders",
    "evaluation",
    "fine_tune",
    "fine_tune_soup",
    "interpolate",
    "load_article_pairs",
    "load_encoder",
    "load_occupations",
    "load_pairs",
    "losses",
    "model_card",
    "plot_similarity",
    "plot_similarity_comparison",
    "plots",
    "prepare_device",
    "protocols",
    "search",
    "sharing",
    "similarity",
    "sklearn",
    "split_pairs",
    "sts_benchmark",
    "suggest_loss",
    "training",
]
