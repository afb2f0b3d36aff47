"""Gender association of job titles, of one encoder and of two beside each other."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from usetune.bias.association_tests import associations
from usetune.bias.terms import TERM_ALONE, embed_terms
from usetune.evaluation.bootstrap import compare
from usetune.protocols import TextEncoder


def gender_association(
    encoder: TextEncoder,
    titles: Sequence[str],
    female: Sequence[str],
    male: Sequence[str],
    templates: Sequence[str] = TERM_ALONE,
) -> pd.DataFrame:
    """How much nearer each title lies to the female terms than to the male ones.

    The zero has no meaning of its own: it moves with the choice of terms. Compare
    titles with each other, or two encoders on the same terms.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        titles: such as job titles, each once.
        female: terms; `usetune.bias.terms.load_bias_terms` has some.
        male: terms.
        templates: sentences with one ``{}`` each, filled with every title and term;
            the association of a title is the mean over its sentences. Default: the
            terms alone.

    Returns:
        DataFrame title, association, in the order of ``titles``: the mean cosine
        with the female terms minus that with the male ones (s(w, A, B) of WEAT, see
        `usetune.bias.weat`).

    Raises:
        TypeError: see `usetune.bias.weat`.
        ValueError: see `usetune.bias.terms.embed_terms`.
    """
    lists = {"titles": titles, "female": female, "male": male}
    own, *attributes = embed_terms(encoder, lists, templates)
    association = associations(own, *attributes).mean(axis=1)
    return pd.DataFrame({"title": list(titles), "association": association})


def compare_associations(base: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Put the associations of two encoders side by side.

    Args:
        base: as `gender_association` returns.
        tuned: the same of another encoder, with the same titles in the same order.

    Returns:
        DataFrame title, base, tuned, difference (tuned minus base).

    Raises:
        ValueError: if the titles differ.
    """
    if list(base["title"]) != list(tuned["title"]):
        raise ValueError(
            "base and tuned must have the same titles in the same order. Received: "
            f"{list(base['title'])[:3]}... and {list(tuned['title'])[:3]}..."
        )
    table = base.rename(columns={"association": "base"})
    table["tuned"] = tuned["association"].to_numpy()
    return table.assign(difference=table["tuned"] - table["base"])


def association_summary(
    table: pd.DataFrame, samples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Mean and spread of the associations, before and after.

    The interval is a paired bootstrap over titles, the same draws for both. It does
    not tell what other female and male terms would give.

    Args:
        table: as `compare_associations` returns, at least two titles.
        samples: bootstrap samples.
        seed: of the bootstrap.

    Returns:
        DataFrame indexed by metric, ``mean`` and ``deviation`` (the standard deviation
        over titles, divided by n - 1): base, tuned, difference, low, high (95 % of the
        difference, percentiles) and n (titles).

    Raises:
        ValueError: if ``table`` has fewer than two titles, or ``samples`` is not
            positive.
    """
    if len(table) < 2:
        raise ValueError(f"table must have at least two titles. Received: {len(table)}")
    base, tuned = (
        partial(_spread, table[name].to_numpy()) for name in ("base", "tuned")
    )
    summary = compare(base, tuned, len(table), samples, seed)
    return summary.assign(n=len(table)).rename_axis("metric")


def _spread(associations: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    drawn = associations[rows]
    return {"mean": drawn.mean(), "deviation": drawn.std(ddof=1)}
