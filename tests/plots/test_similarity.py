import matplotlib.pyplot as plt
import numpy as np
import pytest

from usetune import plot_similarity, plot_similarity_comparison

FEATURES = np.random.default_rng(0).normal(size=(4, 8))
LABELS = ["one", "two", "three", "four"]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def cosines():
    unit = FEATURES / np.linalg.norm(FEATURES, axis=1, keepdims=True)
    return unit @ unit.T


def test_heatmap_shows_cosines_on_a_fixed_scale():
    ax = plot_similarity(LABELS, 5 * FEATURES, rotation=45, title="title")
    mesh = ax.collections[0]
    np.testing.assert_allclose(mesh.get_array().reshape(4, 4), cosines(), atol=1e-12)
    assert mesh.get_clim() == (0, 1)
    assert mesh.get_cmap().name == "YlOrRd"
    assert ax.get_title() == "title"
    assert [label.get_text() for label in ax.get_xticklabels()] == LABELS
    assert [label.get_text() for label in ax.get_yticklabels()] == LABELS
    assert ax.get_xticklabels()[0].get_rotation() == 45
    values = [float(text.get_text()) for text in ax.texts]
    np.testing.assert_allclose(np.reshape(values, (4, 4)), cosines(), atol=0.0051)


def test_many_labels_have_no_values():
    features = np.random.default_rng(0).normal(size=(16, 8))
    ax = plot_similarity([str(i) for i in range(16)], features)
    assert not ax.texts
    assert len(ax.get_xticklabels()) == 16


def test_no_cell_says_minus_zero():
    features = np.array([[1.0, 0.0], [-0.001, 1.0]])
    ax = plot_similarity(["a", "b"], features)
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.00", "0.00", "1.00"]


def test_draws_where_told():
    _, ax = plt.subplots()
    assert plot_similarity(LABELS, FEATURES, ax=ax) is ax


def test_side_by_side():
    axes = plot_similarity_comparison(LABELS, FEATURES, FEATURES**2, titles=("a", "b"))
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    left, right = (ax.collections[0] for ax in axes)
    assert left.get_clim() == right.get_clim() == (0, 1)
    np.testing.assert_allclose(left.get_array().reshape(4, 4), cosines(), atol=1e-12)
    assert not np.allclose(left.get_array(), right.get_array())


@pytest.mark.parametrize("features", [FEATURES[:3], FEATURES[0], FEATURES[None]])
def test_shapes_are_checked(features):
    with pytest.raises(ValueError, match=r"4 labels. Received: shape"):
        plot_similarity(LABELS, features)
