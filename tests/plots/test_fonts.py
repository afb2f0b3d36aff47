"""Labels in any script, with fonts that claim characters and with the real one."""

import re
import warnings
from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.font_manager import FontEntry, fontManager

from usetune.plots import fonts, plot_similarity

TITLES = ["data scientist", "データ", "数据科学家", "간호사", "מהנדס", "مهندس"]
OWN = rcParams["font.family"]


@pytest.fixture
def installed(monkeypatch):
    """The ordinary fonts, and an italic and an upright one for Japanese."""
    ordinary = [font for font in fontManager.ttflist if font.name == "DejaVu Sans"]
    last = FontEntry(fname="last", name="Last Resort")
    italic = FontEntry(fname="italic", name="Sans italic", style="italic")
    upright = FontEntry(fname="upright", name="Sans upright")
    listed = [last, italic, upright, *ordinary]
    monkeypatch.setattr(fontManager, "ttflist", listed)
    monkeypatch.setattr(fonts, "find_spec", lambda name: None)
    has = {"italic": set("デタ"), "upright": set("デー")}
    characters = fonts._characters
    monkeypatch.setattr(
        fonts, "_characters", lambda file: has.get(file) or characters(file)
    )


def test_text_that_the_font_has_needs_no_other(monkeypatch):
    monkeypatch.setattr(fonts, "_fallbacks", pytest.fail)
    assert fonts.families(["ärztin", "מהנדס", "a\nb\u200d"]) == OWN


def test_fonts_are_added_until_all_is_drawn(installed):
    assert fonts.families(["a デ"]) == [*OWN, "Sans upright"]
    assert fonts.families(["デ", "タ"]) == [*OWN, "Sans upright", "Sans italic"]


def test_what_no_font_has_is_named(installed):
    with pytest.warns(
        UserWarning, match=r"no installed font has 2.*boxes: 学数\."
    ) as w:
        plot_similarity(["数学", "x"], np.eye(2))
    assert len(w) == 1 and w[0].filename == __file__


@pytest.mark.skipif(not find_spec("noto_cjk_sans_jp_regular"), reason="usetune[fonts]")
def test_five_scripts_without_a_box():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot_similarity(TITLES, np.eye(6), title="".join(TITLES))
        ax.figure.canvas.draw()
    assert re.search("Noto", ax.get_xticklabels()[0].get_fontfamily()[-1])
    plt.close("all")
