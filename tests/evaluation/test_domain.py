import numpy as np
import pandas as pd
import pytest

from usetune import DomainEvaluator
from usetune.evaluation import Scores

CORPUS = ["baker", "cook", "nurse", "doctor", "clerk"]
PAIRS = pd.DataFrame(
    [
        ("bread maker", "baker", "food"),
        ("pastry baker", "baker", "food"),
        ("chef", "cook", "food"),
        ("caretaker", "nurse", "health"),
        ("physician", "doctor", "health"),
        ("office worker", "clerk", "office"),
    ],
    columns=["anchor", "positive", "group"],
)


class Random:
    """Unit vectors that depend on the text and a seed alone."""

    def __init__(self, seed, pull=0.0):
        self.seed, self.pull = seed, pull
        self.names = dict(zip(PAIRS["anchor"], PAIRS["positive"], strict=True))

    def vector(self, text):
        state = np.random.default_rng([self.seed, *text.encode()])
        return state.normal(size=8)

    def encode(self, texts):
        vectors = [
            self.vector(text) + self.pull * self.vector(self.names.get(text, text))
            for text in texts
        ]
        vectors = np.array(vectors)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f")


def by_hand(encoder, benchmark):
    u = encoder.encode(PAIRS["anchor"]).astype(float)
    c = encoder.encode(CORPUS).astype(float)
    scores = (u @ c.T).astype("float32")
    own = [CORPUS.index(positive) for positive in PAIRS["positive"]]
    ranks = [1 + (row > row[o]).sum() for row, o in zip(scores, own, strict=True)]
    related = [row[o] for row, o in zip(scores, own, strict=True)]
    other = benchmark.score(encoder).cosines["unrelated"].to_numpy()
    wins = [(r > o) + 0.5 * (r == o) for r in related for o in other]
    groups = ["food", "food", "health", "health", "office"]
    within, between = [], []
    for i in range(5):
        same = [c[i] @ c[j] for j in range(5) if j != i and groups[i] == groups[j]]
        different = [c[i] @ c[j] for j in range(5) if groups[i] != groups[j]]
        within += [np.mean(same)] if same else []
        between.append(np.mean(different))
    return {
        "recall@1": np.mean([rank == 1 for rank in ranks]),
        "recall@10": 1.0,
        "mrr@10": np.mean([1 / rank for rank in ranks]),
        "auc": np.mean(wins),
        "margin": np.mean(related) - np.mean(other),
        "in-group": np.mean(within),
        "between-group": np.mean(between),
    }


@pytest.mark.parametrize("seed", range(5))
def test_figures(seed):
    encoder, benchmark = Random(seed, pull=0.5), DomainEvaluator(PAIRS, CORPUS)
    figures, expected = benchmark(encoder), by_hand(encoder, benchmark)
    assert list(figures) == list(expected)
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, abs=2e-6), name


def test_auc_and_margin_with_ties():
    generator = np.random.default_rng(0)
    related, unrelated = generator.integers(0, 6, (2, 80)) / 5
    cosines = pd.DataFrame({"related": related, "unrelated": unrelated})
    queries = pd.DataFrame({"mrr@10": 0.0}, index=cosines.index)
    figures = Scores(queries, np.zeros(80, int), "positives", 0, cosines).metrics()
    wins = [(r > u) + 0.5 * (r == u) for r in related for u in unrelated]
    assert figures["auc"] == pytest.approx(np.mean(wins), abs=1e-9)
    margin = np.mean(related) - np.mean(unrelated)
    assert figures["margin"] == pytest.approx(margin, abs=1e-9)


def test_other_texts_are_other():
    many = pd.concat([PAIRS] * 50, ignore_index=True)
    benchmark = DomainEvaluator(many, CORPUS)
    queries = benchmark.score(Random(0)).cosines
    # The anchor's cosine to its own positive never is the unrelated one.
    assert not np.isclose(queries["related"], queries["unrelated"]).any()
    assert queries.groupby(many["anchor"])["unrelated"].nunique().eq(4).all()


def test_intervals():
    benchmark = DomainEvaluator(PAIRS, CORPUS, seed=3)
    scores = benchmark.score(Random(1, pull=0.7))
    table = scores.intervals(samples=300)
    assert table["value"].to_dict() == scores.metrics()
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert set(table["n"]) == {6} and set(table["positives"]) == {5}
    assert table.loc["mrr@10", "low"] < table.loc["mrr@10", "high"]
    generator, own = np.random.default_rng(3), scores.by_cluster["between-group"]
    drawn = [own.iloc[generator.integers(5, size=5)].mean() for _ in range(300)]
    interval = table.loc["between-group", ["low", "high"]].tolist()
    assert interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist())
    pd.testing.assert_frame_equal(table, scores.intervals(samples=300))


def test_bootstrap_draws_positives_with_their_queries():
    """With one positive there is nothing to draw: the interval is a point."""
    benchmark = DomainEvaluator(PAIRS.iloc[:2], CORPUS)
    table = benchmark.score(Random(1)).intervals(samples=50).dropna()
    np.testing.assert_allclose(table["low"], table["high"])


def test_coverage():
    """The interval holds the mean of the population in about 95 of 100 samples."""
    generator = np.random.default_rng(0)
    covered, widths = 0, []
    for seed in range(200):
        values = generator.random(60)
        queries = pd.DataFrame({"recall@1": values})
        sample = Scores(queries, np.arange(60), "positives", seed)
        row = sample.intervals(samples=200).loc["recall@1"]
        covered += row["low"] <= 0.5 <= row["high"]
        error = values.std(ddof=1) / np.sqrt(60)
        widths.append((row["high"] - row["low"]) / (2 * 1.96 * error))
    assert 0.88 < covered / 200 < 0.99
    assert 0.93 < np.mean(widths) < 1.07


def test_comparison():
    benchmark = DomainEvaluator(PAIRS, CORPUS)
    base, tuned = (benchmark.score(Random(2, pull=pull)) for pull in (0, 2))
    table = base.compare(tuned, samples=200)
    assert table["base"].to_dict() == base.metrics()
    assert table["tuned"].to_dict() == tuned.metrics()
    np.testing.assert_allclose(table["tuned"] - table["base"], table["difference"])
    assert table.loc["margin", "low"] > 0
    same = base.compare(base, samples=50)
    assert (same[["difference", "low", "high"]] == 0).all().all()
    other = DomainEvaluator(PAIRS.iloc[:3], CORPUS).score(Random(2))
    with pytest.raises(ValueError, match="same queries"):
        base.compare(other)


def test_groups():
    scores = DomainEvaluator(PAIRS, CORPUS).score(Random(4, pull=1))
    groups = scores.by_group()
    assert groups["n"].to_dict() == {"food": 3, "health": 2, "office": 1}
    mean = (groups["mrr@10"] * groups["n"]).sum() / 6
    assert mean == pytest.approx(scores.metrics()["mrr@10"])
    without = DomainEvaluator(PAIRS.drop(columns="group"), CORPUS)
    assert "in-group" not in without(Random(0))
    with pytest.raises(ValueError, match="no groups"):
        without.score(Random(0)).by_group()


def test_scores_are_asked_by_name():
    scores = DomainEvaluator(PAIRS, CORPUS).score(Random(4, pull=1))
    assert scores["auc"] == scores.metrics()["auc"]
    assert f"{scores['mrr@10']:.4f}" in str(scores) and "6" in str(scores)
    assert scores == scores and scores != DomainEvaluator(PAIRS, CORPUS).score(
        Random(4)
    )
    with pytest.raises(KeyError, match="'mrr' is none of .*'mrr@10'"):
        scores["mrr"]


def test_a_name_tells_columns_apart():
    encoder = Random(0)
    scores = DomainEvaluator(PAIRS, CORPUS)(encoder)
    named = DomainEvaluator(PAIRS, CORPUS, name="jobs")(encoder)
    assert named == {f"jobs_{name}": value for name, value in scores.items()}


def test_embeddings_that_are_not_finite():
    encoder = Random(0)
    encoder.vector = lambda text: np.full(8, np.nan if text == "cook" else 1.0)
    with pytest.raises(ValueError, match="finite.* 1 of 6 rows, the first for 'chef'"):
        DomainEvaluator(PAIRS, CORPUS)(encoder)
    encoder.encode = lambda texts: np.ones(8)
    with pytest.raises(ValueError, match=r"an array \(6, dim\).*shape \(8,\)"):
        DomainEvaluator(PAIRS, CORPUS)(encoder)


def test_texts():
    assert set(DomainEvaluator(PAIRS, CORPUS).texts) == {*PAIRS["anchor"], *CORPUS}


@pytest.mark.parametrize(
    ("pairs", "corpus", "message"),
    [
        (PAIRS.drop(columns="anchor"), CORPUS, r"pairs lacks the columns \['anchor'\]"),
        (PAIRS.iloc[:0], CORPUS, "pairs has no rows"),
        (PAIRS.assign(anchor=""), CORPUS, "column anchor: expected a text"),
        (PAIRS, [*CORPUS, "cook"], r"each once.*twice \['cook'\]"),
        (PAIRS, CORPUS[1:], r"not in the corpus: \['baker', 'baker'\]"),
    ],
)
def test_faults(pairs, corpus, message):
    with pytest.raises(ValueError, match=message):
        DomainEvaluator(pairs, corpus)


@pytest.mark.parametrize(
    ("pairs", "corpus", "message"),
    [
        (PAIRS.to_dict(), CORPUS, "pairs must be a DataFrame.*Received: dict"),
        (PAIRS, dict.fromkeys(CORPUS), r"corpus: .*Write list\(texts.values\(\)\)"),
        (PAIRS, PAIRS[["positive"]], "corpus: .*Write one column"),
        (PAIRS, [*CORPUS, None], r"corpus: texts\[5\] must be a str"),
    ],
)
def test_faults_of_types(pairs, corpus, message):
    with pytest.raises(TypeError, match=message):
        DomainEvaluator(pairs, corpus)
