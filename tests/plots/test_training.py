import matplotlib.pyplot as plt
import pandas as pd
import pytest

from usetune.plots.training import plot_curves, plot_runs, plot_trade_off


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


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
    # Half a line between the groups.
    assert left.get_yticks().tolist() == [0, 1, 2.5]
    dots = [line for line in left.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [[0.5, 0.7], [0.4], [0.3]]
    means = [bar.get_segments()[0][0, 0] for bar in left.collections]
    assert means == pytest.approx([0.6, 0.4, 0.3])
    assert left.lines[0].get_xdata()[0] == 0.45
    assert (left.get_xlabel(), right.get_xlabel()) == ("mrr", "sts")
    texts = [text.get_text() for text in right.get_legend().get_texts()]
    assert texts == ["base", "pairs", "classes"]
    with pytest.raises(ValueError, match=r"runs lacks \['auc'\]"):
        plot_runs(runs, ["auc"], base)
