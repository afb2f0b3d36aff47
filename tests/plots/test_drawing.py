"""What holds of every picture: texts are shown as they are, and nothing is left out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from usetune.plots import (
    export_projector,
    map_2d,
    plot_association,
    plot_curves,
    plot_map,
    plot_map_comparison,
    plot_runs,
    plot_similarity,
    plot_similarity_comparison,
    plot_sizes,
    plot_trade_off,
)

# Formulas, one of them faulty; what matplotlib hides in legends; what no font can take.
TEXTS = ["from $5 to $10", r"price $\foo$", "_a", "$a_$", "\ud800x"]
SHOWN = [*TEXTS[:4], "\ufffdx"]
GENERATOR = np.random.default_rng(0)
EMBEDDINGS = GENERATOR.normal(size=(5, 8))
POINTS = GENERATOR.normal(size=(5, 2))
NAN = np.where(np.arange(5)[:, None] == 3, np.nan, POINTS)
FIGURES = pd.DataFrame(
    {
        "title": pd.Series(TEXTS, dtype=object),
        "base": POINTS[:, 0],
        "tuned": POINTS[:, 1],
        "dim": 4,
        "precision": pd.Series(TEXTS, dtype=object),
        "bytes": 2.0 ** np.arange(5),
    }
)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


PICTURES = {
    "similarity": lambda: plot_similarity(TEXTS, EMBEDDINGS, title="_a $x$"),
    "similarities": lambda: plot_similarity_comparison(
        TEXTS, EMBEDDINGS, EMBEDDINGS, titles=(TEXTS[0], TEXTS[1])
    )[0],
    "map": lambda: plot_map(POINTS, TEXTS, TEXTS, title=TEXTS[1]),
    "maps": lambda: plot_map_comparison(POINTS, POINTS, TEXTS, TEXTS, titles=TEXTS[:2])[
        1
    ],
    "curves": lambda: plot_curves({text: [1, 2] for text in TEXTS}, TEXTS[0], TEXTS[1]),
    "association": lambda: plot_association(FIGURES, TEXTS[1], ("_a", "$a_$")),
    "sizes": lambda: plot_sizes(FIGURES.rename(columns={"base": "$a_$"}), "$a_$"),
    "trade-off": lambda: plot_trade_off(
        FIGURES.rename(columns={"base": "$a_$"}), "$a_$", "tuned", "dim", "title"
    ),
    "runs": lambda: plot_runs(FIGURES, ["tuned"], {"tuned": 0}, "precision", "title")[
        0
    ],
}


@pytest.mark.parametrize("name", PICTURES)
def test_texts_are_shown_as_they_are(name):
    ax = PICTURES[name]()
    ax.figure.canvas.draw()
    texts = [text for text in ax.findobj(Text) if text.get_text()]
    formulas = [text for text in texts if "$" in text.get_text()]
    assert formulas and not any(text.get_parse_math() for text in formulas)
    hidden = "_a" if name != "similarities" else SHOWN[2]
    assert hidden in [text.get_text() for text in texts]
    if name != "association":
        assert {*SHOWN} <= {text.get_text() for text in texts}


def test_a_legend_keeps_what_was_there():
    _, ax = plt.subplots()
    ax.plot([1, 2], label="mine")
    plot_curves({"_a": [1, 2], "b": [2, 1]}, "loss", ax=ax)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["mine", "b", "_a"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: plot_similarity(TEXTS, NAN),
            "^features must be finite.* rows.*: .3.",
        ),
        (lambda: plot_map(NAN, TEXTS), "^points must be finite.* in 1 of 5 rows"),
        (lambda: plot_map_comparison(POINTS, NAN, TEXTS), "^tuned must be finite"),
        (lambda: map_2d(NAN), "^embeddings must be finite"),
        (lambda: map_2d([["a", "b"]] * 5), "^embeddings must be numbers: .*'a'"),
        (
            lambda: plot_association(FIGURES.assign(base=np.inf)),
            r"^table\['base'\] must be finite numbers. Received.*: \[0, 1, 2, 3, 4\]",
        ),
        (
            lambda: plot_runs(FIGURES, ["dim"], {"dim": np.nan}, "title", "title"),
            r"^base\['dim'\] must be finite",
        ),
        (
            lambda: plot_sizes(FIGURES.replace("_a", None), "tuned"),
            r"^table\['precision'\] must have no gaps. Received: .* 1 of 5 .*: \[2\]",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
    assert not plt.get_fignums()


def test_projector_names_rows(tmp_path):
    with pytest.raises(ValueError, match=r"embeddings\['a'\] .* 1 of 5 rows.*: \[3\]"):
        export_projector(tmp_path / "new", TEXTS, {"a": NAN})
