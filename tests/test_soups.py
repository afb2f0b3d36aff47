import numpy as np
import pandas as pd
import pytest

from usetune import (
    DomainBenchmark,
    fine_tune,
    fine_tune_soup,
    interpolate,
    load_pairs,
    trade_off,
)
from usetune.datasets import shipped


def test_the_soup_is_the_average_of_its_members(base):
    pairs = load_pairs(shipped("training_data.csv")).iloc[:24]
    small = base.compact([*pairs["base"], *pairs["ref"]])
    soup = fine_tune_soup(small, pairs, members=3, seed=5, epochs=1)
    members = [
        fine_tune(small, pairs, seed=seed, epochs=1).encoder for seed in (5, 6, 7)
    ]
    for average, *parts in zip(
        soup.variables, *(member.variables for member in members), strict=True
    ):
        np.testing.assert_allclose(average, np.mean(parts, axis=0), atol=1e-6)
    assert np.abs(members[0].variables[1].numpy() - members[1].variables[1]).max() > 0


def test_members_must_be_positive(base):
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        fine_tune_soup(base, None, members=0)


def test_trade_off(base):
    pairs = pd.DataFrame(
        {
            "anchor": ["software coder", "bread maker", "sick nurse"],
            "positive": ["programmer", "baker", "nurse"],
        }
    )
    domain = DomainBenchmark(pairs, ["programmer", "baker", "nurse", "cook"])
    small = base.compact(domain.texts)
    tuned = small.copy()
    for variable in tuned.variables:
        variable.assign(variable.value * 1.3)

    def kept(encoder):
        return {"kept": float(encoder.encode(["baker"])[0, 0])}

    table = trade_off(small, tuned, [0, 0.5, 1], domain, [kept], samples=20)
    assert table["alpha"].tolist() == [0, 0.5, 1]
    middle = interpolate(small, tuned, 0.5)
    for row, encoder in zip(range(3), (small, middle, tuned), strict=True):
        for name, value in {**domain(encoder), **kept(encoder)}.items():
            assert table.loc[row, name] == pytest.approx(value, abs=1e-6)
    assert (table["margin_low"] <= table["margin"]).all()
    assert (table["margin"] <= table["margin_high"]).all()
