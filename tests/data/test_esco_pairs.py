import numpy as np
import pandas as pd
import pytest

from usetune import check_leaks, load_occupations, load_pairs, split_pairs
from usetune.data import (
    counts,
    occupation_labels,
    positive_pairs_from_occupations,
    scored_pairs_from_occupations,
)
from usetune.data.esco_pairs import COSINE_OF_COMMON_DIGITS
from usetune.data.sources import shipped

TINY = pd.DataFrame(
    {
        "conceptUri": ["u:1", "u:2", "u:3", "u:4"],
        "iscoGroup": ["2511", "2512", "2166", "5120"],
        "language": "en",
        "preferredLabel": ["analyst", "developer", "artist", "cook"],
        "altLabels": [["expert", "data analyst"], ["coder"], ["painter"], ["expert"]],
        "description": ["A.", "B.", "C.", "D."],
    }
)

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


def test_label_pairs():
    pairs = positive_pairs_from_occupations(TINY)
    assert pairs.to_numpy().tolist() == [
        ["data analyst", "analyst", "u:1", "2511", "251"],
        ["coder", "developer", "u:2", "2512", "251"],
        ["painter", "artist", "u:3", "2166", "216"],
    ]
    assert counts(pairs) == {
        "labels": 9,
        "repeated in their occupation": 0,
        "kept": 9,
        "texts shared by occupations": 1,
        "left out as shared": 2,
        "pairs": 3,
    }


def test_label_pairs_of_several_languages(occupations):
    pairs = positive_pairs_from_occupations(occupations)
    english = occupations[occupations["language"] == "en"]
    assert set(pairs["positive"]) == set(english["preferredLabel"])
    shared = occupation_labels(occupations).query("shared")["text"]
    assert not pairs["anchor"].isin(shared).any()
    assert (pairs.groupby("anchor")["occupation"].nunique() == 1).all()


def test_group_split_has_no_leak(occupations):
    pairs = positive_pairs_from_occupations(occupations)
    for seed in range(5):
        training, validation = split_pairs(pairs, 0.25, "group", seed)
        check_leaks(training, validation)
        share = validation["group"].nunique() / pairs["group"].nunique()
        assert share == pytest.approx(0.25, abs=0.02)
        numbers = counts(training)
        assert numbers["pairs"] == len(pairs)
        left_out = numbers["left out, with a text of the validation"]
        assert len(training) + len(validation) + left_out == len(pairs)


@pytest.mark.real_data
def test_positive_pairs_of_the_real_download(esco):
    pairs = positive_pairs_from_occupations(esco)
    numbers = counts(pairs)
    assert numbers["texts shared by occupations"] > 800
    assert numbers["pairs"] == len(pairs) > 27_000
    assert (
        numbers["labels"]
        == 2942
        + numbers["repeated in their occupation"]
        + numbers["left out as shared"]
        + numbers["pairs"]
    )


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
    assert counts(pairs) == {
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
def test_scored_pairs_of_the_real_download(esco):
    assert len(scored_pairs_from_occupations(esco, unrelated=1)) > 30_000
