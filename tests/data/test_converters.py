from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from usetune.data import (
    counts,
    pairs_from_triplets,
    positive_pairs_from_classes,
    positive_pairs_from_labelled,
    triplets_from_classes,
)

# Few texts and few classes: equal rows and texts of several classes are common.
ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefghijklmn"), st.sampled_from(["x", "y", "z"])),
    min_size=2,
    max_size=25,
)
SEEDS = st.integers(0, 2**32 - 1)


def frame(rows):
    return pd.DataFrame(rows, columns=["text", "label"])


def classes_of(rows):
    """The texts of one class only, by class."""
    held = {}
    for text, label in rows:
        held.setdefault(text, set()).add(label)
    classes = {}
    for text, labels in held.items():
        if len(labels) == 1:
            classes.setdefault(*labels, set()).add(text)
    return classes


def class_counts(rows, classes):
    texts = [text for members in classes.values() for text in members]
    return {
        "texts": len(rows),
        "left out as equal": len(rows) - len(set(rows)),
        "left out, of several classes": len(set(rows)) - len(texts),
        "alone in their class": sum(len(members) == 1 for members in classes.values()),
    }


@settings(deadline=None)
@given(ROWS, st.integers(1, 4), st.one_of(st.none(), st.integers(1, 30)), SEEDS)
def test_triplets_from_classes(rows, per_anchor, limit, seed):
    classes = classes_of(rows)
    pairable = {text for held in classes.values() if len(held) > 1 for text in held}
    assume(len(classes) > 1 and pairable)
    triplets = triplets_from_classes(frame(rows), per_anchor, limit, seed)
    assert list(triplets.columns) == ["anchor", "positive", "negative"]
    own = {text: label for label, held in classes.items() for text in held}
    for anchor, positive, negative in triplets.itertuples(index=False):
        assert anchor != positive
        assert own[anchor] == own[positive] != own[negative]
    assert not triplets.duplicated().any()
    assert triplets["anchor"].value_counts().max() <= per_anchor
    asked = len(pairable) * per_anchor
    drawn = asked if limit is None else min(asked, limit)
    numbers = counts(triplets)
    assert numbers == class_counts(rows, classes) | {
        "triplets asked for": asked,
        "left out by limit": asked - drawn,
        "left out as drawn twice": drawn - len(triplets),
        "triplets": len(triplets),
    }
    if limit is None:
        assert {*triplets["anchor"]} == pairable
    if per_anchor == 1:
        assert len(triplets) == drawn
    again = triplets_from_classes(frame(rows), per_anchor, limit, seed)
    pd.testing.assert_frame_equal(triplets, again)


def test_triplets_draw_every_other_text_alike():
    rows = [(f"x{n}", "x") for n in range(4)] + [(f"y{n}", "y") for n in range(3)]
    rows += [("z0", "z")]
    drawn = [triplets_from_classes(frame(rows), seed=seed) for seed in range(250)]
    triplets = pd.concat(drawn)
    mine = triplets[triplets["anchor"] == "x1"]
    positives, negatives = Counter(mine["positive"]), Counter(mine["negative"])
    assert {*positives} == {"x0", "x2", "x3"}
    assert {*negatives} == {"y0", "y1", "y2", "z0"}
    assert all(abs(count / 250 - 1 / 3) < 0.1 for count in positives.values())
    assert all(abs(count / 250 - 1 / 4) < 0.1 for count in negatives.values())
    assert "z0" not in {*triplets["anchor"]}
    # A limit takes anchors at random.
    few = [triplets_from_classes(frame(rows), limit=2, seed=seed) for seed in range(40)]
    assert all(len(table) == 2 for table in few)
    assert {*pd.concat(few)["anchor"]} == {*triplets["anchor"]}


@pytest.mark.filterwarnings("ignore:texts. all pairs are of one class")
@settings(deadline=None)
@given(ROWS, st.one_of(st.none(), st.integers(1, 12)), SEEDS)
def test_positive_pairs_from_classes(rows, per_class, seed):
    classes = classes_of(rows)
    assume(any(len(held) > 1 for held in classes.values()))
    pairs = positive_pairs_from_classes(frame(rows), per_class, seed)
    assert list(pairs.columns) == ["anchor", "positive", "label"]
    possible = {
        (frozenset(couple), label)
        for label, held in classes.items()
        for couple in combinations(held, 2)
    }
    made = [
        (frozenset([anchor, positive]), label)
        for anchor, positive, label in pairs.itertuples(index=False)
    ]
    assert len(made) == len(set(made))
    assert {*made} <= possible
    totals = Counter(label for _, label in possible)
    expected = {
        label: total if per_class is None else min(total, per_class)
        for label, total in totals.items()
    }
    assert Counter(label for _, label in made) == expected
    assert counts(pairs) == class_counts(rows, classes) | {
        "possible pairs": len(possible),
        "left out by per_class": len(possible) - len(pairs),
        "pairs": len(pairs),
    }
    again = positive_pairs_from_classes(frame(rows), per_class, seed)
    pd.testing.assert_frame_equal(pairs, again)


def test_all_pairs_of_a_class_come_in_order():
    names = np.arange(300).astype(str)
    texts = pd.DataFrame({"text": [*names, "x", "y"], "label": [0] * 300 + [1] * 2})
    pairs = positive_pairs_from_classes(texts)
    couples = [(i, j) for j in range(300) for i in range(j)]
    made = [*pairs[["anchor", "positive"]].itertuples(index=False, name=None)]
    assert made == [(names[i], names[j]) for i, j in couples] + [("x", "y")]


def test_pairs_of_a_huge_class_are_drawn_without_making_all():
    # 2 * 10**11 pairs: all of them would take terabytes.
    count = 650_000
    texts = pd.DataFrame({"text": np.arange(count).astype(str), "label": 0})
    with pytest.warns(UserWarning, match="all pairs are of one class.* learn nothing"):
        pairs = positive_pairs_from_classes(texts, per_class=500)
    assert len(pairs) == 500
    assert counts(pairs)["possible pairs"] == count * (count - 1) // 2
    rows = pairs[["anchor", "positive"]].astype(int)
    assert (rows["anchor"] < rows["positive"]).all() and not rows.duplicated().any()
    # Of two random numbers the smaller is a third on average, the larger two thirds.
    np.testing.assert_allclose(rows.mean() / count, [1 / 3, 2 / 3], atol=0.04)
    with pytest.raises(ValueError, match="per_class must be given.*211,249,675,000"):
        positive_pairs_from_classes(texts)


TRIPLETS = pd.DataFrame(
    [
        ("a", "b", "x"),
        ("a", "b", "y"),
        ("a", "c", "x"),
        ("d", "e", "f"),
        ("a", "y", "z"),
    ],
    columns=["anchor", "positive", "negative"],
)


def test_pairs_from_triplets():
    pairs = pairs_from_triplets(TRIPLETS)
    assert list(map(tuple, pairs.to_numpy())) == [
        ("a", "b", 1),
        ("a", "x", 0),
        ("a", "c", 1),
        ("d", "e", 1),
        ("d", "f", 0),
        ("a", "y", 1),
        ("a", "z", 0),
    ]
    assert counts(pairs) == {
        "triplets": 5,
        "pairs of them": 10,
        "left out as positives elsewhere": 1,
        "left out as equal": 2,
        "pairs": 7,
    }


def test_pairs_from_several_negatives_keep_what_they_are_about():
    several = TRIPLETS.rename(columns={"negative": "negative_1"})
    several = several.assign(negative_2=list("pqrst"), occupation="1", group="2", k=1)
    pairs = pairs_from_triplets(several.set_index("k"))
    assert list(pairs.columns) == ["base", "ref", "label", "occupation", "group"]
    assert pairs["ref"].head(3).tolist() == ["b", "x", "p"]
    assert (pairs["label"] == 0).sum() == 3 + 5
    assert (pairs[["occupation", "group"]] == ["1", "2"]).all(axis=None)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("abcde")] * 3), min_size=1, max_size=20))
def test_pairs_and_triplets_agree(rows):
    triplets = pd.DataFrame(rows, columns=TRIPLETS.columns)
    pairs = pairs_from_triplets(triplets)
    right = {(anchor, positive) for anchor, positive, _ in rows}
    wrong = {(anchor, negative) for anchor, _, negative in rows} - right
    assert not pairs.duplicated(["base", "ref"]).any()
    made = pairs.groupby("label")[["base", "ref"]].apply(
        lambda table: {*table.itertuples(index=False, name=None)}
    )
    assert made.get(1) == right
    assert made.get(0, set()) == wrong
    numbers = counts(pairs)
    left_out = [number for name, number in numbers.items() if "left out" in name]
    assert numbers["pairs of them"] - sum(left_out) == len(pairs) == numbers["pairs"]
    again = positive_pairs_from_labelled(pairs)
    assert {*again.itertuples(index=False, name=None)} == right


def test_positive_pairs_from_labelled():
    pairs = pd.DataFrame(
        [("a", "b", 1, "o"), ("a", "c", 0, "o"), ("d", "e", 1, "p")],
        columns=["base", "ref", "label", "occupation"],
        index=[7, 8, 9],
    )
    positive = positive_pairs_from_labelled(pairs)
    expected = pd.DataFrame(
        [("a", "b", "o"), ("d", "e", "p")], columns=["anchor", "positive", "occupation"]
    )
    pd.testing.assert_frame_equal(positive, expected)
    assert counts(positive) == {
        "pairs": 3,
        "left out, labelled 0": 1,
        "positive pairs": 2,
    }


def test_counts_are_of_the_result_alone():
    texts = frame([("a", "x"), ("b", "x"), ("c", "y")])
    texts.attrs = {"format": "texts with a class", "counts": {"read": 3}}
    triplets = triplets_from_classes(texts)
    with pytest.warns(UserWarning, match="one class"):
        pairs = positive_pairs_from_classes(texts)
    labelled = pairs_from_triplets(triplets)
    for table in (triplets, pairs, labelled, positive_pairs_from_labelled(labelled)):
        assert [*table.attrs] == ["counts"]
        assert "read" not in counts(table)
        assert table.index.equals(pd.RangeIndex(len(table)))
    assert counts(texts) == {"read": 3}


CLASSES = frame([("a", "x"), ("b", "x"), ("c", "y")])


@pytest.mark.parametrize(
    "convert", [triplets_from_classes, positive_pairs_from_classes]
)
def test_faults_of_classes(convert):
    with pytest.raises(ValueError, match=r"texts lacks the columns \['label'\]"):
        convert(CLASSES[["text"]])
    with pytest.raises(ValueError, match="texts has no rows"):
        convert(CLASSES[:0])
    for wrong in (None, "", 3):
        cells = CLASSES.astype(object).replace({"text": {"b": wrong}})
        with pytest.raises(ValueError, match="column text: expected a text.*row 2"):
            convert(cells)
    with pytest.raises(ValueError, match="column label: expected a class.*row 3"):
        convert(CLASSES.assign(label=["x", "x", None]))
    for rows in ([("a", "x"), ("b", "y")], [("a", "x"), ("a", "y")]):
        with pytest.raises(ValueError, match="a class of at least two texts. Received"):
            convert(frame(rows))


def test_faults():
    with pytest.raises(ValueError, match=r"at least two classes. Received: \['x'\]"):
        triplets_from_classes(CLASSES[:2])
    for number in (0, -1):
        for name in ("per_anchor", "limit"):
            message = f"{name} must be at least 1. Received: {number}"
            with pytest.raises(ValueError, match=message):
                triplets_from_classes(CLASSES, **{name: number})
        with pytest.raises(ValueError, match=f"per_class must.*Received: {number}"):
            positive_pairs_from_classes(CLASSES, number)
    with pytest.raises(ValueError, match=r"triplets lacks the columns \['negative'\]"):
        pairs_from_triplets(TRIPLETS[["anchor", "positive"]])
    with pytest.raises(ValueError, match="column negative: expected a text"):
        pairs_from_triplets(TRIPLETS.assign(negative=""))
    pairs = pd.DataFrame({"base": ["a", "b"], "ref": ["c", "d"], "label": [0, 0]})
    with pytest.raises(ValueError, match="the label 1 in some row. Received: only 0"):
        positive_pairs_from_labelled(pairs)
    with pytest.raises(ValueError, match="column label: expected 0 or 1.*row 2"):
        positive_pairs_from_labelled(pairs.assign(label=[1, 2]))
    with pytest.raises(ValueError, match=r"pairs lacks the columns \['label'\]"):
        positive_pairs_from_labelled(pairs[["base", "ref"]])
