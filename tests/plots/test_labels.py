"""Where texts beside points stand."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from usetune.plots.labels import label_points


@pytest.fixture
def ax():
    _, ax = plt.subplots(figsize=(5, 4))
    ax.set(xlim=(0, 10), ylim=(0, 10))
    return ax


def boxes(ax):
    """Extents of the texts without their lines, in pixels."""
    ax.figure.canvas.draw()
    return [Text.get_window_extent(text) for text in ax.texts]


def away(box, pixels):
    """From a point to the nearest place of a box."""
    low, high = box.get_points()
    return np.hypot(*np.maximum(np.maximum(low - pixels, pixels - high), 0))


def test_alike_points_on_each_other_share_a_label(ax):
    points = np.array([[5, 5], [5.02, 5], [5.02, 5.0], [8, 5]])
    label_points(ax, points, ["a", "a", "b", "a"], ["red"] * 4)
    assert [text.get_text() for text in ax.texts] == ["a", "b", "a"]


def test_colours_tell_labels_apart(ax):
    label_points(ax, np.array([[5, 5], [5, 5]]), ["a", "a"], ["red", "blue"])
    assert [text.get_color() for text in ax.texts] == ["red", "blue"]


def test_each_label_is_nearest_to_its_own_point(ax):
    points = np.array([[5, 5], [5.6, 5.3], [6.2, 5], [5.6, 4.6]])
    ax.plot(*points.T, "o-")
    label_points(ax, points, list("abcd"), ["red"] * 4)
    dots = ax.transData.transform(points)
    for number, box in enumerate(boxes(ax)):
        assert np.argmin([away(box, dot) for dot in dots]) == number


def test_bars_are_not_crossed(ax):
    ax.vlines([5], 2, 8)
    label_points(ax, np.array([[5, 5]]), ["a"], ["red"])
    (box,) = boxes(ax)
    assert not box.x0 < ax.transData.transform((5, 5))[0] < box.x1


def test_only_far_labels_have_a_line(ax):
    label_points(ax, np.array([[2, 5]]), ["a"], ["red"])
    assert not ax.texts[0].arrow_patch.get_visible()
    for x in (4.6, 5, 5.4):
        ax.vlines(x, 0, 10)
    ax.plot([0, 10], [5, 5])
    ax.plot([4, 6, 4, 6], [4.4, 4.8, 5.2, 5.6])
    label_points(ax, np.array([[5, 5]]), ["wide text"], ["red"])
    assert ax.texts[1].arrow_patch.get_visible()


def test_gaps_and_endless_lines_do_no_harm(ax):
    ax.plot([1, np.nan, 3], [1, 2, 3])
    ax.plot([5, 5], [-1e9, 1e9])
    ax.vlines([np.nan], 0, 1)
    label_points(ax, np.array([[5, 5]]), ["a"], ["red"])
    assert len(boxes(ax)) == 1
