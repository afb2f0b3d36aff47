"""Measures of an encoder: similarity, retrieval, a domain, pairs, sizes, errors.

.. code-block:: python

    from usetune.evaluation import DomainEvaluator
    domain = DomainEvaluator(validation, names)
    print(domain.score(base).compare(domain.score(tuned)))
"""

from usetune.evaluation.article import article_figures, beside_the_article
from usetune.evaluation.bootstrap import in_words
from usetune.evaluation.compression import size_table
from usetune.evaluation.domain import DomainEvaluator
from usetune.evaluation.errors import most_wrong, neighbours, worst_queries
from usetune.evaluation.pair_scores import PairScores
from usetune.evaluation.pairs import (
    BinaryClassificationEvaluator,
    SimilarityEvaluator,
    TripletEvaluator,
)
from usetune.evaluation.ranking import relevant_ranks, retrieval_metrics
from usetune.evaluation.relevance import graded_relevance
from usetune.evaluation.retrieval import RetrievalEvaluator
from usetune.evaluation.scores import Scores
from usetune.evaluation.sts import STSEvaluator, STSScores, sts_benchmark

__all__ = [
    "article_figures",
    "beside_the_article",
    "sts_benchmark",
    "STSEvaluator",
    "STSScores",
    "RetrievalEvaluator",
    "DomainEvaluator",
    "Scores",
    "in_words",
    "BinaryClassificationEvaluator",
    "SimilarityEvaluator",
    "TripletEvaluator",
    "PairScores",
    "graded_relevance",
    "relevant_ranks",
    "retrieval_metrics",
    "size_table",
    "most_wrong",
    "neighbours",
    "worst_queries",
]
