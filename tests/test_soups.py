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
from usetune.projected import ProjectedEncoder


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


@pytest.mark.parametrize("alpha", [0, 0.25, 1])
def test_interpolate(small, alpha, monkeypatch):
    monkeypatch.setattr("usetune.soups._ROWS", 7)
    tuned = small.copy()
    for variable in tuned.variables:
        variable.assign(variable.value + 2)
    before = [variable.numpy() for variable in small.variables]
    mixed = interpolate(small, tuned, alpha)
    for a, b, c in zip(mixed.variables, before, small.variables, strict=True):
        np.testing.assert_allclose(a, b + 2 * alpha, atol=1e-5)
        np.testing.assert_array_equal(b, c)


def test_interpolate_faults(base, small):
    with pytest.raises(ValueError, match=r"\[0, 1\]. Received: 1.5"):
        interpolate(small, small, 1.5)
    with pytest.raises(ValueError, match="same shapes"):
        interpolate(base, small, 0.5)


def test_interpolate_needs_the_same_projections(tiny):
    turned = tiny.truncate(8)
    mixed = interpolate(turned, turned.copy(), 0.5)
    np.testing.assert_allclose(mixed.encode(["cook"]), turned.encode(["cook"]), 1e-6)
    other = ProjectedEncoder(tiny, -np.eye(16)[:, :8])
    for base, tuned in ((tiny, turned), (turned, tiny), (turned, other)):
        with pytest.raises(ValueError, match="same projections"):
            interpolate(base, tuned, 0.5)
