import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usetune.evaluation.pair_metrics import (
    binary_metrics,
    pair_similarities,
    similarity_metrics,
    triplet_metrics,
)
from usetune.evaluation.pair_scores import PairScores
from usetune.evaluation.pairs import (
    BinaryClassificationEvaluator,
    SimilarityEvaluator,
    TripletEvaluator,
)
from usetune.evaluation.retrieval import RetrievalEvaluator


class Vectors:
    """An encoder that looks its texts up."""

    def __init__(self, vectors, unit=False):
        self.vectors = {text: np.array(x, "float32") for text, x in vectors.items()}
        if unit:
            self.vectors = {t: x / np.linalg.norm(x) for t, x in self.vectors.items()}
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        return np.array([self.vectors[text] for text in texts])


def same(ids):
    return {name: name for name in ids}


def columns(parity):
    return {
        name: np.array(parity["inputs"][name], "float32") for name in "a p n1".split()
    }


def text_columns(parity):
    """An encoder of the parity file's columns, and the texts of each."""
    vectors = columns(parity)
    texts = {name: [f"{name} {row}" for row in range(6)] for name in vectors}
    lookup = {
        t: x for name in texts for t, x in zip(texts[name], vectors[name], strict=True)
    }
    return Vectors(lookup), texts


def agree(figures, expected):
    assert figures.keys() == expected.keys()
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, rel=0, abs=1e-9), name
        assert isinstance(figures[name], float)


# Retrieval


@pytest.mark.parametrize("chunk_size", [1, 3, 22])
def test_retrieval_as_sentence_transformers(parity, chunk_size):
    ir = parity["ir"]
    encoder = Vectors(ir["queries"] | ir["corpus"], unit=True)
    figures = {}
    for map_k in (3, 100):
        evaluator = RetrievalEvaluator(
            same(ir["queries"]),
            same(ir["corpus"]),
            ir["relevant"],
            map_k=map_k,
            name="toy_cosine",
            chunk_size=chunk_size,
        )
        figures |= evaluator(encoder)
    parts = [*map(len, encoder.calls)]
    assert parts[0] == 5 and max(parts[1 : len(parts) // 2]) == chunk_size
    # The library was asked for mrr and ndcg at 10 only.
    assert {*figures} - {*ir["metrics"]} == {
        f"toy_cosine_{measure}@{k}" for measure in ("mrr", "ndcg") for k in (1, 3, 5)
    }
    agree({name: figures[name] for name in ir["metrics"]}, ir["metrics"])


def toy(seed=0, **options):
    """Queries and documents with equal scores, several of them relevant."""
    generator = np.random.default_rng(seed)
    queries = [f"q{number}" for number in range(12)]
    corpus = [f"d{number}" for number in range(15)]
    vectors = generator.integers(-1, 2, (27, 3)) + 0.5
    encoder = Vectors(dict(zip(queries + corpus, vectors, strict=True)))
    relevant = {
        query: {*generator.choice(corpus, generator.integers(1, 5), replace=False)}
        for query in queries
    }
    shuffled = dict(sorted(same(corpus).items(), key=lambda _: generator.random()))
    return encoder, RetrievalEvaluator(same(queries), shuffled, relevant, **options)


def test_ties_come_by_id_whatever_the_order_of_the_corpus():
    encoder = Vectors({"q": [1, 0], "d10": [1, 0], "d9": [1, 0], "d1": [1, 0]})
    expected = {"d1": 1.0, "d10": 1 / 2, "d9": 1 / 3}
    for order in (["d9", "d1", "d10"], ["d10", "d9", "d1"]):
        for own, value in expected.items():
            evaluator = RetrievalEvaluator({"q": "q"}, same(order), {"q": {own}})
            assert evaluator(encoder)["mrr@3"] == pytest.approx(value)


def test_scores_of_each_query():
    encoder, evaluator = toy(ks=(2, 4), map_k=7)
    scores = evaluator.score(encoder)
    assert [*scores.queries] == [
        *(
            f"{m}@{k}"
            for m in "accuracy precision recall mrr ndcg".split()
            for k in (2, 4)
        ),
        "map@7",
    ]
    assert [*scores.queries.index] == [f"q{number}" for number in range(12)]
    assert scores.queries.index.name == "query"
    agree(scores.metrics(), scores.queries.mean().to_dict())
    assert evaluator(encoder) == scores.metrics()
    _, named = toy(ks=(2, 4), map_k=7, name="toy")
    assert named(encoder) == {f"toy_{n}": x for n, x in scores.metrics().items()}
    assert {*evaluator.texts} == {*encoder.vectors}


def test_queries_without_an_answer_are_left_out():
    queries, corpus = same(["q0", "q1", "q2"]), same(["a", "b"])
    encoder = Vectors({t: [1, 0] for t in queries} | {"a": [1, 0], "b": [0, 1]})
    relevant = {"q0": {"b"}, "q2": set()}
    with pytest.warns(UserWarning, match=r"2 of 3 queries.*left out: \['q1', 'q2'\]"):
        evaluator = RetrievalEvaluator(queries, corpus, relevant)
    assert evaluator.texts == ["q0", "a", "b"]
    assert evaluator(encoder)["mrr@10"] == 0.5
    with pytest.raises(ValueError, match="none of 3 queries"):
        RetrievalEvaluator(queries, corpus, {"q2": set()})


def test_a_document_of_grade_0_is_no_answer():
    corpus = {"a": "senior nurse", "b": "chef", "c": "miner"}
    encoder = Vectors(
        {"nurse": [1, 0, 0], "cook": [0, 1, 0], "senior nurse": [1, 0.1, 0.2]}
        | {"chef": [0, 1, 0.2], "miner": [0.1, 0, 1]}
    )
    queries = {"q1": "nurse", "q2": "cook"}
    relevant = {"q1": {"a": 1, "c": 0}, "q2": {"b": 1, "a": 0}}
    metrics = RetrievalEvaluator(queries, corpus, relevant)(encoder)
    for name in ("recall@1", "ndcg@10", "map@100"):
        assert metrics[name] == 1, name
    with pytest.warns(UserWarning, match=r"1 of 2 queries.*left out: \['q2'\]"):
        evaluator = RetrievalEvaluator(queries, corpus, relevant | {"q2": {"b": 0}})
    assert evaluator(encoder)["recall@1"] == 1
    relevant = {"q1": {"a": 1, "c": 3}}
    graded = RetrievalEvaluator({"q1": "nurse"}, corpus, relevant)
    assert graded(encoder)["ndcg@10"] == pytest.approx(
        (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    )


def test_skipping_the_document_of_the_same_id():
    names = ["a", "b", "c", "d"]
    vectors = {"a": [5, 1], "b": [4, 1], "c": [3, 1], "d": [2, 1], "x": [1, 0]}
    encoder = Vectors(vectors)
    queries = same([*names, "x"])
    relevant = dict(zip(queries, [{"b"}, {"c"}, {"d"}, {"c"}, {"b"}], strict=True))
    # Each query finds a, b, c, d in this order.
    for skip, ranks in ((False, [2, 3, 4, 3, 2]), (True, [1, 2, 3, 3, 2])):
        for ks in ([1, 2, 3, 4], [3], [9]):
            evaluator = RetrievalEvaluator(
                queries, same(names), relevant, ks, 1, skip_same_id=skip
            )
            found = evaluator.score(encoder).queries[f"mrr@{ks[-1]}"]
            np.testing.assert_allclose(
                found, [1 / rank if rank <= ks[-1] else 0 for rank in ranks]
            )
    with pytest.raises(ValueError, match=r"skip_same_id.*\['a'\]"):
        RetrievalEvaluator(queries, same(names), {"a": {"a"}}, skip_same_id=True)


def test_a_cut_beyond_the_corpus():
    encoder = Vectors({"q": [1, 0], "a": [1, 0], "b": [0, 1]})
    evaluator = RetrievalEvaluator({"q": "q"}, same(["a", "b"]), {"q": {"a", "b"}})
    figures = evaluator(encoder)
    assert figures["precision@10"] == pytest.approx(0.2)
    assert figures["recall@10"] == figures["map@100"] == 1


def test_intervals():
    encoder, evaluator = toy(seed=1)
    scores = evaluator.score(encoder)
    table = scores.intervals(samples=300)
    assert [*table] == ["value", "low", "high", "n", "groups"] and set(table["n"]) == {
        12
    }
    assert set(table["groups"]) == {12}
    assert table["value"].to_dict() == scores.metrics()
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert table.loc["mrr@10", "low"] < table.loc["mrr@10", "high"]
    pd.testing.assert_frame_equal(table, scores.intervals(samples=300))
    other = replace(scores, seed=1).intervals(samples=300)
    assert not other.equals(table)


def test_groups_are_drawn_whole():
    names = [f"q{number}" for number in range(12)]
    groups = {
        name: f"g{number % 3 if number < 9 else 3}" for number, name in enumerate(names)
    }
    encoder, evaluator = toy(seed=1, groups=groups)
    scores = evaluator.score(encoder)
    table = scores.intervals(samples=50)
    assert set(table["n"]) == {12} and set(table["groups"]) == {4}
    values = scores.queries["mrr@10"]
    members = [
        values[[n for n in names if groups[n] == g]] for g in ("g0", "g1", "g2", "g3")
    ]
    generator, drawn = np.random.default_rng(0), []
    for _ in range(50):
        sample = generator.integers(4, size=4)
        drawn.append(np.concatenate([members[own] for own in sample]).mean())
    expected = np.quantile(drawn, [0.025, 0.975])
    np.testing.assert_allclose(table.loc["mrr@10", ["low", "high"]].tolist(), expected)


def test_comparison_is_paired():
    encoder, evaluator = toy(seed=2)
    base = evaluator.score(encoder)
    shifted = {t: x + [0.0, 0.4, 0.1] for t, x in encoder.vectors.items()}
    tuned = evaluator.score(Vectors(shifted))
    table = base.compare(tuned, samples=200)
    assert table["base"].to_dict() == base.metrics()
    assert table["tuned"].to_dict() == tuned.metrics()
    np.testing.assert_allclose(
        table["tuned"] - table["base"], table["difference"], atol=1e-12
    )
    generator = np.random.default_rng(0)
    difference = (tuned.queries - base.queries)["mrr@10"].to_numpy()
    drawn = [difference[generator.integers(12, size=12)].mean() for _ in range(200)]
    interval = table.loc["mrr@10", ["low", "high"]].tolist()
    assert interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist())
    assert interval[0] < interval[1]
    same_again = base.compare(base, samples=20)
    assert (same_again[["difference", "low", "high"]] == 0).all().all()
    _, other = toy(seed=2, ks=(1,))
    with pytest.raises(ValueError, match="same queries and metrics"):
        base.compare(other.score(encoder))


@pytest.mark.parametrize(
    ("relevant", "options", "message"),
    [
        ({"q": {"a"}, "z": {"a"}}, {}, r"ids of queries. Received: \['z'\]"),
        ({"q": {"a", "z"}}, {}, r"ids of the corpus. Received: \['z'\]"),
        ({"q": "a"}, {}, "set of ids for each query. Received: 'a'"),
        ({"q": {"a": None}}, {}, "finite numbers as grades. Received: None"),
        ({"q": {"a"}}, {"ks": (0, 1)}, "ks must be at least 1. Received: 0"),
        ({"q": {"a"}}, {"map_k": 0}, "map_k must be at least 1. Received: 0"),
        ({"q": {"a"}}, {"chunk_size": 0}, "chunk_size must be at least 1. Received: 0"),
        ({"q": {"a"}}, {"groups": {"z": "g"}}, r"group of each query.*\['q'\]"),
    ],
)
def test_faults_of_retrieval(relevant, options, message):
    with pytest.raises(ValueError, match=message):
        RetrievalEvaluator({"q": "q"}, {"a": "a"}, relevant, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": ["q"]}, "queries must be a dict.* Received: list"),
        ({"corpus": pd.Series({"a": "a"})}, "corpus must be a dict.* Series"),
        ({"relevant": [("q", "a")]}, "relevant must be a dict.* list"),
        ({"corpus": {"a": b"a"}}, r"corpus: texts\[0\] must be a str.*bytes"),
        ({"queries": {"q": np.nan}}, r"queries: texts\[0\] must be a str.*float"),
    ],
)
def test_retrieval_wants_texts_by_id(change, message):
    arguments = {"queries": {"q": "q"}, "corpus": {"a": "a"}, "relevant": {"q": {"a"}}}
    with pytest.raises(TypeError, match=message):
        RetrievalEvaluator(**arguments | change)


# Similarities of pairs


@given(st.integers(0, 10**6), st.integers(1, 600))
def test_similarities(seed, dim):
    u, v = np.random.default_rng(seed).normal(size=(2, 5, dim)).astype("float32")
    exact, other = u.astype(float), v.astype(float)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(other, axis=1)
    expected = {
        "cosine": (exact * other).sum(1) / lengths,
        "dot": (exact * other).sum(1),
        "euclidean": -np.linalg.norm(exact - other, axis=1),
        "manhattan": -np.abs(exact - other).sum(1),
    }
    found = pair_similarities(u, v)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-4)


def test_similarities_of_equal_and_zero_vectors():
    u = np.random.default_rng(0).normal(size=(1, 512)).astype("float32").repeat(9, 0)
    v = u[::-1] * 2 + 1
    for name, values in pair_similarities(u, v).items():
        assert len(np.unique(values)) == 1, name
    zero = pair_similarities(np.zeros((1, 4)), np.ones((1, 4)))
    assert zero["cosine"] == 0 and zero["manhattan"] == -4


def test_similarity_as_sentence_transformers(parity):
    encoder, texts = text_columns(parity)
    labels = parity["inputs"]["float_labels"]
    table = pd.DataFrame({"base": texts["a"], "ref": texts["p"], "similarity": labels})
    evaluator = SimilarityEvaluator(table, name="toy")
    expected = parity["evaluators"]["EmbeddingSimilarity"]
    agree(evaluator(encoder), {f"toy_{name}": x for name, x in expected.items()})
    assert evaluator.texts == [*texts["a"], *texts["p"]]


@pytest.mark.parametrize("seed", range(5))
def test_correlations(seed):
    generator = np.random.default_rng(seed)
    u, v = generator.normal(size=(2, 40, 8)).astype("float32")
    # Equal gold scores have their mean rank.
    gold = generator.integers(0, 5, 40) / 4
    figures = similarity_metrics(u, v, gold)
    for name, values in pair_similarities(u, v).items():
        table = pd.DataFrame({"gold": gold, "values": values.astype(float)})
        for kind, frame in (("pearson", table), ("spearman", table.rank())):
            expected = np.corrcoef(frame["gold"], frame["values"])[0, 1]
            assert figures[f"{kind}_{name}"] == pytest.approx(expected, abs=1e-6)
    for kind in ("pearson", "spearman"):
        own = [x for n, x in figures.items() if n.startswith(kind) and "max" not in n]
        assert figures[f"{kind}_max"] == max(own) and len(own) == 4


def test_constant_input_is_nan():
    u, v = np.random.default_rng(0).normal(size=(2, 6, 3))
    assert np.isnan([*similarity_metrics(u, v, np.full(6, 0.5)).values()]).all()
    same_text = np.ones((6, 3))
    figures = similarity_metrics(same_text, same_text, np.arange(6))
    assert np.isnan([*figures.values()]).all()
    # Others are as they would be, but for the largest.
    apart = similarity_metrics(u, np.zeros((6, 3)), np.arange(6))
    assert np.isnan(apart["pearson_cosine"]) and np.isnan(apart["pearson_max"])
    assert np.isfinite(apart["pearson_manhattan"])


# Triplets


def test_triplets_as_sentence_transformers(parity):
    encoder, texts = text_columns(parity)
    names = ["anchor", "positive", "negative"]
    table = pd.DataFrame(dict(zip(names, texts.values(), strict=True)))
    evaluator = TripletEvaluator(table)
    agree(evaluator(encoder), parity["evaluators"]["Triplet"])
    assert evaluator.texts == [*texts["a"], *texts["p"], *texts["n1"]]


@pytest.mark.parametrize("margin", [-0.3, 0.0, 0.2])
def test_triplets(margin):
    u, p, n = np.random.default_rng(0).normal(size=(3, 30, 4)).astype("float32")
    n[:10] = p[:10]
    near, far = pair_similarities(u, p), pair_similarities(u, n)
    figures = triplet_metrics(u, p, n, margin)
    for name in near:
        wins = [a > b + margin for a, b in zip(near[name], far[name], strict=True)]
        assert figures[f"{name}_accuracy"] == pytest.approx(np.mean(wins))
    assert figures["max_accuracy"] == max(figures[f"{name}_accuracy"] for name in near)
    texts = [f"{kind}{row}" for kind in "upn" for row in range(30)]
    encoder = Vectors(dict(zip(texts, np.concatenate([u, p, n]), strict=True)))
    names = ["anchor", "positive", "negative"]
    table = pd.DataFrame(np.reshape(texts, (3, 30)).T, columns=names)
    evaluator = TripletEvaluator(table, margin=margin, name="x")
    agree(evaluator(encoder), {f"x_{name}": x for name, x in figures.items()})


def test_a_tie_is_an_error():
    u = np.ones((4, 3))
    assert set(triplet_metrics(u, u, u).values()) == {0.0}


# Pairs labelled 0 or 1


def test_binary_as_sentence_transformers(parity):
    encoder, texts = text_columns(parity)
    labels = parity["inputs"]["bin_labels"]
    table = pd.DataFrame({"base": texts["a"], "ref": texts["p"], "label": labels})
    evaluator = BinaryClassificationEvaluator(table, name="toy")
    expected = parity["evaluators"]["BinaryClassification"]
    agree(evaluator(encoder), {f"toy_{name}": x for name, x in expected.items()})


def test_binary_with_ties_as_sentence_transformers(parity):
    inputs, labels = columns(parity), parity["inputs"]["bin_labels"]
    inputs["a"][1:4], inputs["p"][1:4] = inputs["a"][1], inputs["p"][1]
    figures = binary_metrics(inputs["a"], inputs["p"], labels)
    expected = parity["evaluators"]["BinaryClassification_ties(rows1-3 identical)"]
    assert len(expected) == 8
    agree({name: figures[name] for name in expected}, expected)


def counts(label, called):
    pairs = list(zip(label, called, strict=True))
    return [pairs.count(pair) for pair in ((1, 1), (0, 1), (1, 0), (0, 0))]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_binary_tries_every_cut(seed, size):
    generator = np.random.default_rng(seed)
    # Few distinct numbers: many ties.
    u, v = generator.integers(-2, 3, (2, size, 2)).astype("float32")
    label = generator.permutation([0, 1, *generator.integers(0, 2, size - 2)])
    figures = binary_metrics(u, v, label)
    similarities = pair_similarities(u, v)
    for name, scores in similarities.items():
        own = {key: figures[f"{name}_{key}"] for key in ("accuracy", "f1")}
        best = {"accuracy": 0, "f1": 0}
        for cut in [np.inf, *sorted(scores)]:
            hit, false, missed, right = counts(label, scores >= cut)
            best["accuracy"] = max(best["accuracy"], (hit + right) / size)
            best["f1"] = max(best["f1"], 2 * hit / (2 * hit + false + missed))
        assert own == pytest.approx(best)
        # The thresholds give what they are for.
        sign = -1 if name in ("euclidean", "manhattan") else 1
        hit, _, _, right = counts(
            label, scores >= sign * figures[f"{name}_accuracy_threshold"]
        )
        assert (hit + right) / size == pytest.approx(own["accuracy"])
        hit, false, missed, right = counts(
            label, scores >= sign * figures[f"{name}_f1_threshold"]
        )
        assert 2 * hit / (2 * hit + false + missed) == pytest.approx(own["f1"])
        assert figures[f"{name}_precision"] == pytest.approx(hit / (hit + false))
        assert figures[f"{name}_recall"] == pytest.approx(hit / (hit + missed))
        product = np.prod([hit + false, hit + missed, right + false, right + missed])
        mcc = (hit * right - false * missed) / np.sqrt(product) if product else 0
        assert figures[f"{name}_mcc"] == pytest.approx(mcc, abs=1e-9)
        # Average precision, one distinct score after the other.
        total, before = 0, 0
        for cut in sorted({*scores.tolist()}, reverse=True):
            hit, false, missed, _ = counts(label, scores >= cut)
            total += (hit - before) * hit / (hit + false) / (hit + missed)
            before = hit
        assert figures[f"{name}_ap"] == pytest.approx(total)
    for key in ("accuracy", "f1_threshold", "ap", "mcc"):
        largest = max(figures[f"{name}_{key}"] for name in similarities)
        assert figures[f"max_{key}"] == largest
    assert len(figures) == 5 * 8


def test_thresholds():
    """Midway, positive for distances, and above all where no pair is called 1."""
    u = np.array([[1], [2], [3], [8]], "float32")
    figures = binary_metrics(u, np.zeros_like(u), [1, 1, 0, 0])
    assert figures["euclidean_accuracy_threshold"] == 2.5
    assert figures["manhattan_f1_threshold"] == 2.5
    figures = binary_metrics(u, np.ones_like(u), [0, 0, 1, 0])
    # Calling none 1 is right as often as calling 3 and 8 so: the former is taken.
    assert figures["dot_accuracy"] == 0.75
    assert figures["dot_accuracy_threshold"] == np.nextafter(np.float32(8), np.inf)
    # The number below 1 in float32 and 1: halfway is 1, below is not.
    below = np.nextafter(np.float32(1), np.float32(0))
    for low, high in ((below, 1), (1, np.nextafter(np.float32(1), np.float32(2)))):
        u = np.array([[low], [high]], "float32")
        figures = binary_metrics(u, np.ones_like(u), [0, 1])
        assert figures["dot_accuracy"] == 1
        assert low < figures["dot_accuracy_threshold"] <= high


# Tables

PAIRS = pd.DataFrame({"base": ["a", "b"], "ref": ["b", "c"]})
TRIPLETS = pd.DataFrame({"anchor": ["a"], "positive": ["b"], "negative": ["c"]})
SCORED = PAIRS.assign(similarity=[0.2, 0.8])
BINARY = PAIRS.assign(label=[0, 1])


@pytest.mark.parametrize(
    ("evaluator", "table", "message"),
    [
        (SimilarityEvaluator, PAIRS, r"pairs lacks the columns \['similarity'\]"),
        (SimilarityEvaluator, SCORED[:0], "pairs has no rows"),
        (SimilarityEvaluator, SCORED[:1], "at least two rows. Received: 1"),
        (
            SimilarityEvaluator,
            SCORED.assign(similarity=4),
            "similarity: expected a num",
        ),
        (TripletEvaluator, PAIRS, "triplets lacks the columns"),
        (TripletEvaluator, TRIPLETS[:0], "triplets has no rows"),
        (TripletEvaluator, TRIPLETS.assign(negative=""), "negative: expected a text"),
        (BinaryClassificationEvaluator, PAIRS, r"lacks the columns \['label'\]"),
        (BinaryClassificationEvaluator, BINARY[:0], "pairs has no rows"),
        (BinaryClassificationEvaluator, BINARY.assign(label=2), "expected 0 or 1"),
        (BinaryClassificationEvaluator, BINARY.assign(label=1), r"both.*\[1\]"),
    ],
)
def test_faults_of_tables(evaluator, table, message):
    with pytest.raises(ValueError, match=message):
        evaluator(table)


@pytest.mark.parametrize(
    ("evaluator", "table"),
    [
        (SimilarityEvaluator, SCORED),
        (TripletEvaluator, TRIPLETS),
        (BinaryClassificationEvaluator, BINARY),
    ],
)
def test_columns_may_be_lists(evaluator, table):
    encoder = Vectors({"a": [1, 0], "b": [0.5, 1], "c": [1, 1]})
    expected = evaluator(table)(encoder)
    columns = [table[name] for name in table]
    for data in (columns, map(list, columns), map(np.array, columns)):
        np.testing.assert_equal(evaluator(*data)(encoder), expected)
    with pytest.raises(ValueError, match=r"must have one length. Received: \[0, "):
        evaluator([], *columns[1:])
    for data, received in (
        ([table.to_dict()], "dict"),
        (["a", "b", "c"], "str, str, str"),
        (columns[:2], "Series, Series"),
        ([table, 0.5], "DataFrame, float"),
        ([table.to_numpy().tolist()], "list"),
    ):
        with pytest.raises(TypeError, match=f"a list for each. Received: {received}"):
            evaluator(*data)


@pytest.mark.parametrize(
    "evaluator",
    [
        SimilarityEvaluator(SCORED),
        TripletEvaluator(TRIPLETS),
        BinaryClassificationEvaluator(BINARY),
        RetrievalEvaluator({"q": "a"}, {"d": "b", "e": "c"}, {"q": {"d"}}),
    ],
)
def test_embeddings_that_are_not_finite(evaluator):
    vectors = {"a": [1, 0], "b": [0.5, 1], "c": [np.nan, 1]}
    with pytest.raises(ValueError, match=r"finite.*rows"):
        evaluator(Vectors(vectors))


def test_faults_of_arrays():
    with pytest.raises(ValueError, match=r"one shape.*\(2, 3\) and \(2, 4\)"):
        pair_similarities(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"both of them.*\[0, 2\]"):
        binary_metrics(np.ones((2, 3)), np.ones((2, 3)), [0, 2])


def test_a_tiny_encoder(tiny):
    """Every evaluator takes what `fine_tune` measures."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for evaluator in (
            SimilarityEvaluator(SCORED),
            TripletEvaluator(TRIPLETS),
            BinaryClassificationEvaluator(BINARY),
            RetrievalEvaluator({"q": "a"}, {"d": "b"}, {"q": {"d"}}),
        ):
            assert np.isfinite([*evaluator(tiny).values()]).all()


def test_scores_of_tables_have_paired_intervals():
    """By the cosine alone; the values are those of the evaluators."""
    rng = np.random.default_rng(0)
    texts = [f"{side} {row}" for side in "abc" for row in range(30)]
    noise = rng.normal(size=(90, 8))
    base = Vectors(dict(zip(texts, noise, strict=True)))
    near = noise + np.concatenate([noise[30:60], noise[:30], 0 * noise[60:]])
    tuned = Vectors(dict(zip(texts, near, strict=True)))
    a, b, c = texts[:30], texts[30:60], texts[60:]
    for evaluator, names in (
        (
            SimilarityEvaluator(a, b, rng.random(30)),
            {"pearson_cosine", "spearman_cosine"},
        ),
        (BinaryClassificationEvaluator(a, b, [0, 1] * 15), {"cosine_ap"}),
        (TripletEvaluator(a, b, c, margin=0.1), {"cosine_accuracy"}),
    ):
        table = evaluator.score(base).compare(evaluator.score(tuned), samples=50)
        assert {*table.index} == names
        for name, row in table.iterrows():
            assert row["base"] == pytest.approx(evaluator(base)[name], abs=1e-6)
            assert row["tuned"] == pytest.approx(evaluator(tuned)[name], abs=1e-6)
            assert row["low"] <= row["difference"] <= row["high"] and row["n"] == 30
        own = evaluator.score(tuned).intervals(50)
        assert own["value"].to_dict() == pytest.approx(evaluator.score(tuned).metrics())
        assert (own["low"] < own["high"]).all() or (own["value"] == 1).all()
    # Triplets: all draws agree that the tuned encoder is better.
    assert table.loc["cosine_accuracy", "low"] > 0
    # Cosines and gold scores are drawn together.
    cosines = SimilarityEvaluator(a, b, rng.random(30)).score(base).cosines
    gold = (cosines[:, 0] + 1) / 2
    known = SimilarityEvaluator(a, b, gold).score(base).intervals(50)
    assert (known["low"] > 0.99).all()
    other = SimilarityEvaluator(a, b, rng.random(30)).score(base)
    with pytest.raises(ValueError, match="on the same table. Received: tables of 30"):
        other.compare(SimilarityEvaluator(a, b, rng.random(30)).score(tuned))
    near, far = (TripletEvaluator(a, b, c, margin=m).score(base) for m in (0, 0.1))
    with pytest.raises(ValueError, match="same settings.*'margin': 0}.*'margin': 0.1}"):
        near.compare(far)


def test_gold_numbers_are_found_by_name_not_by_type():
    table = pd.DataFrame({"base": ["a"] * 2, "ref": ["b"] * 2, "similarity": [0.1, 1]})
    seen = []
    scores = PairScores(
        table.astype({"similarity": object}),
        np.array([[0.5], [0.6]]),
        lambda *columns, **settings: seen.append((columns, settings)) or {},
        {"margin": 1},
    )
    scores.metrics()
    ((cosines, gold), settings) = seen[0]
    assert [*cosines] == [0.5, 0.6] and [*gold] == [0.1, 1] and settings["margin"] == 1


def test_draws_of_one_label_have_no_average_precision():
    vectors = Vectors({"a": [1, 0], "b": [1, 1], "c": [0, 1]})
    scores = BinaryClassificationEvaluator(["a", "a"], ["b", "c"], [1, 0]).score(
        vectors
    )
    table = scores.intervals(20)
    assert table.loc["cosine_ap", ["value", "low", "high"]].tolist() == [1, 1, 1]
