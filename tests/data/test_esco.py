import csv
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from usetune import load_occupations
from usetune.data import counts, occupation_labels
from usetune.data.sources import registry, shipped

REAL = Path(os.environ["USETUNE_DATA"])
HEADER = "conceptUri,iscoGroup,preferredLabel,altLabels,description,language\n"
GOOD = HEADER + 'u:1,2511,analyst,"data analyst\n\n analista ",Analyses.,en\n'


@pytest.fixture(scope="module")
def occupations():
    return load_occupations(shipped("occupations.csv"))


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


def test_reading(tmp_path):
    path = tmp_path / "occupations.csv"
    path.write_text(GOOD)
    assert load_occupations(path)["altLabels"].tolist() == [
        ["data analyst", "analista"]
    ]
    # Only line feeds part labels.
    path.write_bytes(GOOD.replace("\n\n", "\x0bb\x85c\u2028d\r\n").encode())
    assert load_occupations(path)["altLabels"].tolist() == [
        ["data analyst\x0bb\x85c\u2028d", "analista"]
    ]
    path.write_text(GOOD.replace(",language", "").replace(",en", ""))
    assert load_occupations(path)["language"].tolist() == ["en"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.replace("altLabels", "labels"), r"lacks the columns \['altLabels'\]"),
        (GOOD.replace("2511", "IT"), "iscoGroup: expected an ISCO code.* line 2: 'IT'"),
        (
            GOOD.replace(",analyst,", ",,"),
            "preferredLabel: expected a text.* line 2: ''",
        ),
        (
            GOOD + "u:1,2511,x,,D.,en\n",
            "conceptUri: expected an occupation once.* line 5: 'u:1'",
        ),
    ],
)
def test_faults_in_the_file(tmp_path, content, message):
    path = tmp_path / "occupations.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        load_occupations(path)


def test_the_names_of_columns_in_the_published_file(tmp_path):
    path = tmp_path / "tabiya_occupations.csv"
    header = "ORIGINURI,ISCOGROUPCODE,CODE,PREFERREDLABEL,ALTLABELS,DESCRIPTION\n"
    path.write_text(header + 'u:1,2511,2511.3,analyst,"a\nb",Analyses.\n')
    (row,) = load_occupations(path).to_dict("records")
    assert row == {
        "conceptUri": "u:1",
        "iscoGroup": "2511",
        "preferredLabel": "analyst",
        "altLabels": ["a", "b"],
        "description": "Analyses.",
        "language": "en",
    }
    path.write_text(header.replace("ALTLABELS", "AltLabels"))
    with pytest.raises(ValueError, match=r"\['ALTLABELS'\].*'AltLabels' is not 'ALTL"):
        load_occupations(path)


def test_languages_are_joined_by_uri(tmp_path):
    english, french = tmp_path / "occupations_en.csv", tmp_path / "occupations_fr.csv"
    header = HEADER.replace(",language", "")
    english.write_text(header + "u:1,2511,analyst,,D.\nu:2,5120,cook,chef,D.\n")
    french.write_text(header + "u:2,5120,cuisinier,,D.\n")
    occupations = load_occupations(english, french)
    assert occupations["language"].tolist() == ["en", "en", "fr"]
    assert counts(occupations) == {
        "rows": 3,
        "occupations": 2,
        "missing in en": 0,
        "missing in fr": 1,
    }
    with pytest.raises(ValueError, match="occupations_en.csv.*u:1 comes twice.*'en'"):
        load_occupations(english, english)
    french.write_text(header + "u:2,5121,cuisinier,,D.\n")
    with pytest.raises(ValueError, match="u:2 has 2 ISCO codes"):
        load_occupations(english, french)


def test_labels():
    table = pd.DataFrame(
        {
            "conceptUri": ["u:1", "u:2"],
            "iscoGroup": ["2511", "5120"],
            "language": "en",
            "preferredLabel": ["analyst", "cook"],
            "altLabels": [["expert", "analyst", "data analyst"], ["expert", "expert"]],
        }
    )
    labels = occupation_labels(table)
    assert labels["text"].tolist() == [
        "analyst",
        "cook",
        "expert",
        "data analyst",
        "expert",
    ]
    assert labels["shared"].tolist() == [False, False, True, False, True]
    assert labels["preferred"].tolist() == [True, True, False, False, False]
    assert counts(labels) == {
        "labels": 7,
        "repeated in their occupation": 2,
        "kept": 5,
        "texts shared by occupations": 1,
    }


@pytest.mark.real_data
def test_the_real_download(esco):
    assert counts(esco) == {
        "rows": 2942,
        "occupations": 2942,
        "missing in en": 0,
    }
    numbers = counts(occupation_labels(esco))
    assert numbers["labels"] == 2942 + 29997
    assert numbers["repeated in their occupation"] == 45
    assert numbers["kept"] == 2942 + 29997 - 45
    found = load_occupations()
    assert found.equals(esco)
    assert found.attrs["source"] == "ESCO, occupations_en.csv"


@pytest.mark.real_data
def test_the_published_file_stands_in_for_the_download(offline, monkeypatch, tmp_path):
    # As pooch stores it: in the cache, under its name in the registry.
    cached = tmp_path / "usetune" / "esco" / "tabiya_occupations.csv"
    cached.parent.mkdir(parents=True)
    shutil.copy(REAL / "esco" / "tabiya_occupations.csv", cached)
    occupations = load_occupations()
    assert occupations.attrs["source"] == "ESCO 1.1.1, tabiya_occupations.csv"
    assert counts(occupations) == {
        "rows": 3007,
        "occupations": 3007,
        "missing in en": 0,
    }
    with cached.open(newline="") as file:
        written = next(csv.DictReader(file))
    first = occupations.iloc[0]
    assert first["preferredLabel"] == written["PREFERREDLABEL"]
    assert first["altLabels"] == written["ALTLABELS"].split("\n")
    # The user's folder comes before the cache, and ESCO's own file before this one.
    monkeypatch.setenv("USETUNE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    shutil.move(cached.parent, tmp_path / "data" / "esco")
    assert load_occupations().equals(occupations)
    (tmp_path / "data" / "esco" / "occupations_en.csv").write_text(GOOD)
    assert load_occupations()["conceptUri"].tolist() == ["u:1"]


def test_the_published_file_is_pinned():
    name = "esco/tabiya_occupations.csv"
    assert registry().registry[name].startswith("718ccf04")
    address = registry().get_url(name)
    assert "815c85d4be9b059c927156d2819e41e904d1d442/tabiya-esco-v1.1.1/" in address


def test_what_is_shipped_stands_in_with_a_warning(offline, monkeypatch, tmp_path):
    for folder, why in (
        (None, "no network in this test"),
        (str(tmp_path), "no network in this test"),
        ("", "USETUNE_DATA is set but empty"),
    ):
        if folder is not None:
            monkeypatch.setenv("USETUNE_DATA", folder)
        message = f"esco/tabiya.* had.*{why}.* using the occupations shipped"
        with pytest.warns(UserWarning, match=message):
            occupations = load_occupations()
        assert "NOT ESCO's" in occupations.attrs["source"]
        assert len(occupations) == 784
