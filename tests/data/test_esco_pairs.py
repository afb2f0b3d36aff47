import pandas as pd
import pytest

from usetune import check_leaks, load_occupations, split_pairs
from usetune.data import occupation_labels, positive_pairs_from_occupations
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


@pytest.fixture(scope="module")
def occupations():
    return load_occupations(shipped("occupations.csv"))


def test_label_pairs():
    pairs = positive_pairs_from_occupations(TINY)
    assert pairs.to_numpy().tolist() == [
        ["data analyst", "analyst", "u:1", "251"],
        ["coder", "developer", "u:2", "251"],
        ["painter", "artist", "u:3", "216"],
    ]
    assert pairs.attrs["counts"] == {
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
        counts = training.attrs["counts"]
        assert counts["pairs"] == len(pairs)
        left_out = counts["left out, with a text of the validation"]
        assert len(training) + len(validation) + left_out == len(pairs)


@pytest.mark.real_data
def test_the_real_download(esco):
    pairs = positive_pairs_from_occupations(esco)
    counts = pairs.attrs["counts"]
    assert counts["texts shared by occupations"] > 800
    assert counts["pairs"] == len(pairs) > 27_000
    assert (
        counts["labels"]
        == 2942
        + counts["repeated in their occupation"]
        + counts["left out as shared"]
        + counts["pairs"]
    )
