import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from scipy.spatial.distance import cdist

from usetune.plots.drawing import COLORS
from usetune.plots.maps import map_2d, plot_map, plot_map_comparison, spread

GENERATOR = np.random.default_rng(0)
EMBEDDINGS = GENERATOR.normal(size=(40, 8)) * [5, 3, 1, 1, 1, 1, 1, 1]
POINTS = GENERATOR.normal(size=(40, 2)) * [3, 1] + 7
GROUPS = [f"group {row % 3}" for row in range(40)]
TEXTS = [f"text {row}" for row in range(40)]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def clusters(count, size):
    """Groups of points far from each other."""
    centres = 20 * np.eye(count, 8)
    return np.concatenate([c + GENERATOR.normal(size=(size, 8)) for c in centres])


def test_pca_keeps_the_largest_variances():
    points = map_2d(EMBEDDINGS)
    variances = np.sort(np.linalg.eigvalsh(np.cov(EMBEDDINGS.T)))[::-1]
    np.testing.assert_allclose(np.cov(points.T), np.diag(variances[:2]), atol=1e-9)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-9)


def test_the_sign_of_pca_does_not_depend_on_the_order():
    order = np.random.default_rng(1).permutation(40)
    np.testing.assert_allclose(
        map_2d(EMBEDDINGS[order]), map_2d(EMBEDDINGS)[order], atol=1e-9
    )
    centred = EMBEDDINGS - EMBEDDINGS.mean(axis=0)
    directions = centred.T @ map_2d(EMBEDDINGS)
    largest = np.abs(directions).argmax(axis=0)
    assert (directions[largest, [0, 1]] > 0).all()


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_clusters_stay_apart(method):
    embeddings = clusters(3, 8)
    points = map_2d(embeddings, method)
    distances = cdist(points, points)
    same = np.equal.outer(np.arange(24) // 8, np.arange(24) // 8)
    assert distances[same].max() < distances[~same].min()
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_array_equal(map_2d(embeddings, method), points)


@pytest.mark.parametrize("count", [4, 5, 92])
def test_tsne_of_few_points(count, monkeypatch):
    """The perplexity is below the number of points, and 30 for many of them."""
    seen = []
    tsne = map_2d.__globals__["TSNE"]
    monkeypatch.setattr(
        "usetune.plots.maps.TSNE",
        lambda *a, **k: (
            seen.append((k["perplexity"], k["random_state"]))
            or tsne(*a, **k, max_iter=250)
        ),
    )
    points = map_2d(GENERATOR.normal(size=(count, 8)), "tsne", seed=7)
    assert points.shape == (count, 2) and np.isfinite(points).all()
    assert seen == [(min(30, (count - 1) / 3), 7)]


@pytest.mark.parametrize(
    ("embeddings", "method", "message"),
    [
        (EMBEDDINGS, "umap", r"one of \('pca', 'tsne'\). Received: 'umap'"),
        (EMBEDDINGS[:3], "tsne", r"n at least 4.*Received: \(3, 8\)"),
        (EMBEDDINGS[:, :1], "pca", r"dim at least 2. Received: \(40, 1\)"),
        (EMBEDDINGS[0], "pca", r"Received: \(8,\)"),
    ],
)
def test_faults(embeddings, method, message):
    with pytest.raises(ValueError, match=message):
        map_2d(embeddings, method)


def test_spread():
    rows = spread(POINTS, 10)
    assert len(set(rows)) == 10
    centre = POINTS.mean(axis=0)
    assert rows[0] == np.linalg.norm(POINTS - centre, axis=1).argmax()
    for number in range(1, 10):
        nearest = cdist(POINTS, POINTS[rows[:number]]).min(axis=1)
        assert nearest[rows[number]] == nearest.max()
    assert spread(np.ones((5, 2)), 3) == []
    assert len(spread(np.array([[0, 0], [1, 1]] * 3), 4)) == 2


def test_points_have_the_colours_of_their_groups():
    ax = plot_map(POINTS, GROUPS, title="title")
    drawn = {dots.get_label(): dots for dots in ax.collections}
    assert list(drawn) == ["group 0", "group 1", "group 2"]
    for number, dots in enumerate(drawn.values()):
        np.testing.assert_array_equal(dots.get_offsets(), POINTS[number::3])
        assert to_rgb(dots.get_facecolor()[0]) == to_rgb(COLORS[number])
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == list(drawn)
    assert ax.get_title() == "title" and not ax.texts
    assert ax.get_aspect() == 1


def test_a_few_texts_are_written():
    texts = pd.Series(TEXTS, index=range(100, 140))
    texts.iloc[spread(POINTS, 1)[0]] = "$5 or $6 and more words than fit a label"
    ax = plot_map(POINTS, GROUPS, texts, max_labels=4)
    rows = spread(POINTS, 4)
    expected = ["$5 or $6 and more words than …", *(TEXTS[row] for row in rows[1:])]
    assert [text.get_text() for text in ax.texts] == expected
    for text, row in zip(ax.texts, rows, strict=True):
        assert not text.get_parse_math()
        assert tuple(text.xy) == tuple(POINTS[row])
    ax.figure.canvas.draw()


def test_labels_stay_within_the_picture_and_apart():
    ax = plot_map(POINTS, GROUPS, ["a title of 24 characters"] * 40)
    ax.figure.canvas.draw()
    box = ax.get_window_extent()
    extents = [text.get_window_extent() for text in ax.texts]
    for number, own in enumerate(extents):
        assert box.x0 < own.x0 and own.x1 < box.x1
        assert not any(own.overlaps(other) for other in extents[:number])


def test_draws_where_told():
    _, ax = plt.subplots()
    assert plot_map(POINTS, GROUPS, ax=ax) is ax


@pytest.mark.parametrize("mirror", [1, -1])
def test_side_by_side(mirror):
    sine, cosine = np.sin(2.0), np.cos(2.0)
    turn = np.array([[cosine, -mirror * sine], [sine, mirror * cosine]])
    left, right = plot_map_comparison(POINTS, 3 * POINTS @ turn - 5, GROUPS, TEXTS)
    assert [left.get_title(), right.get_title()] == ["base", "tuned"]
    # A map that is only turned, mirrored, scaled and moved lies as the other one.
    for own, dots in zip(left.collections, right.collections, strict=True):
        np.testing.assert_array_equal(own.get_facecolor(), dots.get_facecolor())
        expected = 3 * (own.get_offsets() - POINTS.mean(axis=0))
        np.testing.assert_allclose(dots.get_offsets(), expected, atol=1e-9)
    assert [t.get_text() for t in left.texts] == [t.get_text() for t in right.texts]
    assert len(left.texts) == 10
    assert left.get_legend() is None and right.get_legend() is not None


def test_distances_and_texts_on_the_right():
    tuned = np.random.default_rng(5).normal(size=(40, 2))
    _, right = plot_map_comparison(POINTS, tuned, ["one"] * 40, TEXTS)
    written = [text.get_text() for text in right.texts]
    assert written == [TEXTS[row] for row in spread(POINTS, 10)]
    drawn = right.collections[0].get_offsets()
    np.testing.assert_allclose(cdist(drawn, drawn), cdist(tuned, tuned), atol=1e-9)


@pytest.mark.parametrize(
    ("points", "groups", "texts", "message"),
    [
        (POINTS[:5], GROUPS, None, r"Received: \(5, 2\), 40 groups"),
        (EMBEDDINGS, GROUPS, None, r"Received: \(40, 8\)"),
        (POINTS, GROUPS, TEXTS[:39], "40 groups, 39 texts"),
        (POINTS, TEXTS, None, "at most 10 names.*Received: 40 names, 0 missing"),
        (POINTS, [None, *GROUPS[1:]], None, "Received: 3 names, 1 missing"),
    ],
)
def test_faults_of_pictures(points, groups, texts, message):
    with pytest.raises(ValueError, match=message):
        plot_map(points, groups, texts)


def test_maps_of_other_texts():
    with pytest.raises(ValueError, match=r"shapes \(40, 2\) and \(39, 2\)"):
        plot_map_comparison(POINTS, POINTS[1:], GROUPS)
