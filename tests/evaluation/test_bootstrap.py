import numpy as np
import pandas as pd
import pytest

from usetune.evaluation.bootstrap import bootstrap, interval_table


def test_draws():
    drawn = []
    table = bootstrap(lambda rows: drawn.append(rows) or {"x": rows[0]}, 7, 50, seed=3)
    assert table.shape == (50, 1)
    assert table["x"].tolist() == [rows[0] for rows in drawn]
    assert all(len(rows) == 7 for rows in drawn)
    assert {*np.concatenate(drawn)} == {*range(7)}
    # With replacement, and other draws each time.
    assert any(len({*rows}) < 7 for rows in drawn)
    assert len({tuple(rows) for rows in drawn}) == 50


def test_seed():
    def tables(seed):
        return bootstrap(lambda rows: {"x": rows.sum()}, 100, 20, seed)

    pd.testing.assert_frame_equal(tables(1), tables(1))
    assert not tables(1).equals(tables(2))


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(size=400)
    drawn = bootstrap(lambda rows: {"mean": values[rows].mean()}, 400, 2000, seed=0)
    row = interval_table({"value": {"mean": values.mean()}}, drawn).loc["mean"]
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert row["value"] == values.mean()
    assert row["low"] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert row["high"] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_percentiles():
    drawn = pd.DataFrame({"a": np.arange(1001.0), "b": np.arange(1001.0) / 10})
    table = interval_table({"value": {"b": 3.0, "a": 4.0}}, drawn)
    assert table.loc["a"].tolist() == pytest.approx([4, 25, 975])
    assert table.loc["b"].tolist() == pytest.approx([3, 2.5, 97.5])


def test_faults():
    with pytest.raises(ValueError, match="samples must be at least 1. Received: 0"):
        bootstrap(lambda rows: {}, 3, 0, 0)
