import numpy as np
import pandas as pd
import pytest

from usetune import suggest_loss
from usetune.data import pairs_from_triplets, triplets_from_classes
from usetune.data.formats import FORMATS, check_rows, format_of
from usetune.training import TrainingSet

TABLES = {
    "scored pairs": {"base": ["a", "b"], "ref": ["c", "d"], "similarity": [0, 0.5]},
    "pairs labelled 0 or 1": {"base": ["a", "b"], "ref": ["c", "d"], "label": [0, 1]},
    "pairs labelled with a class": {
        "base": ["a", "b"],
        "ref": ["c", "d"],
        "label": [0, 2],
    },
    "positive pairs": {"anchor": ["a", "b"], "positive": ["c", "d"]},
    "triplets": {"anchor": ["a"], "positive": ["b"], "negative": ["c"]},
    "texts with a class": {"text": ["a", "b"], "label": [7, 0]},
}


@pytest.mark.parametrize("name", TABLES)
def test_recognised_by_the_columns(name):
    table = pd.DataFrame(TABLES[name]).assign(further="x")
    format = format_of(table)
    assert format.name == name
    checked = check_rows(table, format, "table")
    assert list(checked) == list(format.columns)
    for column in format.columns:
        assert checked[column].tolist() == TABLES[name][column]


def test_every_shape_is_tested():
    assert [format.name for format in FORMATS] == list(TABLES)


def test_labels_as_text_are_recognised_too():
    table = pd.DataFrame({"base": ["a"], "ref": ["b"], "label": ["1"]})
    assert format_of(table).name == "pairs labelled 0 or 1"
    checked = check_rows(table, format_of(table), "table")
    assert checked["label"].dtype == "int64" and checked["label"].tolist() == [1]
    assert format_of(table.assign(label="2")).name == "pairs labelled with a class"


def test_named_where_several_fit():
    both = pd.DataFrame(TABLES["scored pairs"]).assign(label=[0, 1])
    with pytest.raises(ValueError, match="fit scored pairs and pairs labelled 0 or 1"):
        format_of(both)
    assert format_of(both, "scored pairs").name == "scored pairs"
    # Labels of 0 and 1 may be classes as well.
    name = "pairs labelled with a class"
    assert format_of(both, name).name == name
    with pytest.raises(ValueError, match="must be one of.*Received: 'pears'"):
        format_of(both, "pears")
    with pytest.raises(ValueError, match=r"lacks the columns \['anchor', 'positive'\]"):
        format_of(both, "positive pairs")


def test_what_is_kept_beside():
    table = pd.DataFrame(
        {
            "negative_2": ["e"],
            "anchor": ["a"],
            "positive": ["b"],
            "negative_1": ["c"],
            "occupation": ["uri"],
            "group": ["251"],
            "label": [3],
            "note": [None],
        },
        index=[17],
    )
    checked = check_rows(table, format_of(table), "table")
    assert {*checked} == {*table} - {"note"} and list(checked.index) == [17]
    triplets = table.rename(columns={"negative_1": "negative"})
    assert "label" not in check_rows(triplets, format_of(triplets), "table")


@pytest.mark.parametrize(
    ("name", "cell", "message"),
    [
        ("scored pairs", {"similarity": [0.5, 1.01]}, r"in \[0, 1\].*row 2: 1\.01"),
        ("scored pairs", {"similarity": [np.nan, 1]}, r"in \[0, 1\].*row 1: .*nan"),
        ("scored pairs", {"ref": ["x", 3]}, "column ref: expected a text.*row 2: 3"),
        ("scored pairs", {"base": ["x", None]}, "base: expected a text.*row 2"),
        ("positive pairs", {"anchor": [" ", "x"]}, "a text.* 1 of 2 rows: row 1: ' '"),
        ("positive pairs", {"group": ["", "x"]}, "column group: expected a text"),
        ("positive pairs", {"label": [0, 1.5]}, "column label: expected a whole"),
        ("scored pairs", {"similarity": ["0.7١", 1]}, r"row 1: '0\.7١'"),
        (
            "scored pairs",
            {"similarity": pd.Series([1, 10**5000], dtype=object)},
            "row 2: something of the type int that is too long",
        ),
        ("texts with a class", {"label": [0, 1.5]}, "a whole number from 0.*1.5"),
        ("texts with a class", {"label": [0, -1]}, "a whole number from 0.*-1"),
        ("texts with a class", {"label": [0, 2**25]}, "number from 0 to 16,777,216 "),
        ("texts with a class", {"label": ["a", 1]}, r"pandas\.factorize.*row 1: 'a'"),
        ("pairs labelled with a class", {"label": [None, 1]}, "a whole number"),
    ],
)
def test_faults_are_named(name, cell, message):
    table = pd.DataFrame({**TABLES[name], **cell})
    with pytest.raises(ValueError, match=message):
        check_rows(table, format_of(table, name), "table")


def test_a_pair_labelled_2_is_no_validation_for_0_and_1():
    binary = format_of(pd.DataFrame(TABLES["pairs labelled 0 or 1"]))
    other = pd.DataFrame(TABLES["pairs labelled with a class"])
    with pytest.raises(ValueError, match="label: expected 0 or 1. .* row 2: .*2"):
        check_rows(other, binary, "validation")


def test_no_rows():
    table = pd.DataFrame(TABLES["triplets"]).iloc[:0]
    with pytest.raises(ValueError, match="table has no rows"):
        check_rows(table, format_of(table), "table")


@pytest.mark.parametrize("pairs", [[("a", "b", 1)], {"base": ["a"]}, "pairs.csv", None])
@pytest.mark.parametrize(
    "take",
    [format_of, TrainingSet, suggest_loss, pairs_from_triplets, triplets_from_classes],
)
def test_what_is_no_table(take, pairs):
    received = f"Received: {type(pairs).__name__}"
    with pytest.raises(TypeError, match=rf"must be a DataFrame: .*\. {received}"):
        take(pairs)
