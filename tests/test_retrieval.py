import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usetune.retrieval import nearest, relevant_ranks, retrieval_measures


def by_sorting(queries, corpus, relevant, k):
    """recall@k and mrr@k of each query, written down one by one."""
    recalls, reciprocals = [], []
    for query, own in zip(queries, relevant, strict=True):
        scores = [np.float32(np.dot(query, document)) for document in corpus]
        order = sorted(range(len(corpus)), key=lambda row: (-scores[row], row))
        hits = [row in own for row in order[:k]]
        recalls.append(sum(hits) / len(set(own)))
        reciprocals.append(1 / (hits.index(True) + 1) if True in hits else 0.0)
    return recalls, reciprocals


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 30))
def test_agrees_with_sorting(seed, k, size):
    generator = np.random.default_rng(seed)
    # Few distinct small integers: exact scores, with many ties.
    queries = generator.integers(-1, 2, (7, 3)).astype("float32")
    corpus = generator.integers(-1, 2, (size, 3)).astype("float32")
    relevant = [
        generator.choice(size, generator.integers(1, size + 1), replace=False)
        for _ in queries
    ]
    measures = retrieval_measures(relevant_ranks(queries, corpus, relevant), [k])
    recalls, reciprocals = by_sorting(queries, corpus, relevant, k)
    np.testing.assert_allclose(measures[f"recall@{k}"], recalls, atol=1e-9)
    np.testing.assert_allclose(measures[f"mrr@{k}"], reciprocals, atol=1e-9)


def test_random_embeddings_with_copies(monkeypatch):
    generator = np.random.default_rng(0)
    corpus = generator.normal(size=(40, 16)).astype("float32")
    corpus = np.concatenate([corpus, corpus[::2]])
    queries = generator.normal(size=(50, 16)).astype("float32")
    relevant = [[number % 60, (number * 7) % 60] for number in range(50)]
    ranks = relevant_ranks(queries, corpus, relevant)
    measures = retrieval_measures(ranks, [1, 10])
    for k in (1, 10):
        recalls, reciprocals = by_sorting(
            queries.astype(float), corpus.astype(float), relevant, k
        )
        np.testing.assert_allclose(measures[f"recall@{k}"], recalls, atol=1e-9)
        np.testing.assert_allclose(measures[f"mrr@{k}"], reciprocals, atol=1e-9)
    # Copies of a document come in the order of the corpus, in blocks of any size.
    copy = relevant_ranks(queries, corpus, [[0, 40]] * 50)["rank"].to_numpy()
    np.testing.assert_array_equal(copy[1::2] - copy[::2], 1)
    monkeypatch.setattr("usetune.retrieval._BLOCK", 1)
    assert relevant_ranks(queries, corpus, relevant).equals(ranks)


def test_nearest(monkeypatch):
    corpus = np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8]], dtype="float32")
    queries = np.array([[1, 0], [0, 1]], dtype="float32")
    for block in (1, 100):
        monkeypatch.setattr("usetune.retrieval._BLOCK", block)
        rows, scores = nearest(queries, corpus, 3)
        assert rows.tolist() == [[0, 2, 3], [1, 3, 0]]
        np.testing.assert_allclose(scores, [[1, 1, 0.6], [1, 0.8, 0]], atol=1e-6)
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"between 1 and 4.*Received: {count}"):
            nearest(queries, corpus, count)


@pytest.mark.parametrize(
    ("queries", "relevant", "message"),
    [
        (np.ones((2, 3)), [[0], [0]], r"one dim.*\(2, 3\) and \(4, 2\)"),
        (np.full((2, 2), np.nan), [[0], [0]], "finite"),
        (np.ones((2, 2)), [[0]], "2 queries and 1"),
        (np.ones((2, 2)), [[0], []], r"without a relevant document: \[1\]"),
        (np.ones((2, 2)), [[0], [4]], r"outside the corpus of 4: \[4\]"),
    ],
)
def test_faults(queries, relevant, message):
    with pytest.raises(ValueError, match=message):
        relevant_ranks(queries, np.ones((4, 2)), relevant)
