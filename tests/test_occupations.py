import numpy as np
import pandas as pd
import pytest

from usetune import load_pairs
from usetune.datasets import shipped
from usetune.occupations import read_occupations, scored_pairs

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
HEADER = "conceptUri,iscoGroup,preferredLabel,altLabels,description,language\n"
GOOD = HEADER + 'u:1,2511,analyst,"data analyst\n\n analista ",Analyses.,en\n'


@pytest.fixture(scope="module")
def occupations():
    return read_occupations(shipped("occupations.csv"))


def test_shipped_occupations(occupations):
    assert occupations["conceptUri"].nunique() >= 150
    assert occupations["iscoGroup"].nunique() >= 40
    assert occupations["iscoGroup"].str.fullmatch(r"\d{4}").all()
    languages = occupations.groupby("conceptUri")["language"].agg(set)
    assert (languages == {"en", "it", "nl", "fr"}).all()
    groups = occupations.groupby("conceptUri")["iscoGroup"].nunique()
    assert (groups == 1).all()
    labels = occupations.assign(
        label=[
            [preferred, *alternatives]
            for preferred, alternatives in zip(
                occupations["preferredLabel"], occupations["altLabels"], strict=True
            )
        ]
    ).explode("label")
    twice = labels.duplicated(["language", "label"], keep=False)
    assert not twice.any(), labels[twice]


def test_shipped_pairs_are_made_from_the_shipped_occupations(occupations):
    made = scored_pairs(occupations, TITLES, seed=0)
    stored = load_pairs(shipped("training_data.csv"))
    pd.testing.assert_frame_equal(made, stored, check_exact=False, rtol=1e-15)


def test_scheme(occupations):
    pairs = scored_pairs(occupations, ["data scientist"], unrelated=3, seed=1)
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
        scored_pairs(occupations, TITLES[:2], seed=seed) for seed in (5, 5, 6)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_all_labels_are_anchors_by_default(occupations):
    few = occupations[occupations["iscoGroup"].isin(["2511", "2221", "9112", "7512"])]
    pairs = scored_pairs(few, unrelated=1)
    assert set(pairs["base"]) == set(few[few["language"] == "en"]["preferredLabel"])


def test_faults_in_asking(occupations):
    with pytest.raises(ValueError, match="no English preferred label: .'wizard'"):
        scored_pairs(occupations, ["data analyst", "wizard"])
    few = occupations[occupations["iscoGroup"].isin(["2511", "9112"])]
    with pytest.raises(
        ValueError, match="'data analyst' needs .* unrelated texts, and"
    ):
        scored_pairs(few, ["data analyst"], unrelated=50)


def test_reading(tmp_path):
    path = tmp_path / "occupations.csv"
    path.write_text(GOOD)
    assert read_occupations(path)["altLabels"].tolist() == [
        ["data analyst", "analista"]
    ]
    path.write_text(GOOD.replace(",language", "").replace(",en", ""))
    assert read_occupations(path)["language"].tolist() == ["en"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.replace("altLabels", "labels"), r"lacks the columns \['altLabels'\]"),
        (GOOD.replace("2511", "IT"), r"iscoGroup: is not an ISCO code.* rows \[1\]"),
        (GOOD.replace(",analyst,", ",,"), r"preferredLabel: is empty in rows \[1\]"),
        (GOOD + "u:1,2511,x,,D.,en\n", r"conceptUri: repeats .* rows \[2\]"),
    ],
)
def test_faults_in_the_file(tmp_path, content, message):
    path = tmp_path / "occupations.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_occupations(path)
