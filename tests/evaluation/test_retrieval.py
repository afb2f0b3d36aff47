import tracemalloc

import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usetune.evaluation.ranking import (
    answer_ranks,
    relevant_ranks,
    retrieval_metrics,
)
from usetune.search.exact import nearest


def by_sorting(queries, corpus, count):
    """Rows and scores of `nearest`, one query at a time."""
    rows, best = [], []
    for query in queries.astype(float):
        scores = [np.float32(np.dot(query, document)) for document in corpus]
        order = sorted(range(len(corpus)), key=lambda row: (-scores[row], row))[:count]
        rows.append(order)
        best.append([scores[row] for row in order])
    return rows, best


def in_parts(corpus, size):
    return (corpus[start : start + size] for start in range(0, len(corpus), size))


@settings(deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(1, 40),
    st.sampled_from([1, 40, 10**6]),
)
def test_nearest_agrees_with_sorting(seed, size, count, chunk_size, block):
    count = min(count, size)
    generator = np.random.default_rng(seed)
    # Few distinct small integers: exact scores, with many ties.
    queries = generator.integers(-1, 2, (7, 3)).astype("float32")
    corpus = generator.integers(-1, 2, (size, 3)).astype("float32")
    rows, scores = by_sorting(queries, corpus, count)
    for given_as in (corpus, in_parts(corpus, 1 + seed % 5)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("usetune.search.exact._BLOCK", block)
            found, best = nearest(queries, given_as, count, chunk_size)
        assert found.tolist() == rows
        np.testing.assert_array_equal(best, scores)
        assert found.dtype == np.int64 and best.dtype == np.float32


@pytest.mark.parametrize("chunk_size", [1, 3, 60])
def test_copies_come_in_the_order_of_the_corpus(chunk_size, tmp_path):
    generator = np.random.default_rng(0)
    corpus = generator.normal(size=(40, 512)).astype("float32")
    corpus = np.concatenate([corpus, corpus[::2]])
    queries = generator.normal(size=(50, 512)).astype("float32")
    rows, scores = nearest(queries, corpus, 60, chunk_size)
    for row in rows.tolist():
        for copy in range(20):
            assert row.index(2 * copy) + 1 == row.index(40 + copy)
    expected = by_sorting(queries, corpus.astype(float), 60)
    assert rows.tolist() == expected[0]
    np.testing.assert_allclose(scores, expected[1], rtol=1e-6, atol=1e-5)
    corpus.tofile(tmp_path / "corpus")
    mapped = np.memmap(tmp_path / "corpus", "float32", "r", shape=corpus.shape)
    np.testing.assert_array_equal(nearest(queries, mapped, 60, chunk_size)[0], rows)


def test_scores_are_computed_in_float64():
    """In float32, the first two documents would score the same, 0."""
    corpus = np.array([[1e8, 1, -1e8], [1e8, 2, -1e8], [0, 3, 0]], dtype="float32")
    rows, scores = nearest(np.ones((1, 3), "float32"), corpus, 3)
    assert rows.tolist() == [[2, 1, 0]] and scores.tolist() == [[3, 2, 1]]


def peak_memory(queries, parts):
    """Megabytes that the search of a random corpus takes."""
    part = np.random.default_rng(0).normal(size=(10_000, 4)).astype("float32")
    tracemalloc.start()
    rows, _ = nearest(part[:queries], (part for _ in range(parts)), 10)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert rows.max() >= 10_000 * (parts - 1)
    return peak


def test_memory_does_not_grow_with_the_corpus():
    # All scores at once would be 38 MB of float64 for each part.
    small, large = peak_memory(500, 1), peak_memory(500, 4)
    assert small < 80 and large < 1.1 * small + 1


def test_memory_does_not_grow_with_the_queries():
    # The scores of a chunk would be 305 MB for all queries.
    assert peak_memory(4_000, 1) < 100


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize(
    ("queries", "corpus", "message"),
    [
        (
            np.ones(2),
            np.ones((4, 2)),
            r"queries.*\(n, dim\).*shape \(2,\)",
        ),
        (np.full((2, 2), np.nan), np.ones((4, 2)), "queries.*4 of them not finite"),
        (np.ones((2, 3)), np.ones((4, 2)), r"\(documents, 3\).*shape \(4, 2\)"),
        (np.ones((2, 2)), np.ones(4), r"\(documents, 2\).*shape \(4,\)"),
        (np.ones((2, 2)), [[1, 1], [1, np.nan]], r"finite.*in the rows \[1\]"),
        (np.ones((2, 2)), [[1, 1], [np.inf, -np.inf]], r"finite.*in the rows \[1\]"),
        (np.ones((2, 2)), [[1, 1], [1e39, 1]], r"fit float32.*in the rows \[1\]"),
        (np.ones((2, 2)), np.ones((0, 2)), "at least one document. Received: none"),
    ],
)
def test_faults_of_embeddings(queries, corpus, message, parts):
    corpus = np.asarray(corpus)
    with pytest.raises(ValueError, match=message):
        nearest(queries, iter([corpus]) if parts else corpus, 1)


def test_rows_of_faults_are_those_of_the_corpus():
    corpus = np.ones((9, 2))
    corpus[7] = np.nan
    with pytest.raises(ValueError, match=r"in the rows \[7\]"):
        nearest(np.ones((1, 2)), corpus, 1, chunk_size=3)


def test_faults_of_counts():
    corpus = np.ones((4, 2))
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"between 1 and 4,.*Received: {count}"):
            nearest(corpus, corpus, count)
    with pytest.raises(ValueError, match="between 1 and 4,.*Received: 5"):
        nearest(corpus, in_parts(corpus, 2), 5)
    with pytest.raises(ValueError, match="between 1 and the size.*Received: 0"):
        nearest(corpus, in_parts(corpus, 2), 0)
    with pytest.raises(ValueError, match="chunk_size.*Received: 0"):
        nearest(corpus, corpus, 1, chunk_size=0)
    assert nearest(corpus[:0], corpus, 3)[0].shape == (0, 3)


def oracle(found, relevant, k):
    """Per-query figures of ir-measures, of this package's names."""
    from ir_measures import AP, RR, P, R, Success, nDCG

    names = {
        Success @ k: "accuracy",
        P @ k: "precision",
        R @ k: "recall",
        RR @ k: "mrr",
        nDCG @ k: "ndcg",
        AP @ k: "map",
    }
    qrels = [
        ir_measures.Qrel(str(query), str(document), grade)
        for query, own in enumerate(relevant)
        for document, grade in own.items()
    ]
    run = [
        ir_measures.ScoredDoc(str(query), str(document), -float(rank))
        for query, row in enumerate(found)
        for rank, document in enumerate(row)
    ]
    figures = pd.DataFrame(ir_measures.iter_calc(list(names), qrels, run))
    figures["measure"] = figures["measure"].map(names)
    figures["query"] = figures["query_id"].astype(int)
    table = figures.pivot(index="query", columns="measure", values="value")
    sizes = np.array([sum(grade > 0 for grade in own.values()) for own in relevant])
    # There, AP@k is divided by the relevant documents also where they are more than k.
    table["map"] *= sizes / np.minimum(sizes, k)
    return table.rename(columns=lambda name: f"{name}@{k}")


@pytest.mark.parametrize("grades", [[1], [-1, 0, 1, 2, 5]])
@pytest.mark.parametrize("seed", range(3))
def test_measures_agree_with_ir_measures(seed, grades):
    generator = np.random.default_rng(seed)
    size = 25
    found = np.array([generator.permutation(size)[:20] for _ in range(60)])
    relevant = []
    for _ in found:
        named = generator.choice(size, generator.integers(2, 16), replace=False)
        own = {int(row): int(generator.choice(grades)) for row in named}
        relevant.append(own | {int(named[0]): 1})
    measures = retrieval_metrics(relevant_ranks(found, relevant), [1, 3, 10, 20])
    assert measures.shape == (60, 24)
    for k in (1, 3, 10, 20):
        expected = oracle(found, relevant, k)
        for name in expected:
            np.testing.assert_allclose(measures[name], expected[name], atol=1e-9)


def test_ranks():
    found = np.array([[3, 1, 0], [2, 3, 1]])
    ranks = relevant_ranks(found, [[1, 3, 1], np.array([0, 1])])
    assert ranks["query"].tolist() == [0, 0, 1, 1]
    assert ranks["document"].tolist() == [1, 3, 0, 1]
    np.testing.assert_array_equal(ranks["rank"], [2, 1, np.nan, 3])
    assert ranks["grade"].tolist() == [1, 1, 1, 1]
    graded = relevant_ranks(found, [{1: 2, 3: 0}, {0: 0.5, 2: -1}])
    assert graded["document"].tolist() == [1, 0]
    assert graded["grade"].tolist() == [2, 0.5]


@pytest.mark.parametrize("block", [1, 3, 512])
def test_ranks_of_answers_are_those_of_a_search(monkeypatch, block):
    """Also among equal scores."""
    monkeypatch.setattr("usetune.evaluation.ranking._QUERIES", block)
    generator = np.random.default_rng(0)
    queries = generator.integers(-1, 2, (40, 3)).astype("float32")
    corpus = generator.integers(-1, 2, (30, 3)).astype("float32")
    answers = generator.integers(30, size=40)
    table = answer_ranks(queries, corpus, answers)
    found, scores = nearest(queries, corpus, 30)
    expected = relevant_ranks(found, answers[:, None])
    assert table["rank"].tolist() == expected["rank"].tolist()
    assert table["first"].tolist() == found[:, 0].tolist()
    assert table["first_score"].tolist() == scores[:, 0].tolist()
    own = np.sum(queries * corpus[answers], axis=1)
    assert table["score"].tolist() == own.tolist()


def test_gains_are_the_grades():
    """Grades 1, 3 and 2 at the ranks 1, 2 and 4."""
    ranks = relevant_ranks(np.array([[5, 6, 9, 7]]), [{5: 1, 6: 3, 7: 2, 8: 0}])
    found = 1 / np.log2(2) + 3 / np.log2(3) + 2 / np.log2(5)
    best = 3 / np.log2(2) + 2 / np.log2(3) + 1 / np.log2(4)
    metrics = retrieval_metrics(ranks, [1, 4]).loc[0]
    assert metrics["ndcg@4"] == pytest.approx(found / best)
    assert metrics["ndcg@1"] == pytest.approx(1 / 3)
    assert metrics["recall@4"] == 1 and metrics["precision@4"] == 0.75


def test_a_cut_beyond_the_corpus():
    """All that there is is found; precision still is hits / k."""
    ranks = relevant_ranks(np.array([[1, 0]]), [[0]])
    measures = retrieval_metrics(ranks, [10]).loc[0]
    assert measures["precision@10"] == pytest.approx(0.1)
    assert measures["recall@10"] == 1 and measures["mrr@10"] == 0.5


def test_faults_of_ranks():
    found = np.zeros((2, 1), int)
    with pytest.raises(ValueError, match="each query.*Received: 2 and 1"):
        relevant_ranks(found, [[0]])
    with pytest.raises(ValueError, match="each query. Received: none of 1"):
        relevant_ranks(found, [[0], []])
    with pytest.raises(ValueError, match="each query. Received: none of 0"):
        relevant_ranks(found, [{0: 0}, [0]])
    for grade in (np.nan, "1", None):
        with pytest.raises(ValueError, match=f"as grades. Received: {grade!r}"):
            relevant_ranks(found, [{0: grade}, [0]])
    with pytest.raises(ValueError, match="ks must be at least 1. Received: 0"):
        retrieval_metrics(relevant_ranks(found, [[0], [0]]), [1, 0])
