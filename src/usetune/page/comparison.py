"""What encoders make of the same texts, side by side: pictures and tables."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from usetune.page.text_lists import TextList, text_lines
from usetune.plots.similarity import plot_similarity
from usetune.protocols import TextEncoder
from usetune.search.exact import nearest

MOST_TEXTS = 30

_LABEL = 32
_DPI = 130


def compare_texts(
    typed: str, encoders: Mapping[str, TextEncoder]
) -> tuple[dict[str, np.ndarray], pd.DataFrame | None]:
    """Heatmaps of the texts that were typed, and the pairs that changed most.

    Args:
        typed: 2 to 30 texts, one a line.
        encoders: name → anything with ``encode(texts) → (n, dim)`` of unit length; one,
            or two, the base first.

    Returns:
        Name of an encoder → uint8 array (height, width, 4), the picture in RGBA of
        `similarity_heatmap`; and the table of `changed_pairs`, None with one encoder.

    Raises:
        ValueError: if there are fewer or more texts, or one is too long.
    """
    texts = text_lines(typed)
    if not 2 <= len(texts) <= MOST_TEXTS:
        raise ValueError(
            f"Type 2 to {MOST_TEXTS} texts, one on each line. Received: {len(texts)}"
        )
    embeddings = {name: encoder.encode(texts) for name, encoder in encoders.items()}
    changed = None
    if len(encoders) == 2:
        base, tuned = embeddings.values()
        changed = changed_pairs(texts, base, tuned)
    pictures = {}
    for name, features in embeddings.items():
        canvas = FigureCanvasAgg(similarity_heatmap(texts, features, name))
        canvas.draw()
        pictures[name] = np.asarray(canvas.buffer_rgba())
    return pictures, changed


def similarity_heatmap(
    texts: Sequence[str], features: np.ndarray, title: str
) -> Figure:
    """Draw the heatmap of `usetune.plot_similarity` in a figure outside of pyplot.

    Such a figure is in no list of open ones, so that it need not be closed.

    Args:
        texts: n names. More than 32 characters are cut; a text that the font of the
            figure cannot write is "text" and its number.
        features: float array (n, dim).
        title: above the heatmap.
    """
    labels = [_label(number, text) for number, text in enumerate(texts, start=1)]
    side = 2.5 + 0.3 * len(labels) + 0.07 * max(map(len, labels))
    figure = Figure(figsize=(side, side), dpi=_DPI, layout="constrained")
    plot_similarity(labels, features, title=title, ax=figure.subplots())
    return figure


def changed_pairs(
    texts: Sequence[str], base: np.ndarray, tuned: np.ndarray, count: int = 10
) -> pd.DataFrame:
    """The pairs of texts whose similarity changed most.

    Args:
        texts: n texts, at least two.
        base: float array (n, dim), rows of unit length.
        tuned: float array (n, dim), rows of unit length.
        count: rows of the table, at most.

    Returns:
        DataFrame text, other text, base, tuned (their cosines) and change, the largest
        change first, up or down; of equal ones the earlier texts first.
    """
    rows, others = np.triu_indices(len(texts), 1)
    table = pd.DataFrame(
        {
            "text": np.array(texts, dtype=object)[rows],
            "other text": np.array(texts, dtype=object)[others],
            "base": np.sum(base[rows] * base[others], axis=1),
            "tuned": np.sum(tuned[rows] * tuned[others], axis=1),
        }
    )
    table["change"] = table["tuned"] - table["base"]
    return table.sort_values(
        "change", key=lambda change: -change.abs(), kind="stable", ignore_index=True
    ).head(count)


class TitleSearch:
    """A list of titles, embedded once by each encoder.

    Args:
        titles: what is searched in.
        encoders: name → anything with ``encode(texts) → (n, dim)`` of unit length.

    Attributes:
        titles: as given.
    """

    def __init__(self, titles: TextList, encoders: Mapping[str, TextEncoder]) -> None:
        self.titles = titles
        self._encoders = encoders
        self._embeddings = {
            name: encoder.encode(titles.texts) for name, encoder in encoders.items()
        }

    def nearest(self, query: str, count: int = 10) -> dict[str, pd.DataFrame]:
        """The titles nearest to a query.

        Args:
            query: a text of one line.
            count: how many, or all where the list is shorter.

        Returns:
            Name of an encoder → DataFrame rank (from 1), title and score (the cosine).

        Raises:
            ValueError: if the query is empty, has several lines or is too long.
        """
        queries = text_lines(query)
        if len(queries) != 1:
            raise ValueError(
                f"Type a query of one line. Received: {len(queries)} lines"
            )
        found = {}
        for name, encoder in self._encoders.items():
            embeddings = self._embeddings[name]
            count = min(count, len(embeddings))
            rows, scores = nearest(encoder.encode(queries), embeddings, count)
            found[name] = pd.DataFrame(
                {
                    "rank": range(1, count + 1),
                    "title": [self.titles.texts[row] for row in rows[0]],
                    "score": scores[0],
                }
            )
        return found


def _label(number: int, text: str) -> str:
    families = FontProperties().get_family()
    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in families]
    if any(not any(font.get_char_index(ord(c)) for font in fonts) for c in text):
        return f"text {number}"
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"


def as_html(table: pd.DataFrame, caption: str) -> str:
    """A table as HTML, its texts escaped, its numbers with three decimals.

    Args:
        table: the column "change", where there is one, is written with its sign.
        caption: stands above it.
    """
    rows = table.to_html(
        index=False,
        border=0,
        float_format="{:.3f}".format,
        formatters={"change": "{:+.3f}".format},
    )
    return f"<b>{html.escape(caption)}</b>{rows}"
