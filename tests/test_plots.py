import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from usetune import (
    compare_similarity,
    plot_curves,
    plot_runs,
    plot_similarity,
    plot_trade_off,
)

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
    axes = compare_similarity(LABELS, FEATURES, FEATURES**2, titles=("a", "b"))
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    left, right = (ax.collections[0] for ax in axes)
    assert left.get_clim() == right.get_clim() == (0, 1)
    np.testing.assert_allclose(left.get_array().reshape(4, 4), cosines(), atol=1e-12)
    assert not np.allclose(left.get_array(), right.get_array())


@pytest.mark.parametrize("features", [FEATURES[:3], FEATURES[0], FEATURES[None]])
def test_shapes_are_checked(features):
    with pytest.raises(ValueError, match=r"4 labels. Received: shape"):
        plot_similarity(LABELS, features)


def test_curves():
    ax = plot_curves({"a": [3.0, 2.0, 1.0], "b": [2.0, 2.5]}, "loss", "title")
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines == {"a": [[1, 3], [2, 2], [3, 1]], "b": [[1, 2], [2, 2.5]]}
    assert ax.get_ylabel() == "loss" and ax.get_xlabel() == "epoch"


def test_trade_off():
    points = pd.DataFrame(
        {
            "sts": [0.83, 0.84, 0.82],
            "mrr": [0.6, 0.7, 0.8],
            "mrr_low": [0.5, 0.6, 0.7],
            "mrr_high": [0.7, 0.8, 0.9],
            "alpha": [0, 0.5, 1],
            "recipe": ["one", "one", "other"],
        }
    )
    ax = plot_trade_off(points, "sts", "mrr", group="recipe")
    drawn = [line.get_xydata().tolist() for line in ax.lines]
    assert drawn == [[[0.83, 0.6], [0.84, 0.7]], [[0.82, 0.8]]]
    bars = [
        segment.tolist() for bar in ax.collections for segment in bar.get_segments()
    ]
    assert [[0.82, 0.7], [0.82, 0.9]] in bars and len(bars) == 3
    assert [text.get_text() for text in ax.texts] == ["0", "0.5", "1"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("sts", "mrr")
    single = plot_trade_off(points.drop(columns="mrr_low"), "sts", "mrr")
    assert len(single.lines) == 1 and not single.collections
    with pytest.raises(ValueError, match=r"lacks \['wer'\]"):
        plot_trade_off(points, "sts", "wer")


def test_runs():
    runs = pd.DataFrame(
        {
            "data": ["pairs", "pairs", "pairs", "classes"],
            "loss": ["A", "A", "B", "A"],
            "mrr": [0.5, 0.7, 0.4, 0.3],
            "sts": [0.8, 0.8, 0.9, 0.7],
        }
    )
    base = {"mrr": 0.45, "sts": 0.83}
    left, right = plot_runs(runs, ["mrr", "sts"], base)
    assert [text.get_text() for text in left.get_yticklabels()] == ["A", "B", "A"]
    dots = [line for line in left.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [[0.5, 0.7], [0.4], [0.3]]
    means = [bar.get_segments()[0][0, 0] for bar in left.collections]
    assert means == pytest.approx([0.6, 0.4, 0.3])
    assert left.lines[0].get_xdata()[0] == 0.45
    assert (left.get_xlabel(), right.get_xlabel()) == ("mrr", "sts")
    texts = [text.get_text() for text in right.get_legend().get_texts()]
    assert texts == ["base", "pairs", "classes"]
    with pytest.raises(ValueError, match=r"lack \['auc'\]"):
        plot_runs(runs, ["auc"], base)
