import zlib

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from usetune import load_sts, sts_benchmark
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


def test_sample_covers_the_scale():
    pairs = pd.read_csv(sources.shipped("sts_sample.csv"), keep_default_na=False)
    assert len(pairs) >= 240
    assert pairs["score"].between(0, 5).all()
    assert (pd.cut(pairs["score"], 5).value_counts() >= 40).all()
    assert (pairs[["sentence1", "sentence2"]] != "").all(axis=None)
    assert not pairs.duplicated(["sentence1", "sentence2"]).any()


def test_another_language_is_not_replaced_by_the_sample(offline):
    with pytest.raises(FileNotFoundError, match="stsb-ja-dev.csv .* English only"):
        load_sts("dev", "ja")


def test_arguments():
    with pytest.raises(ValueError, match="split must be.*'validation'"):
        load_sts("validation")
    with pytest.raises(ValueError, match="language must be.*'sv'"):
        load_sts(language="sv")
    with pytest.raises(ValueError, match="parsing must be.*'none'"):
        load_sts(parsing="none")


def test_changed_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "stsb").mkdir()
    (tmp_path / "stsb" / "stsb-en-dev.csv").write_text("a,b,5.0\n")
    monkeypatch.setenv("USETUNE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="stsb-en-dev.csv .*expected SHA-256 d29586e9"):
        load_sts()


def test_every_language_and_split_is_pinned():
    assert len(sts.LANGUAGES) == 11
    hashes = [sha256 for row in sts._SHA256.values() for sha256 in row]
    assert len(set(hashes)) == 33 and {len(sha256) for sha256 in hashes} == {64}


def test_printed_result_has_one_number_a_line():
    text = str(sts.STSScores(0.83214, 0.0, 0.82, 1440, "somewhere"))
    assert text.splitlines() == [
        "Pearson  0.8321",
        "p-value  < 1e-300",
        "Spearman 0.8200",
        "n        1440",
        "source   somewhere",
    ]


def test_parsing_of_the_article_loses_rows_between_quotes():
    pairs = pd.DataFrame(
        {
            "sentence1": ["one", '"two', "three", 'four"', "five"],
            "sentence2": ["uno", "due", "tre", "quattro", "cinque"],
            "score": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    kept = sts._parse_as_article(pairs)
    assert kept["sentence1"].iloc[0] == "one" and kept["sentence1"].iloc[-1] == "five"
    assert "three" not in set(kept["sentence1"])


@pytest.mark.real_data
def test_real_benchmark():
    assert len(load_sts("train")) == 5749
    assert len(load_sts("dev")) == 1500
    assert len(load_sts(parsing="article")) == 1440
    assert load_sts("dev", "ja").attrs["source"] == "STS benchmark, ja dev"


@pytest.mark.real_data
def test_base_scores(base):
    article = sts_benchmark(base, parsing="article")
    assert article.n == 1440
    assert article.pearson == pytest.approx(0.8321, abs=0.0005)
    everything = sts_benchmark(base)
    assert everything.n == 1500
    assert everything.pearson == pytest.approx(0.8343, abs=0.0005)
