"""The STS benchmark: its data, and how well an encoder's cosines follow its scores.

Cer et al., "SemEval-2017 Task 1" (2017, arXiv:1708.00055). The eleven languages are
the machine translations of github.com/PhilipMay/stsb-multi-mt.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from usetune.data.sts import load_sts
from usetune.evaluation import bootstrap
from usetune.evaluation.inputs import embed
from usetune.evaluation.scores import with_prefix
from usetune.protocols import TextEncoder
from usetune.similarity import cosine_similarity


@dataclass(frozen=True)
class STSScores:
    """How the cosines of an encoder follow the gold scores.

    Attributes:
        pearson: Pearson correlation, in [-1, 1].
        pearson_pvalue: two-sided p-value of ``pearson``.
        spearman: Spearman rank correlation, in [-1, 1].
        n: sentence pairs scored.
        source: which pairs they were.
        pairs: DataFrame with n rows: score, the gold score, and cosine.
    """

    pearson: float
    pearson_pvalue: float
    spearman: float
    n: int
    source: str
    pairs: pd.DataFrame = field(repr=False, compare=False)

    def metrics(self) -> dict[str, float]:
        """The two correlations by their names."""
        return {"pearson": self.pearson, "spearman": self.spearman}

    def __getitem__(self, name: str) -> float:
        """One correlation by its name."""
        return self.metrics()[name]

    def intervals(self, samples: int = 1000, seed: int = 0) -> pd.DataFrame:
        """The correlations with their bootstrap intervals; sentence pairs are drawn.

        Args:
            samples: number of bootstrap samples.
            seed: seed of the draws.

        Returns:
            DataFrame indexed by metric: value, low, high (95 %, percentiles) and n.
        """
        table = bootstrap.intervals(self._metrics_of, self.n, samples, seed)
        return table.assign(n=self.n)

    def compare(
        self, tuned: STSScores, samples: int = 1000, seed: int = 0
    ) -> pd.DataFrame:
        """Correlations of a base and a tuned encoder, on the same sentence pairs.

        Two encoders err on the same pairs, so the interval of their difference is far
        narrower than that of either correlation.

        Args:
            tuned: the other scores; these are the base's.
            samples: number of bootstrap samples, the same draws for both.
            seed: seed of the draws.

        Returns:
            DataFrame indexed by metric: base, tuned, difference, low, high (95 % of the
            difference, percentiles) and n.

        Raises:
            ValueError: if the two were measured on other pairs.
        """
        if not self.pairs["score"].equals(tuned.pairs["score"]):
            raise ValueError(
                "base and tuned must be scored on the same pairs. Received: "
                f"{self.n} pairs of {self.source!r} and {tuned.n} of {tuned.source!r}"
            )
        both = self._metrics_of, tuned._metrics_of
        return bootstrap.compare(*both, self.n, samples, seed).assign(n=self.n)

    def _metrics_of(self, rows: np.ndarray) -> dict[str, float]:
        score, cosine = self.pairs.to_numpy()[rows].T
        return {
            "pearson": float(stats.pearsonr(score, cosine).statistic),
            "spearman": float(stats.spearmanr(score, cosine).statistic),
        }

    def __str__(self) -> str:
        # The smallest p-values are below what a float can hold.
        p = f"{self.pearson_pvalue:.3g}" if self.pearson_pvalue > 1e-300 else "< 1e-300"
        return (
            f"Pearson  {self.pearson:.4f}\n"
            f"p-value  {p}\n"
            f"Spearman {self.spearman:.4f}\n"
            f"n        {self.n}\n"
            f"source   {self.source}"
        )


def sts_benchmark(
    encoder: TextEncoder,
    split: str = "dev",
    language: str = "en",
    parsing: str = "all",
) -> STSScores:
    """Score an encoder on the STS benchmark.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        split: see `load_sts`.
        language: see `load_sts`.
        parsing: see `load_sts`.

    Returns:
        Correlations between the gold scores and the cosines of the embeddings.

    Raises:
        ValueError: see `load_sts`, or if an embedding is not finite.
        FileNotFoundError: see `load_sts`.
    """
    return STSEvaluator(split, language, parsing).score(encoder)


class STSEvaluator:
    """The Pearson correlation of `sts_benchmark`, as an evaluator for `fine_tune`.

    Args:
        split: see `load_sts`.
        language: see `load_sts`.
        parsing: see `load_sts`.
        name: put before the name of the metric, "name_sts", to tell two languages
            apart say.

    Attributes:
        texts: every text that is encoded.
    """

    def __init__(
        self,
        split: str = "dev",
        language: str = "en",
        parsing: str = "all",
        *,
        name: str = "",
    ) -> None:
        self.name, self._pairs = name, load_sts(split, language, parsing)
        self.texts = [*self._pairs["sentence1"], *self._pairs["sentence2"]]

    def __call__(self, encoder: TextEncoder) -> dict[str, float]:
        """{"sts": Pearson's correlation}."""
        return with_prefix({"sts": self.score(encoder).pearson}, self.name)

    def score(self, encoder: TextEncoder) -> STSScores:
        """Both correlations, with n and the source.

        Raises:
            ValueError: if an embedding is not finite.
        """
        first, second = np.split(embed(encoder, self.texts), 2)
        pairs = self._pairs[["score"]].assign(
            cosine=np.asarray(cosine_similarity(first, second))
        )
        pearson = stats.pearsonr(pairs["score"], pairs["cosine"])
        spearman = stats.spearmanr(pairs["score"], pairs["cosine"])
        return STSScores(
            pearson=float(pearson.statistic),
            pearson_pvalue=float(pearson.pvalue),
            spearman=float(spearman.statistic),
            n=len(pairs),
            source=self._pairs.attrs["source"],
            pairs=pairs,
        )
