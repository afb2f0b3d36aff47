import re
from pathlib import Path

import pandas as pd
import pytest

from usetune.data import load_sts, sources, sts


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
    files = sources.registry()
    names = {f"stsb/stsb-{a}-{b}.csv" for a in sts.LANGUAGES for b in sts.SPLITS}
    hashes = [files.registry[name] for name in names]
    assert len(set(hashes)) == 33 and {len(sha256) for sha256 in hashes} == {64}
    for name in (*names, "article/training_data.csv"):
        assert re.search("/[0-9a-f]{40}/.*/" + Path(name).name, files.get_url(name))
    assert len(files.registry) == 35


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
