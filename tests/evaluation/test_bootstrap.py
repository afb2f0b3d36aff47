import numpy as np
import pandas as pd
import pytest

from usetune.evaluation.bootstrap import compare, in_words, intervals


def test_draws():
    drawn = []
    intervals(lambda rows: drawn.append(rows) or {"x": rows[0]}, 7, 50, seed=3)
    everything, *samples = drawn
    assert everything.tolist() == [*range(7)] and len(samples) == 50
    assert all(len(rows) == 7 for rows in samples)
    assert {*np.concatenate(samples)} == {*range(7)}
    # With replacement, and other draws each time.
    assert any(len({*rows}) < 7 for rows in samples)
    assert len({tuple(rows) for rows in samples}) == 50


def test_seed():
    def table(seed):
        return intervals(lambda rows: {"x": rows.sum()}, 100, 20, seed)

    pd.testing.assert_frame_equal(table(1), table(1))
    assert not table(1).equals(table(2))


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(size=400)
    table = intervals(lambda rows: {"mean": values[rows].mean()}, 400, 2000, seed=0)
    row = table.loc["mean"]
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert row["value"] == values.mean()
    assert row["low"] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert row["high"] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_percentiles():
    # The metrics of all rows, then those of a thousand and one samples.
    numbers = iter([4.0, *np.random.default_rng(0).permutation(np.arange(1001.0))])

    def metrics(rows):
        number = next(numbers)
        return {"a": number, "b": number / 10}

    table = intervals(metrics, 3, 1001, seed=0)
    assert table.loc["a"].tolist() == pytest.approx([4, 25, 975])
    assert table.loc["b"].tolist() == pytest.approx([0.4, 2.5, 97.5])


def test_comparison_is_paired():
    """What is added to every row alike is certain."""
    values = np.random.default_rng(0).normal(size=30)
    both = [lambda rows, own=own: {"mean": values[rows].mean() + own} for own in (0, 2)]
    row = compare(*both, 30, 100, seed=0).loc["mean"]
    assert row["base"] == values.mean() and row["tuned"] == values.mean() + 2
    assert row[["difference", "low", "high"]].tolist() == pytest.approx([2, 2, 2])


def test_faults():
    with pytest.raises(ValueError, match="samples must be at least 1. Received: 0"):
        intervals(lambda rows: {}, 3, 0, 0)


def test_in_words():
    ends = {"low": [0.1, -0.3, -0.1, 0.0], "high": [0.3, -0.1, 0.3, 0.2]}
    table = pd.DataFrame({"difference": [0.2, -0.2, 0.1, 0.1]} | ends, index=[*"abcd"])
    assert in_words(table).splitlines() == [
        "a: rose, +0.2000 [+0.1000, +0.3000]",
        "b: fell, -0.2000 [-0.3000, -0.1000]",
        "c: no change is shown, +0.1000 [-0.1000, +0.3000]",
        "d: no change is shown, +0.1000 [+0.0000, +0.2000]",
    ]
    assert in_words(table, "b") == "b: fell, -0.2000 [-0.3000, -0.1000]"
