import heapq

import numpy as np
import pytest

from usetune.search import (
    community_detection,
    nearest,
    paraphrase_mining,
    semantic_search,
)


def rows_of(count, dim=6, seed=0, centres=0):
    """Rows of any length, some of them equal; around some centres, if there are any."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, dim))
    if centres:
        rows = (
            rows / 3 + generator.normal(size=(centres, dim))[np.arange(count) % centres]
        )
    rows[count // 2] = 3 * rows[0]
    return rows


def cosines(u, v):
    lengths = np.linalg.norm(u, axis=1)[:, None] * np.linalg.norm(v, axis=1)
    return (u @ v.T / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def test_semantic_search_is_the_search_of_the_peer():
    queries, corpus = rows_of(7, seed=1), rows_of(60)
    corpus[9] = 0
    for top_k in (1, 10, 60, 1000):
        found = semantic_search(queries, corpus, top_k)
        assert found[3] == semantic_search(queries[3], corpus, top_k)[0]
        for own, scores in zip(found, cosines(queries, corpus), strict=True):
            pairs = [(-score.round(6), row) for row, score in enumerate(scores)]
            expected = heapq.nsmallest(top_k, pairs)
            assert [hit["corpus_id"] for hit in own] == [row for _, row in expected]
            np.testing.assert_allclose(
                [hit["score"] for hit in own],
                [-score for score, _ in expected],
                atol=1e-6,
            )
    assert semantic_search(queries, corpus[:0]) == [[]] * 7
    units = corpus[:9] / np.linalg.norm(corpus[:9], axis=1, keepdims=True)
    rows, _ = nearest(units, units, 3)
    assert [
        [hit["corpus_id"] for hit in own] for own in semantic_search(units, units, 3)
    ] == rows.tolist()


def test_a_corpus_is_read_in_parts(monkeypatch):
    monkeypatch.setattr("usetune.search.semantic._CHUNK", 7)
    queries, corpus = rows_of(7, seed=1), rows_of(60)
    found = semantic_search(queries, corpus)
    monkeypatch.undo()
    assert found == semantic_search(queries, corpus)


@pytest.mark.parametrize("top_k", [1, 3, 39, 100])
def test_pairs_of_the_nearest_others(top_k):
    embeddings = rows_of(40, 8)
    scores = cosines(embeddings, embeddings)
    np.fill_diagonal(scores, -np.inf)
    pairs = set()
    for row, own in enumerate(scores):
        nearest_others = sorted(range(40), key=lambda other: (-own[other], other))
        pairs |= {
            tuple(sorted((row, other)))
            for other in nearest_others[:top_k]
            if other != row
        }
    expected = sorted(pairs, key=lambda pair: (-scores[pair], *pair))
    for max_pairs in (1, 10, 500_000):
        found = paraphrase_mining(embeddings, top_k, max_pairs)
        assert [tuple(pair) for _, *pair in found] == expected[:max_pairs]
        np.testing.assert_allclose(
            [score for score, *_ in found],
            [scores[pair] for pair in expected[:max_pairs]],
            atol=1e-6,
        )


def test_more_equal_rows_than_neighbours():
    found = paraphrase_mining(np.ones((5, 3)), top_k=2)
    assert found == [
        [1.0, *pair]
        for pair in ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4))
    ]
    assert paraphrase_mining(np.ones((1, 3))) == []


def communities_of(embeddings, threshold, least):
    """By the definition: all candidates, then one after the other."""
    scores = cosines(embeddings, embeddings)
    candidates = []
    for own in scores:
        order = sorted(range(len(own)), key=lambda row: (-own[row], row))
        candidates.append([row for row in order if own[row] >= threshold])
    taken, found = set(), []
    for candidate in sorted(candidates, key=len, reverse=True):
        left = [row for row in candidate if row not in taken]
        if len(candidate) >= least and len(left) >= least:
            found.append(left)
            taken |= {*left}
    return sorted(found, key=len, reverse=True)


@pytest.mark.parametrize("block", [1, 500, 4_000_000])
def test_communities(monkeypatch, block):
    monkeypatch.setattr("usetune.search.semantic._BLOCK", block)
    embeddings = rows_of(120, centres=9)
    for threshold, least in (
        (0.7, 2),
        (0.8, 5),
        (0.9, 1),
        (0.95, 3),
        (1.0, 2),
        (-1, 120),
    ):
        found = community_detection(embeddings, threshold, least)
        assert found == communities_of(embeddings, threshold, least)
        rows = [row for community in found for row in community]
        assert len(rows) == len({*rows})
    assert len(found) == 1
    assert community_detection(embeddings, -1, 121) == []
    assert community_detection(np.ones((200, 16)), 1.0) == [[*range(200)]]
    assert community_detection([]) == []


def test_faults():
    rows = rows_of(4)
    for call, message in (
        (lambda: semantic_search(rows, rows, 0), "top_k must be at least 1.*0"),
        (lambda: semantic_search(rows, rows[:, :5]), "corpus must give arrays"),
        (lambda: semantic_search(rows * np.nan, rows), "queries must be .* not finite"),
        (lambda: semantic_search(rows, rows * np.nan), "corpus must hold finite"),
        (lambda: paraphrase_mining(rows, 0), "top_k must be at least 1.*0"),
        (lambda: paraphrase_mining(rows, 1, 0), "max_pairs must be at least 1.*0"),
        (lambda: paraphrase_mining(rows[0]), "must be an array"),
        (lambda: community_detection(rows, 0.5, 0), "min_community_size .*0"),
        (lambda: community_detection(rows[0]), "must be an array"),
        (lambda: community_detection(rows * np.nan), "not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
