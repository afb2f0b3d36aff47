"""What commands measure: examples by their format, one encoder or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from usetune.data.formats import BINARY, POSITIVE, SCORED, TRIPLETS, format_of
from usetune.evaluation.domain import DomainEvaluator
from usetune.evaluation.pairs import (
    BinaryClassificationEvaluator,
    SimilarityEvaluator,
    TripletEvaluator,
)
from usetune.evaluation.sts import STSScores
from usetune.protocols import TextEncoder

HeldOutEvaluator = (
    DomainEvaluator
    | SimilarityEvaluator
    | TripletEvaluator
    | BinaryClassificationEvaluator
)
_OF_TABLES = {
    SCORED: SimilarityEvaluator,
    TRIPLETS: TripletEvaluator,
    BINARY: BinaryClassificationEvaluator,
}


def held_out_evaluator(
    pairs: pd.DataFrame, corpus: Sequence[str]
) -> HeldOutEvaluator | None:
    """The evaluator of a table by its format.

    Args:
        pairs: as `usetune.load_pairs` gives them.
        corpus: texts that the anchors of positive pairs search in.

    Returns:
        None for formats whose labels are classes, which no evaluator measures.
    """
    format = format_of(pairs)
    if format is POSITIVE:
        return DomainEvaluator(pairs, corpus)
    return _OF_TABLES[format](pairs) if format in _OF_TABLES else None


def compared(
    evaluators: Mapping[str, Any], base: TextEncoder, tuned: TextEncoder | None
) -> dict[str, Any]:
    """Measure a base and a tuned encoder, or one encoder alone.

    Args:
        evaluators: name in the report → evaluator with ``score``.
        base: the base, or the only encoder.
        tuned: the tuned one, or None.

    Returns:
        For each evaluator the paired comparison, or the metrics with their intervals;
        and for the STS benchmark its source.
    """
    report: dict[str, Any] = {}
    for name, evaluator in evaluators.items():
        scores = evaluator.score(base)
        if isinstance(scores, STSScores):
            report["sts_source"] = scores.source
        if tuned is None:
            report[name] = scores.intervals()
        else:
            report[name] = scores.compare(evaluator.score(tuned))
    return report
