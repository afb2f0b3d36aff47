import itertools
import json
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tests import FIXTURES
from usetune.bias.association_tests import associations, weat, weat_of_embeddings
from usetune.bias.direction import bias_direction, probe_accuracy
from usetune.bias.gender import (
    association_summary,
    compare_associations,
    gender_association,
)
from usetune.bias.terms import load_bias_terms
from usetune.encoders.projections import remove_direction
from usetune.plots.bias import plot_association

WEFE = json.loads((FIXTURES / "weat.json").read_text())
X, Y, A, B = ["x1", "x2", "x3"], ["y1", "y2", "y3"], ["a1", "a2"], ["b1", "b2", "b3"]
FEMALE, MALE = ["woman", "aunt"], ["man", "uncle"]
TITLES = ["nurse", "welder", "clerk", "baker", "judge"]


class Known:
    """Embeddings by text; what is not there is random, by text and seed."""

    def __init__(self, known=None, dim=8, seed=0):
        self.known, self.dim, self.seed = known or {}, dim, seed

    def encode(self, texts):
        return np.array([self.vector(text) for text in texts], dtype=float)

    def vector(self, text):
        if text in self.known:
            return self.known[text]
        return np.random.default_rng([self.seed, *text.encode()]).normal(size=self.dim)


@pytest.fixture(params=WEFE["cases"], ids=range(len(WEFE["cases"])))
def case(request):
    lists = {name: np.array(request.param[name]) for name in ("x", "y", "a", "b")}
    return request.param | lists


def in_lists(case):
    """An encoder and the names of the case's vectors, list by list."""
    known = {f"{n}{i}": row for n in "xyab" for i, row in enumerate(case[n])}
    return Known(known), [[f"{n}{i}" for i in range(len(case[n]))] for n in "xyab"]


def cosine(u, v):
    return u @ v / math.sqrt((u @ u) * (v @ v))


def by_hand(x, y, a, b):
    """The paper's formulas, one word at a time, and every partition."""

    def s(w):
        return np.mean([cosine(w, v) for v in a]) - np.mean([cosine(w, v) for v in b])

    words = [s(w) for w in (*x, *y)]
    half, total = len(x), sum(words)
    drawn = [2 * sum(c) - total for c in itertools.combinations(words, half)]
    observed = sum(words[:half]) - sum(words[half:])
    difference = np.mean(words[:half]) - np.mean(words[half:])
    p_value = np.mean([value > observed - 1e-12 for value in drawn])
    return observed, difference / np.std(words), p_value


def test_wefe(case):
    encoder, lists = in_lists(case)
    result = weat(encoder, *lists)
    assert result.statistic == pytest.approx(case["statistic"], abs=1e-12)
    assert result.effect_size == pytest.approx(case["effect_size"], abs=1e-12)
    assert (result.n, result.sentences) == (len(case["x"]), 1)
    assert type(result.p_value) is type(result.effect_size) is float
    # WEFE draws permutations: its p-value is one of a binomial draw.
    draws = WEFE["p_value_iterations"]
    error = math.sqrt(result.p_value * (1 - result.p_value) / draws)
    assert abs(result.p_value - case["p_value"]) < 4 * error + 1 / draws


@pytest.mark.parametrize("seed", range(3))
def test_all_partitions(seed):
    generator = np.random.default_rng(seed)
    lists = [generator.normal(size=(size, 5)) for size in (4, 4, 2, 3)]
    lists[0] += seed * lists[2][0]
    result = weat_of_embeddings(*lists)
    expected = by_hand(*lists)
    found = result.statistic, result.effect_size, result.p_value
    assert found == pytest.approx(expected, abs=1e-12)
    assert (result.partitions, result.exact) == (math.comb(8, 4), True)


def test_drawn_partitions(case):
    # All targets near A: the size of a half matters then.
    lists = [case[name] + case["a"][0] * (name in "xy") for name in "xyab"]
    every = weat_of_embeddings(*lists)
    few = math.comb(2 * len(case["x"]), len(case["x"])) - 1
    drawn = weat_of_embeddings(*lists, samples=few)
    assert every.exact and not drawn.exact and drawn.partitions == few
    error = math.sqrt(every.p_value * (1 - every.p_value) / few)
    assert abs(drawn.p_value - every.p_value) < 4 * error + 1 / few
    hits = drawn.p_value * (few + 1) - 1
    assert hits == pytest.approx(round(hits), abs=1e-6)
    assert weat_of_embeddings(*lists, samples=few) == drawn
    others = {weat_of_embeddings(*lists, few, seed).p_value for seed in range(5)}
    assert len(others) > 1


def test_p_value_of_the_largest_and_the_smallest_statistic():
    """All of X at A and all of Y at B: no other partition does as well."""
    x, y = np.eye(4)[[0] * 5], np.eye(4)[[1] * 5]
    largest = weat_of_embeddings(x, y, x[:1], y[:1])
    assert largest.effect_size == pytest.approx(2)
    assert largest.p_value == 1 / math.comb(10, 5)
    assert weat_of_embeddings(y, x, x[:1], y[:1]).p_value == 1
    drawn = weat_of_embeddings(x, y, x[:1], y[:1], samples=9)
    assert 1 / 10 <= drawn.p_value <= 2 / 10


def test_signs(case):
    lists = [case[name] for name in "xyab"]
    x, y, a, b = lists
    effect = weat_of_embeddings(*lists).effect_size
    assert weat_of_embeddings(y, x, a, b).effect_size == pytest.approx(-effect)
    assert weat_of_embeddings(x, y, b, a).effect_size == pytest.approx(-effect)
    # Cosines do not know lengths.
    longer = weat_of_embeddings(3 * x, y, a / 2, b).effect_size
    assert longer == pytest.approx(effect)


def test_partitions_in_parts(monkeypatch):
    generator = np.random.default_rng(0)
    lists = [generator.normal(size=(size, 5)) for size in (4, 4, 2, 3)]
    before = [weat_of_embeddings(*lists, samples=samples) for samples in (70, 60)]
    monkeypatch.setattr("usetune.bias.association_tests._CHUNK", 7)
    after = [weat_of_embeddings(*lists, samples=samples) for samples in (70, 60)]
    assert before == after
    assert [result.exact for result in before] == [True, False]


def test_samples_and_seed_are_passed_on():
    encoder, lists = Known(), (X, Y, A, B)
    embeddings = [encoder.encode(terms) for terms in lists]
    for settings in ({"samples": 12, "seed": 3}, {"samples": 13, "seed": 4}, {}):
        expected = weat_of_embeddings(*embeddings, **settings)
        assert weat(encoder, *lists, **settings) == expected
    p_values = {
        weat(encoder, *lists, samples=12, seed=seed).p_value for seed in range(5)
    }
    assert len(p_values) > 1
    drawn = weat(encoder, *lists, samples=12)
    assert drawn == weat(encoder, *lists, samples=12, seed=0)


def test_templates():
    encoder, templates = Known(), ["the {}", "a {} here"]
    result = weat(encoder, X, Y, A, B, templates)
    filled = [
        encoder.encode([template.replace("{}", term) for term in terms])
        for terms in (X, Y, A, B)
        for template in templates
    ]
    x, y, a, b = (np.concatenate(filled[row : row + 2]) for row in (0, 2, 4, 6))
    sentences = weat_of_embeddings(x, y, a, b)
    assert result.effect_size == pytest.approx(sentences.effect_size)
    assert result.statistic == pytest.approx(sentences.statistic)
    assert (result.n, result.sentences, result.partitions) == (3, 2, 20)
    # A term moves with its sentences: the same test on the sums of each term.
    s = associations(np.concatenate([x[:3], y[:3]]), a, b)
    s += associations(np.concatenate([x[3:], y[3:]]), a, b)
    sums = [sum(half) for half in itertools.combinations(s, 3)]
    assert result.p_value == np.mean(np.array(sums) >= sum(s[:3]) - 1e-12)


def test_p_values_hold_under_templates():
    """Without an effect, 5 of 100 tests are below 0.05, however many sentences."""
    generator = np.random.default_rng(1)
    by_term, by_sentence = [], []
    for _ in range(1000):
        terms = generator.normal(size=(12, 1, 6))
        x, y = np.split(terms + 0.2 * generator.normal(size=(12, 5, 6)), 2)
        attributes = generator.normal(size=(2, 4, 6))
        by_term.append(weat_of_embeddings(x, y, *attributes).p_value)
        x, y = x.reshape(-1, 6), y.reshape(-1, 6)
        result = weat_of_embeddings(x, y, *attributes, samples=100)
        by_sentence.append(result.p_value)
    assert np.mean(by_term) == pytest.approx(0.5, abs=0.04)
    assert 0.03 < np.mean(np.array(by_term) <= 0.05) < 0.07
    assert np.mean(np.array(by_sentence) <= 0.05) > 0.15


NOT_A_NUMBER = {"y2": [np.nan] * 8}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets_x": []}, ValueError, r"targets_x must have at least one"),
        ({"attributes_b": []}, ValueError, r"attributes_b must have at least one"),
        ({"templates": []}, ValueError, r"templates must have at least one"),
        ({"targets_x": X[:2]}, ValueError, r"one shape.*\(2, 1, 8\) and \(3, 1, 8\)"),
        ({"targets_x": X[:1], "targets_y": Y[:1]}, ValueError, "at least two terms"),
        ({"targets_y": ["y1", "y1", "y2"]}, ValueError, "'y1' in targets_y and in ta"),
        ({"attributes_a": ["b1"]}, ValueError, "'b1' in attributes_a and in attrib"),
        ({"attributes_b": ["x3"]}, ValueError, "'x3' in targets_x and in attributes_b"),
        ({"attributes_b": "b1"}, TypeError, r"attributes_b: .*Write \[texts\]"),
        (
            {"targets_x": ["x1", "x2", 3]},
            TypeError,
            r"targets_x: texts\[2\] must be a",
        ),
        ({"templates": ["{}", "this"]}, ValueError, r"one \{\} each.*\['this'\]"),
        ({"templates": ["{} {}"]}, ValueError, r"one \{\} each"),
        ({"samples": 0}, ValueError, "samples must be at least 1. Received: 0"),
        ({"encoder": Known(NOT_A_NUMBER)}, ValueError, "finite.*for 'y2'"),
        ({"encoder": Known({"b3": [0.0] * 8})}, ValueError, "not zero.*for 'b3'"),
        (
            {"encoder": Known(dict.fromkeys([*X, *Y, *A, *B], np.arange(8.0) / 7))},
            ValueError,
            "same association.*Received: deviation",
        ),
    ],
)
def test_faults(change, error, message):
    arguments = {
        "encoder": Known(),
        "targets_x": X,
        "targets_y": Y,
        "attributes_a": A,
        "attributes_b": B,
    }
    with pytest.raises(error, match=message):
        weat(**arguments | change)


def test_faults_of_embeddings():
    ones = np.ones((2, 3))
    with pytest.raises(ValueError, match="of the dim of the words"):
        weat_of_embeddings(ones, ones, ones[:, :2], ones)
    with pytest.raises(ValueError, match="at least one"):
        weat_of_embeddings(ones, ones, ones[:0], ones)
    with pytest.raises(ValueError, match="finite and not zero"):
        weat_of_embeddings(ones, ones * np.inf, ones, ones)


def test_term_lists():
    terms = load_bias_terms()
    assert "no proof" in terms["limits"]
    lists = terms["lists"]
    for one, other in itertools.combinations(lists.values(), 2):
        assert not {*one} & {*other}
    for name, own in lists.items():
        assert 8 <= len(own) <= 16 and len({*own}) == len(own), name
    for one, other in (
        ("female", "male"),
        ("female_names", "male_names"),
        ("family", "career"),
        ("arts", "science"),
        ("care_jobs", "craft_jobs"),
        ("office_jobs", "technical_jobs"),
    ):
        assert len(lists[one]) == len(lists[other])
    for templates in terms["templates"].values():
        assert all(template.count("{}") == 1 for template in templates)


def test_shipped_terms_are_taken(tiny):
    terms = load_bias_terms()
    lists, templates = terms["lists"], terms["templates"]
    gender = lists["female"], lists["male"]
    jobs = lists["care_jobs"], lists["craft_jobs"]
    result = weat(tiny, *jobs, *gender, templates["people"])
    assert (result.n, result.sentences, result.exact) == (8, 5, True)
    assert -2 <= result.effect_size <= 2 and 0 < result.p_value <= 1


@pytest.mark.parametrize("templates", [["{}"], ["the {}", "a {}"]])
def test_gender_association(templates):
    encoder = Known()
    table = gender_association(encoder, TITLES, FEMALE, MALE, templates)
    assert table["title"].tolist() == TITLES
    for title, association in table.itertuples(index=False):
        own, female, male = (
            [encoder.vector(text.replace("{}", t)) for t in terms for text in templates]
            for terms in ([title], FEMALE, MALE)
        )
        means = [
            np.mean([cosine(u, v) for u in own for v in other])
            for other in (female, male)
        ]
        assert association == pytest.approx(means[0] - means[1], abs=1e-12)
    with pytest.raises(ValueError, match="'aunt' in titles and in female"):
        gender_association(encoder, ["aunt"], FEMALE, MALE)


def tables():
    return [gender_association(Known(seed=s), TITLES, FEMALE, MALE) for s in (0, 1)]


def test_comparison():
    base, tuned = tables()
    table = compare_associations(base, tuned)
    assert list(table) == ["title", "base", "tuned", "difference"]
    np.testing.assert_array_equal(table["base"], base["association"])
    np.testing.assert_array_equal(table["tuned"], tuned["association"])
    np.testing.assert_allclose(table["tuned"] - table["base"], table["difference"])
    with pytest.raises(ValueError, match="same titles in the same order"):
        compare_associations(base, tuned.iloc[::-1])


def test_summary():
    table = compare_associations(*tables())
    summary = association_summary(table, samples=2000, seed=1)
    assert summary["n"].tolist() == [5, 5]
    for name in ("base", "tuned"):
        assert summary.loc["mean", name] == pytest.approx(table[name].mean())
        assert summary.loc["deviation", name] == pytest.approx(table[name].std())
    np.testing.assert_allclose(
        summary["difference"], summary["tuned"] - summary["base"]
    )
    pd.testing.assert_frame_equal(summary, association_summary(table, 2000, seed=1))
    assert not summary.equals(association_summary(table, 2000, seed=2))
    same = association_summary(table.assign(tuned=table["base"]))
    assert (same[["difference", "low", "high"]] == 0).all().all()
    with pytest.raises(ValueError, match="at least two titles. Received: 1"):
        association_summary(table.iloc[:1])


def test_interval():
    """Of the mean of many titles it is as wide as the normal distribution says."""
    values = np.random.default_rng(0).normal(size=(80, 2))
    table = pd.DataFrame(values, columns=["base", "tuned"])
    row = association_summary(table, samples=4000).loc["mean"]
    half = 1.96 * (values[:, 1] - values[:, 0]).std() / math.sqrt(80)
    ends = [row["difference"] - row["low"], row["high"] - row["difference"]]
    assert ends == pytest.approx([half, half], rel=0.08)


def test_summary_is_paired():
    """A shift of every title alike is certain, whatever the titles."""
    table = compare_associations(*tables())
    table["tuned"] = table["base"] + 0.25
    summary = association_summary(table)
    np.testing.assert_allclose(summary.loc["mean", ["low", "high"]], 0.25)


def test_plot():
    table = compare_associations(*tables())
    ax = plot_association(table, "title", ("before", "after"))
    ordered = table.sort_values("base")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ordered["title"].tolist()
    lines, *dots = ax.collections
    ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
    assert ends == ordered[["base", "tuned"]].to_numpy().tolist()
    for drawn, name in zip(dots, ("base", "tuned"), strict=True):
        np.testing.assert_array_equal(
            drawn.get_offsets(), np.stack([ordered[name], np.arange(5)], axis=1)
        )
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["before", "after"] and ax.get_title() == "title"
    assert plot_association(table, ax=ax) is ax
    with pytest.raises(ValueError, match=r"lacks \['tuned'\]"):
        plot_association(table.drop(columns="tuned"))
    plt.close("all")


def test_direction_as_wefe(case):
    encoder, (first, second, _, _) = in_lists(case)
    found = bias_direction(encoder, list(zip(first, second, strict=True)))
    expected = np.array(case["unit_pairs_direction"])
    assert abs(found.direction @ expected) == pytest.approx(1, abs=1e-6)
    assert found.explained_variance_ratio[:3] == pytest.approx(
        case["unit_pairs_shares"], abs=1e-6
    )
    assert found.explained_variance_ratio.sum() == pytest.approx(1)
    # From the second terms to the first.
    unit = [
        encoder.encode(terms) / np.linalg.norm(encoder.encode(terms), axis=1)[:, None]
        for terms in (first, second)
    ]
    assert ((unit[0] - unit[1]) @ found.direction).sum() > 0
    turned = bias_direction(encoder, list(zip(second, first, strict=True)))
    np.testing.assert_allclose(turned.direction, -found.direction, atol=1e-12)


def test_direction_of_sentences():
    pairs = list(zip(X, Y, strict=True))
    encoder, templates = Known(), ["the {}", "a {}"]
    found = bias_direction(encoder, pairs, templates)
    filled = [
        tuple(text.replace("{}", term) for term in pair)
        for pair in pairs
        for text in templates
    ]
    alone = bias_direction(encoder, filled)
    np.testing.assert_allclose(found.direction, alone.direction, atol=1e-12)
    assert len(found.explained_variance_ratio) == 6


def test_removal(tiny):
    texts = ["woman", "man", "data scientist", "pastry cook", ""]
    pairs = [("woman", "man"), ("aunt", "uncle"), ("girl", "boy")]
    direction = bias_direction(tiny, pairs).direction
    # A direction's length does not matter.
    without = remove_direction(tiny, 3 * direction)
    before, after = tiny.encode(texts), without.encode(texts)
    assert np.abs(before @ direction).max() > 0.1
    np.testing.assert_allclose(after @ direction, 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-6)
    rest = before - np.outer(before @ direction, direction)
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    np.testing.assert_allclose(after, rest, atol=1e-6)
    twice = remove_direction(without, direction).encode(texts)
    np.testing.assert_allclose(twice, after, atol=1e-6)


def test_a_removed_direction_tells_its_own_pairs_wrong():
    """Why `probe_accuracy` wants other pairs: here, all signal is in one direction.

    Pairs that differ in noise beside it are told right before. Without it, those of
    its pairs fall below chance, and those of others do not.
    """
    encoder, pairs = groups(3, count=24)
    own, others = pairs[:12], pairs[12:]
    mean = np.subtract(*(encoder.encode(terms) for terms in zip(*own, strict=True)))
    direction = mean.mean(axis=0) / np.linalg.norm(mean.mean(axis=0))
    without = Known(
        {
            name: vector - (vector @ direction) * direction
            for name, vector in encoder.known.items()
        }
    )
    assert probe_accuracy(encoder, own) > 0.8
    assert probe_accuracy(without, own) < 0.4
    assert probe_accuracy(without, others) > 0.4


@pytest.mark.parametrize("direction", [np.ones(15), np.zeros(16), np.full(16, np.nan)])
def test_faults_of_removal(tiny, direction):
    with pytest.raises(ValueError, match=r"of shape \(16,\). Received: shape"):
        remove_direction(tiny, direction)


def test_faults_of_pairs():
    with pytest.raises(ValueError, match=r"two terms. Received: \['ab'\]"):
        bias_direction(Known(), ["ab"])
    with pytest.raises(ValueError, match="first terms of pairs must have at least one"):
        bias_direction(Known(), [])
    with pytest.raises(ValueError, match="'a' in the first terms of pairs and in the"):
        bias_direction(Known(), [("a", "a")])
    with pytest.raises(ValueError, match="must differ in their embeddings"):
        bias_direction(Known({"a": np.ones(8), "b": np.ones(8)}), [("a", "b")])
    with pytest.raises(ValueError, match="at least two. Received: 1"):
        probe_accuracy(Known(), [("a", "b")])


def groups(distance, count=20, dim=6, seed=0):
    """Pairs of two clouds, apart on the first axis, and their encoder."""
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, count, dim))
    first[:, 0] += distance / 2
    second[:, 0] -= distance / 2
    pairs = [(f"f{number}", f"m{number}") for number in range(count)]
    vectors = np.concatenate([first, second])
    names = [name for pair in zip(*pairs, strict=True) for name in pair]
    return Known(dict(zip(names, vectors, strict=True)), dim), pairs


def test_signal():
    assert probe_accuracy(*groups(20)) == 1
    for distance, least, most in ((0, 0.42, 0.58), (2, 0.7, 0.9)):
        found = [probe_accuracy(*groups(distance, seed=seed)) for seed in range(5)]
        assert least < np.mean(found) < most


def test_signal_predicts_a_pair_from_the_others():
    """Pairs that differ along axes of their own teach nothing of each other."""
    known = {}
    for number in range(4):
        known[f"f{number}"] = np.eye(5)[4] + np.eye(5)[number]
        known[f"m{number}"] = np.eye(5)[4] - np.eye(5)[number]
    pairs = [(f"f{number}", f"m{number}") for number in range(4)]
    assert probe_accuracy(Known(known, 5), pairs) == 0.5
    # With the sign of the last one turned, it is told wrong from three others.
    for number in range(4):
        sign = -1 if number == 3 else 1
        known[f"f{number}"] = sign * np.eye(5)[0] + np.eye(5)[4] * (number + 1)
        known[f"m{number}"] = -sign * np.eye(5)[0] + np.eye(5)[4] * (number + 1)
    assert probe_accuracy(Known(known, 5), pairs) == 0.75
