import dataclasses
import zlib

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from usetune import sts_benchmark
from usetune.data import sources
from usetune.evaluation import sts


class Hashed:
    """An encoder of random vectors, the same for the same text."""

    def encode(self, texts):
        seeds = (zlib.crc32(text.encode()) for text in texts)
        return np.stack([np.random.default_rng(seed).normal(size=8) for seed in seeds])


def test_sample_stands_in_and_says_so(offline):
    with pytest.warns(UserWarning, match="stsb-en-dev.csv cannot be had"):
        result = sts_benchmark(Hashed())
    assert "NOT the STS benchmark" in result.source
    assert "NOT the STS benchmark" in str(result)
    for name, column in (("", "sts"), ("italian", "italian_sts")):
        with pytest.warns(UserWarning, match="stsb-en-dev.csv cannot be had"):
            evaluator = sts.STSEvaluator(name=name)
        assert evaluator(Hashed()) == {column: result.pearson}
    unknown = Hashed()
    unknown.encode = lambda texts: np.full((len(texts), 8), np.nan)
    with pytest.raises(ValueError, match="encoder must give finite embeddings"):
        evaluator(unknown)
    pairs = pd.read_csv(sources.shipped("sts_sample.csv"), keep_default_na=False)
    assert result.n == len(pairs)
    u, v = (Hashed().encode(pairs[name]) for name in ("sentence1", "sentence2"))
    norms = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    cosines = (u * v).sum(axis=1) / norms
    expected = stats.pearsonr(pairs["score"], cosines)
    np.testing.assert_allclose(result.pearson, expected.statistic, rtol=1e-12)
    np.testing.assert_allclose(result.pearson_pvalue, expected.pvalue, rtol=1e-9)
    rank = stats.spearmanr(pairs["score"], cosines).statistic
    np.testing.assert_allclose(result.spearman, rank, rtol=1e-12)


def test_printed_result_has_one_number_a_line():
    text = str(sts.STSScores(0.83214, 0.0, 0.82, 1440, "somewhere", pd.DataFrame()))
    assert text.splitlines() == [
        "Pearson  0.8321",
        "p-value  < 1e-300",
        "Spearman 0.8200",
        "n        1440",
        "source   somewhere",
    ]


class Shifted(Hashed):
    def encode(self, texts):
        return super().encode(texts) + 1


@pytest.mark.filterwarnings("ignore:.*cannot be had")
def test_two_encoders_are_compared_on_the_same_draws(offline):
    base, tuned = sts_benchmark(Hashed()), sts_benchmark(Shifted())
    table = base.compare(tuned, samples=50, seed=3)
    assert table.loc["pearson", "base"] == base.pearson
    assert table.loc["spearman", "tuned"] == tuned.spearman
    generator, n = np.random.default_rng(3), base.n
    expected = []
    for rows in (generator.integers(n, size=n) for _ in range(50)):
        before, after = (
            np.corrcoef(scores.pairs.to_numpy()[rows].T)[0, 1]
            for scores in (base, tuned)
        )
        expected.append(after - before)
    ends = np.quantile(expected, [0.025, 0.975])
    np.testing.assert_allclose(table.loc["pearson", ["low", "high"]], ends, rtol=1e-9)
    assert table["n"].tolist() == [n, n]


@pytest.mark.filterwarnings("ignore:.*cannot be had")
def test_other_pairs_are_not_compared(offline):
    base = sts_benchmark(Hashed())
    fewer = dataclasses.replace(base, pairs=base.pairs[:-1], n=base.n - 1)
    with pytest.raises(ValueError, match=f"{base.n} pairs of .* and {base.n - 1} of"):
        base.compare(fewer)


@pytest.mark.real_data
def test_base_scores(base):
    article = sts_benchmark(base, parsing="article")
    assert article.n == 1440
    assert article.pearson == pytest.approx(0.8321, abs=0.0005)
    everything = sts_benchmark(base)
    assert everything.n == 1500
    assert everything.pearson == pytest.approx(0.8343, abs=0.0005)
