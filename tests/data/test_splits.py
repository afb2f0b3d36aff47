import numpy as np
import pandas as pd
import pytest

from usetune import check_leaks, split_pairs
from usetune.data import counts


def frame(similarities):
    texts = [f"text {number}" for number in range(len(similarities))]
    return pd.DataFrame({"base": texts, "ref": texts, "similarity": similarities})


def test_tail_split_is_that_of_keras():
    training, validation = split_pairs(frame([0.5] * 98), 0.2, "tail")
    assert list(training.index) == list(range(78))
    assert list(validation.index) == list(range(78, 98))


def test_stratified_split():
    pairs = frame([0.1] * 60 + [0.5] * 30 + [1.0] * 10)
    training, validation = split_pairs(pairs, 0.2, seed=3)
    assert validation["similarity"].value_counts().to_dict() == {0.1: 12, 0.5: 6, 1: 2}
    assert sorted([*training.index, *validation.index]) == list(range(100))
    again = split_pairs(pairs, 0.2, seed=3)[1]
    other = split_pairs(pairs, 0.2, seed=4)[1]
    assert list(validation.index) == list(again.index) != list(other.index)


@pytest.mark.parametrize("rows", range(2, 30))
@pytest.mark.parametrize("how", ["tail", "stratified"])
def test_split_loses_no_row(rows, how):
    pairs = frame(np.linspace(0, 1, rows))
    parts = split_pairs(pairs, 0.3, how)
    assert sorted(pd.concat(parts).index) == list(range(rows))


def test_split_faults():
    with pytest.raises(ValueError, match="1 rows cannot be split .* at least 2"):
        split_pairs(frame([0.5]))
    for share in (0, 1, -1, 1.5):
        with pytest.raises(ValueError, match=f"validation_split.*{share}"):
            split_pairs(frame([0.5] * 9), share)
    with pytest.raises(ValueError, match="how must be.*'head'"):
        split_pairs(frame([0.5] * 9), how="head")


POSITIVE = pd.DataFrame(
    {
        "anchor": ["a1", "a2", "b1", "c1", "c2", "d1"],
        "positive": ["a", "a", "b", "c", "c", "d"],
        "group": ["1", "1", "2", "3", "3", "4"],
    }
)


def test_whole_groups_are_held_out():
    for seed in range(6):
        training, validation = split_pairs(POSITIVE, 0.25, "group", seed)
        assert validation["group"].nunique() == 1
        assert not {*training["group"]} & {*validation["group"]}
        assert len(training) + len(validation) == 6
        check_leaks(training, validation)


def test_texts_of_the_validation_are_left_out_and_counted():
    pairs = POSITIVE.replace({"anchor": {"a2": "c1"}})
    found = set()
    for seed in range(20):
        training, validation = split_pairs(pairs, 0.25, "group", seed)
        check_leaks(training, validation)
        left_out = counts(training)["left out, with a text of the validation"]
        assert left_out == (1 if {*validation["group"]} & {"1", "3"} else 0)
        assert len(training) + len(validation) + left_out == 6
        found.add(left_out)
    assert found == {0, 1}


def test_planted_leaks_are_found():
    training, validation = split_pairs(POSITIVE, 0.25, "group")
    text = validation["anchor"].iloc[0]
    planted = pd.concat(
        [training, training.iloc[:1].assign(negative_1=text)], ignore_index=True
    )
    with pytest.raises(ValueError, match=f"1 texts of the validation.*'{text}'"):
        check_leaks(planted, validation)
    sibling = pd.concat(
        [training, validation.iloc[:1].assign(anchor="new", positive="new too")]
    )
    with pytest.raises(ValueError, match="1 groups of the validation are trained on"):
        check_leaks(sibling, validation)
    with pytest.raises(ValueError, match="texts of the validation"):
        check_leaks(
            pd.DataFrame({"base": ["x"], "ref": ["y"]}),
            pd.DataFrame({"base": ["y"], "ref": ["z"]}),
        )


def test_group_split_needs_groups():
    with pytest.raises(ValueError, match="needs the column 'group'.*'anchor'"):
        split_pairs(POSITIVE.drop(columns="group"), 0.25, "group")


def test_positive_pairs_are_one_stratum():
    training, validation = split_pairs(POSITIVE, 0.5)
    assert len(training) == len(validation) == 3


def test_couples_of_a_class_are_held_out():
    labels = [0] * 5 + [1] * 4 + [2] * 2 + [3]
    texts = pd.DataFrame({"text": [f"t{n}" for n in range(12)], "label": labels})
    held = []
    for seed in range(20):
        training, validation = split_pairs(texts, 0.34, "couples", seed=seed)
        assert len(training) + len(validation) == 12 and len(validation) == 4
        assert (validation["label"].value_counts() % 2 == 0).all()
        assert list(training.index) == sorted(training.index)
        held.append(tuple(validation["text"]))
    assert len(set(held)) > 5
    # Every text of a class of several is held out at times, whichever is odd.
    assert {text for own in held for text in own} == {*texts["text"]} - {"t11"}
    again = split_pairs(texts, 0.34, "couples", seed=3)[1]
    assert tuple(again["text"]) == held[3]
    with pytest.raises(ValueError, match="needs the column 'label'"):
        split_pairs(texts.drop(columns="label"), 0.5, "couples")
