from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tests.fakes.tiny_encoder import TinyEncoder
from usetune import sts_benchmark
from usetune.data import load_sts
from usetune.evaluation.domain import DomainEvaluator
from usetune.evaluation.errors import most_wrong, neighbours, worst_queries


class Table:
    """An encoder that knows its texts."""

    def __init__(self, **vectors):
        self.vectors = vectors

    def encode(self, texts):
        assert isinstance(texts, list)
        return np.array([self.vectors[text] for text in texts], dtype="float32")


def at(degrees, length=1.0):
    return length * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


# Of any length: neighbours are by the cosine.
BASE = Table(a=at(0, 3), b=at(10), c=at(20, 9), d=at(90), new=at(14))
TUNED = Table(a=at(0), b=at(80), c=at(30), d=at(20, 5), new=at(89))
CORPUS = ["a", "b", "c", "d"]


def test_neighbours_side_by_side():
    table = neighbours(BASE, TUNED, ["a", "new"], CORPUS, count=2)
    assert list(table.columns) == [
        "title",
        "rank",
        "base",
        "base_cosine",
        "tuned",
        "tuned_cosine",
    ]
    assert table["title"].tolist() == ["a", "a", "new", "new"]
    assert table["rank"].tolist() == [1, 2, 1, 2]
    assert table["base"].tolist() == ["b", "c", "b", "c"]
    assert table["tuned"].tolist() == ["d", "c", "b", "c"]
    for name, degrees in (("base", [10, 20, 4, 6]), ("tuned", [20, 30, 9, 59])):
        expected = np.cos(np.radians(degrees))
        np.testing.assert_allclose(table[f"{name}_cosine"], expected, atol=1e-6)


def test_a_title_is_no_neighbour_of_itself():
    """Not even where others have the same embedding and come before it."""
    same = Table(**dict.fromkeys("abcd", at(0)))
    for title, others in (("a", "bcd"), ("b", "acd"), ("d", "abc")):
        table = neighbours(same, BASE, [title], CORPUS, count=3)
        assert table["base"].tolist() == list(others)
        assert title not in table["tuned"].tolist()
    assert neighbours(same, same, ["d"], CORPUS, count=1)["base"].tolist() == ["a"]


def test_texts_in_no_order_are_refused():
    for titles, corpus, message in (
        ("a", CORPUS, r"titles: .*Write \[texts\]"),
        (["a"], set(CORPUS), "corpus: .*Write sorted"),
    ):
        with pytest.raises(TypeError, match=message):
            neighbours(BASE, TUNED, titles, corpus, count=1)


def test_all_of_the_corpus():
    assert len(neighbours(BASE, TUNED, ["new"], CORPUS, count=4)) == 4
    for count, most in ((0, 3), (4, 3)):
        with pytest.raises(
            ValueError, match=f"between 1 and {most}.*Received: {count}"
        ):
            neighbours(BASE, TUNED, ["a", "new"], CORPUS, count=count)
    with pytest.raises(ValueError, match=r"each once.*twice \['a'\]"):
        neighbours(BASE, TUNED, ["a"], ["a", "b", "a"], count=1)


def scored(values, column="similarity"):
    """Pairs of the text "x" with texts at growing angles, the gold values as given."""
    encoder = Table(x=at(0), **{f"y{row}": at(10 * row) for row in range(len(values))})
    pairs = pd.DataFrame(
        {
            "base": "x",
            "ref": [f"y{row}" for row in range(len(values))],
            column: values,
        },
        index=[f"row {row}" for row in range(len(values))],
    )
    return pairs, encoder


def test_the_error_is_the_difference_of_places():
    pairs, encoder = scored([0.1, 0.8, 0.7, 0.6, 0.9])
    table = most_wrong(encoder, pairs)
    assert table.index.tolist() == ["row 0", "row 4", "row 1", "row 2", "row 3"]
    np.testing.assert_allclose(table["gold_place"], [0, 1, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(table["cosine_place"], [1, 0, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(table["error"], [1, -1, 0, 0, 0])
    np.testing.assert_allclose(table["cosine"], np.cos(np.radians([0, 40, 10, 20, 30])))
    pd.testing.assert_frame_equal(table[pairs.columns], pairs.loc[table.index])
    assert most_wrong(encoder, pairs, 2).equals(table.head(2))


def test_errors_add_up_to_what_spearman_is_missing():
    gold = np.random.default_rng(0).permutation(12) / 12
    pairs, encoder = scored(gold)
    table = most_wrong(encoder, pairs)
    missing = 6 * ((11 * table["error"]) ** 2).sum() / (12 * (12**2 - 1))
    expected = spearmanr(table["similarity"], table["cosine"]).statistic
    assert 1 - missing == pytest.approx(expected, abs=1e-9)


def test_labels():
    pairs, encoder = scored([0, 1, 1, 0, 1], "label")
    table = most_wrong(encoder, pairs)
    np.testing.assert_allclose(
        table.sort_index()["gold_place"], [0.125, 0.75, 0.75, 0.125, 0.75]
    )
    assert table["ref"].tolist()[:2] == ["y0", "y4"]
    assert table["error"].tolist()[:2] == [0.875, -0.75]


@pytest.mark.parametrize(
    ("values", "column", "message"),
    [
        ([0, 1, 2], "label", "Received: 3 pairs labelled with a class"),
        ([0.5], "similarity", "Received: 1 scored pairs"),
        ([0.5, 1.5], "similarity", r"column similarity.*row 2: 1.5"),
    ],
)
def test_other_pairs(values, column, message):
    pairs, encoder = scored(values, column)
    with pytest.raises(ValueError, match=message):
        most_wrong(encoder, pairs)


def test_pairs_that_are_no_table():
    with pytest.raises(TypeError, match="pairs must be a DataFrame.*Received: list"):
        most_wrong(BASE, [("a", "b", 1)])


@pytest.mark.real_data
def test_sts(tiny):
    pairs = load_sts("dev")
    table = most_wrong(tiny, pairs, len(pairs))
    assert sorted(table.index) == list(pairs.index)
    assert table["error"].abs().is_monotonic_decreasing
    places = table[["gold_place", "cosine_place"]].corr().iloc[0, 1]
    assert places == pytest.approx(sts_benchmark(tiny).spearman, abs=1e-6)


PAIRS = pd.DataFrame(
    {"anchor": ["p", "q", "r", "s"], "positive": ["a", "b", "c", "a"]},
    index=[7, 5, 3, 1],
)
SEARCH = Table(
    a=at(0), b=at(30), c=at(60), d=at(90), p=at(80), q=at(32), r=at(31), s=at(16)
)


@pytest.mark.parametrize("block", [1, 3, 512])
def test_worst_queries(monkeypatch, block):
    monkeypatch.setattr("usetune.evaluation.ranking._QUERIES", block)
    scores = DomainEvaluator(PAIRS, CORPUS).score(SEARCH)
    table = worst_queries(scores)
    assert table.index.tolist() == [7, 3, 1]
    assert table["anchor"].tolist() == ["p", "r", "s"]
    assert table["positive"].tolist() == ["a", "c", "a"]
    assert table["rank"].tolist() == [4, 2, 2]
    assert table["first"].tolist() == ["d", "b", "b"]
    for name, degrees in (("cosine", [80, 29, 16]), ("first_cosine", [10, 1, 14])):
        expected = np.cos(np.radians(degrees))
        np.testing.assert_allclose(table[name], expected, atol=1e-6)
    assert worst_queries(scores, 1).equals(table.head(1))
    with pytest.raises(ValueError, match="of a DomainEvaluator"):
        worst_queries(replace(scores, answers=None))


def test_ranks_are_those_of_the_benchmark():
    """1 / rank, summed over the errors, is what the benchmark's figures say."""
    words = [f"word{number}" for number in range(9)]
    pairs = pd.DataFrame({"anchor": [f"{w} of it" for w in words], "positive": words})
    benchmark, encoder = DomainEvaluator(pairs, words), TinyEncoder(dim=2)
    table = worst_queries(benchmark.score(encoder), 9)
    right = 9 - len(table)
    assert 0 < right < 9
    figures = benchmark(encoder)
    assert figures["recall@1"] == pytest.approx(right / 9)
    assert figures["mrr@10"] == pytest.approx((right + (1 / table["rank"]).sum()) / 9)
