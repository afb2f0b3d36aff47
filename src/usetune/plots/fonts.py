"""Fonts for labels in any script.

matplotlib orders right-to-left text and joins its letters itself; what it lacks are
fonts with the characters.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from matplotlib import rcParams
from matplotlib.font_manager import FontEntry, FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font

from usetune._utils.warn import warn

# The font of the extra usetune[fonts], Noto Sans CJK: a package that holds its file.
_EXTRA = "noto_cjk_sans_jp_regular"
# Controls and spaces leave no mark.
_UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Zs"}
# Draws a box with the name of the script for every character.
_LAST_RESORT = "Last Resort"


def families(texts: Iterable[str]) -> list[str]:
    """Font families that draw texts between them.

    Args:
        texts: what is drawn.

    Returns:
        matplotlib's own families, and as many others as it takes to draw what those
        lack: the font of the extra ``fonts`` first, then those that are installed,
        upright ones of ordinary weight before others.

    Warns:
        UserWarning: naming the characters that no installed font has.
    """
    own = list(rcParams["font.family"])
    seen = {mark for text in texts for mark in text}
    missing = {mark for mark in seen if unicodedata.category(mark) not in _UNSEEN}
    for family in own:
        missing -= _characters(findfont(FontProperties(family=[family])))
    if not missing:
        return own
    for font in _fallbacks():
        found = missing & _characters(font.fname)
        if found:
            own.append(font.name)
            missing -= found
        if not missing:
            return own
    warn(
        f"no installed font has {len(missing)} characters of the labels, drawn as "
        f"boxes: {''.join(sorted(missing))}. pip install usetune[fonts] brings a font "
        "for Chinese, Japanese and Korean; or install one, and restart Python"
    )
    return own


def _fallbacks() -> list[FontEntry]:
    extra = find_spec(_EXTRA)
    known = {font.fname for font in fontManager.ttflist}
    own = [
        str(file)
        for folder in (extra and extra.submodule_search_locations) or ()
        for file in Path(folder).glob("*.otf")
    ]
    for file in own:
        if file not in known:
            fontManager.addfont(file)

    def key(font: FontEntry) -> tuple[bool, ...]:
        plain = font.style == "normal" and font.weight in (400, "normal")
        return font.fname not in own, not plain, "Sans" not in font.name

    usable = (f for f in fontManager.ttflist if not f.name.startswith(_LAST_RESORT))
    return sorted(usable, key=key)


@cache
def _characters(file: str) -> frozenset[str]:
    return frozenset(map(chr, FT2Font(file).get_charmap()))
