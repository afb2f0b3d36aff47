import numpy as np
import pandas as pd
import pytest

from tests.data.test_esco_pairs import TINY
from usetune import load_occupations, load_pairs
from usetune.data import scored_pairs_from_occupations
from usetune.data.esco_pairs import COSINE_OF_COMMON_DIGITS
from usetune.data.sources import shipped

TITLES = [
    "data scientist",
    "data analyst",
    "data engineer",
    "nurse practitioner",
    "registered nurse",
    "medical assistant",
    "social media manager",
    "marketing strategist",
    "product marketing manager",
]


@pytest.fixture(scope="module")
def occupations():
    return load_occupations(shipped("occupations.csv"))


def test_shipped_pairs_are_made_from_the_shipped_occupations(occupations):
    made = scored_pairs_from_occupations(occupations, TITLES, seed=0)
    stored = load_pairs(shipped("training_data.csv"))
    pd.testing.assert_frame_equal(made, stored, check_exact=False, rtol=1e-15)


def test_scheme(occupations):
    pairs = scored_pairs_from_occupations(
        occupations, ["data scientist"], unrelated=3, seed=1
    )
    own = occupations[occupations["conceptUri"].str.endswith(":data-scientist")]
    related = {label for labels in own["altLabels"] for label in labels}
    related = (related | {*own["preferredLabel"]}) - {"data scientist"}
    by_score = pairs.groupby(pairs["similarity"].round(6))["ref"].agg(set)
    assert by_score[1.0] == set(own["description"])
    assert by_score[0.746817] == related
    assert len(by_score[0.5]) == 3 * (len(by_score[1.0]) + len(by_score[0.746817]))
    groups = occupations.set_index("preferredLabel")["iscoGroup"].str[:2]
    for ref in by_score[0.5] & set(groups.index):
        assert "25" not in set(groups[[ref]]), ref
    assert not pairs.duplicated(["base", "ref"]).any()
    assert set(pairs["base"]) == {"data scientist"}
    exact = 1 - np.arccos(0.7) / np.pi
    assert np.isclose(pairs["similarity"], exact, rtol=0, atol=1e-15).any()


def test_one_seed_one_result(occupations):
    first, again, other = (
        scored_pairs_from_occupations(occupations, TITLES[:2], seed=seed)
        for seed in (5, 5, 6)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_all_labels_are_anchors_by_default(occupations):
    few = occupations[occupations["iscoGroup"].isin(["2511", "2221", "9112", "7512"])]
    pairs = scored_pairs_from_occupations(few, unrelated=1)
    assert set(pairs["base"]) == set(few[few["language"] == "en"]["preferredLabel"])


def test_faults_in_asking(occupations):
    with pytest.raises(ValueError, match="no English preferred label: .'wizard'"):
        scored_pairs_from_occupations(occupations, ["data analyst", "wizard"])
    few = occupations[occupations["iscoGroup"].isin(["2511", "9112"])]
    with pytest.raises(
        ValueError, match="'data analyst' needs .* texts of other occupations, and"
    ):
        scored_pairs_from_occupations(few, ["data analyst"], unrelated=50)


def test_counts_of_scored_pairs():
    pairs = scored_pairs_from_occupations(TINY, unrelated=1)
    assert pairs.attrs["counts"] == {
        "pairs of cosine 1": 4,
        "pairs of cosine 0.7": 5,
        "pairs of cosine 0": 9,
        "repeated in their occupation": 0,
    }
    # "expert" is a label of the cook, so it is no unrelated text of the analyst.
    wrong = pairs[(pairs["base"] == "analyst") & (pairs["similarity"] == 0.5)]
    assert "expert" not in set(wrong["ref"])


def test_isco_distance(occupations):
    pairs = scored_pairs_from_occupations(occupations, isco_distance=True, unrelated=3)
    cosine = np.cos((1 - pairs["similarity"]) * np.pi).round(6)
    assert set(cosine) == {1.0, 0.7, *COSINE_OF_COMMON_DIGITS}
    codes = occupations.assign(
        text=[
            [row.preferredLabel, row.description, *row.altLabels]
            for row in occupations.itertuples()
        ]
    ).explode("text")
    codes = codes.groupby("text")["iscoGroup"].agg(set)
    english = occupations[occupations["language"] == "en"]
    code_of = english.set_index("preferredLabel")["iscoGroup"]
    others = pairs[cosine < 0.7]
    for base, ref, value in zip(
        others["base"], others["ref"], cosine[cosine < 0.7], strict=True
    ):
        common = max(
            next((i for i in range(4) if a[i] != code_of[base][i]), 4)
            for a in codes[ref]
        )
        assert value == COSINE_OF_COMMON_DIGITS[common], (base, ref)
    # Drawn evenly from the distances that there are.
    assert others.groupby(cosine[cosine < 0.7]).size().min() > 0.05 * len(others)


@pytest.mark.real_data
def test_the_real_download(esco):
    assert len(scored_pairs_from_occupations(esco, unrelated=1)) > 30_000
