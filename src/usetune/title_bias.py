"""Gender association of job titles, of one encoder and of two beside each other."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from usetune.bias import associations
from usetune.bias_terms import TERM_ALONE, embed_terms
from usetune.sts import TextEncoder

_CONFIDENCE = 0.95


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
        female: terms; `usetune.bias_terms.load_bias_terms` has some.
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
        ValueError: see `usetune.bias_terms.embed_terms`.
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
    columns = {"base": base["association"], "tuned": tuned["association"]}
    table = pd.DataFrame({"title": base["title"], **columns}).reset_index(drop=True)
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
        DataFrame indexed by figure, ``mean`` and ``deviation`` (the standard deviation
        over titles, divided by n - 1): base, tuned, difference, low, high (95 % of the
        difference, percentiles) and n (titles).

    Raises:
        ValueError: if ``table`` has fewer than two titles, or ``samples`` is not
            positive.
    """
    if len(table) < 2 or samples < 1:
        raise ValueError(
            "table must have at least two titles, and samples be at least 1. "
            f"Received: {len(table)} titles, {samples} samples"
        )
    values = table[["base", "tuned"]].to_numpy()
    generator = np.random.default_rng(seed)
    rows = generator.integers(len(values), size=(samples, len(values)))
    found, drawn = _figures(values[None])[0], _figures(values[rows])
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(drawn[..., 1] - drawn[..., 0], [tail, 1 - tail], axis=0)
    return pd.DataFrame(
        {
            "base": found[:, 0],
            "tuned": found[:, 1],
            "difference": found[:, 1] - found[:, 0],
            "low": low,
            "high": high,
            "n": len(values),
        },
        index=pd.Index(["mean", "deviation"], name="figure"),
    )


def _figures(values: np.ndarray) -> np.ndarray:
    """Samples (samples, titles, encoders) → (samples, figures, encoders)."""
    return np.stack([values.mean(axis=1), values.std(axis=1, ddof=1)], axis=1)


def plot_association(
    table: pd.DataFrame,
    title: str = "",
    labels: tuple[str, str] = ("base", "tuned"),
    ax: Axes | None = None,
) -> Axes:
    """Draw each title's association before and after, two dots joined by a line.

    Args:
        table: as `compare_associations` returns; drawn from the smallest ``base`` at
            the bottom to the largest at the top.
        title: above the picture.
        labels: what the two encoders are called.
        ax: where to draw. Default: a new figure, sized to the number of titles.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: if a column is missing.
    """
    missing = [name for name in ("title", "base", "tuned") if name not in table]
    if missing:
        raise ValueError(f"table lacks {missing}. Received: {list(table.columns)}")
    if ax is None:
        size = 6.5, 1.5 + 0.22 * len(table)
        _, ax = plt.subplots(figsize=size, layout="constrained")
    table = table.sort_values("base", kind="stable")
    places = np.arange(len(table))
    ax.hlines(places, table["base"], table["tuned"], color="C0", alpha=0.5, zorder=1)
    ax.axvline(0, color="black", lw=0.8, linestyle="--")
    for name, label, face in zip(
        ("base", "tuned"), labels, ("white", "C0"), strict=True
    ):
        ax.scatter(
            table[name], places, facecolor=face, edgecolor="C0", label=label, zorder=2
        )
    ax.set_yticks(places, table["title"])
    ax.set(xlabel="← nearer to male     association     nearer to female →")
    ax.set_title(title)
    ax.grid(axis="x", alpha=0.3)
    ax.legend()
    return ax
