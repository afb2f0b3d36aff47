"""``usetune score``: what an encoder knows, alone or against its base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from usetune.cli.measures import compared, held_out_evaluator
from usetune.data.pairs import load_pairs
from usetune.encoders.loading import load_encoder
from usetune.evaluation.sts import STSEvaluator


def score(
    encoder: str,
    base: str | None = None,
    pairs: str | None = None,
    rename: Mapping[str, str] | None = None,
    split: str = "dev",
    language: str = "en",
) -> dict[str, Any]:
    """Score an encoder on the STS benchmark, and on pairs.

    Args:
        encoder: what `load_encoder` takes.
        base: another one, to compare with.
        pairs: a file that `load_pairs` reads, or None.
        rename: new names for its columns.
        split: of the benchmark.
        language: of the benchmark.

    Raises:
        ValueError: if a file has a fault, or pairs are of a format that no evaluator
            measures.
        OSError: if a file or an encoder cannot be read.
    """
    # What is missing is said before an encoder is loaded.
    evaluators: dict[str, Any] = {"sts": STSEvaluator(split, language)}
    if pairs is not None:
        table = load_pairs(pairs, rename)
        corpus = table["positive"].unique().tolist() if "positive" in table else []
        held_out = held_out_evaluator(table, corpus)
        if held_out is None:
            raise ValueError(
                f"{pairs}: no evaluator measures {table.attrs['format']}; expected "
                "positive pairs, triplets, scored pairs or pairs labelled 0 or 1"
            )
        evaluators["pairs"] = held_out
    tuned = load_encoder(encoder)
    pair = (tuned, None) if base is None else (load_encoder(base), tuned)
    return {"encoder": encoder, "base": base} | compared(evaluators, *pair)
