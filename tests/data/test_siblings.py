import pandas as pd
import pytest

from usetune.data import sibling_pairs

PAIRS = pd.DataFrame(
    {
        "anchor": ["RN", "staff nurse", "accoucheuse", "medic", "pitman", "coder"],
        "positive": ["nurse", "nurse", "midwife", "doctor", "miner", "developer"],
        "group": ["22", "22", "22", "22", "81", None],
    }
)


def test_every_sibling_and_nothing_else():
    siblings = sibling_pairs(PAIRS, 200)
    names = {"nurse", "midwife", "doctor"}
    couples = {(a, b) for a in names for b in names if a != b}
    assert {*zip(siblings["anchor"], siblings["positive"], strict=True)} == couples
    assert len(siblings) == len(couples)
    assert (siblings["group"] == "22").all()


def test_draws_are_even_and_one_seed_gives_one_result():
    table = pd.DataFrame({"positive": [f"n{i}" for i in range(600)]})
    table["group"] = [i % 200 for i in range(600)]
    siblings = sibling_pairs(table, 300, seed=1)
    assert siblings.equals(sibling_pairs(table, 300, seed=1))
    assert not siblings.equals(sibling_pairs(table, 300, seed=2))
    number = table.set_index("positive")["group"]
    assert (number[siblings["anchor"]].to_numpy() == siblings["group"]).all()
    assert (number[siblings["positive"]].to_numpy() == siblings["group"]).all()
    assert siblings["group"].nunique() > 120
    assert len(sibling_pairs(table, 0)) == 0


def test_what_has_no_siblings_is_refused():
    with pytest.raises(ValueError, match="two names of one group. Received: none"):
        sibling_pairs(PAIRS.iloc[3:], 5)
    with pytest.raises(ValueError, match="'unit'"):
        sibling_pairs(PAIRS, 5, within="unit")
    with pytest.raises(ValueError, match="number must be at least 0"):
        sibling_pairs(PAIRS, -1)
