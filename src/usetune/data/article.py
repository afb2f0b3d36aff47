"""The article's own pairs, pinned by their SHA-256."""

import warnings

import pandas as pd

from usetune.data import sources
from usetune.data.pairs import load_pairs

_ARTICLE_URL = (
    "https://raw.githubusercontent.com/kapadias/medium-articles/"
    "749c93d1e6373c7911d3076fa8bcc38997cef884/natural-language-processing/"
    "embedding-models/data/training_data.csv"
)
_ARTICLE_SHA256 = "02af88edd787c2b9a360e8de2c9778d0af1e4c50fc41ba035a9da2656f13f935"


def load_article_pairs() -> pd.DataFrame:
    """Read the article's own 98 pairs, or what stands in for them.

    They come from the folder that ``USETUNE_DATA`` names, the user's cache or a
    download, their SHA-256 checked. Where none of them can be had, the pairs that this
    project ships are read, with a warning.

    Returns:
        As `load_pairs`; ``attrs["source"]`` says which they are.

    Raises:
        ValueError: if the file has another SHA-256.
    """
    path = sources.find("article/training_data.csv", _ARTICLE_URL, _ARTICLE_SHA256)
    if path is not None:
        pairs = load_pairs(path)
        pairs.attrs["source"] = "the article's own pairs"
    else:
        pairs = load_pairs(sources.shipped("training_data.csv"))
        pairs.attrs["source"] = "pairs shipped with usetune, NOT the article's"
        warnings.warn(
            f"the article's pairs cannot be had; using the {pairs.attrs['source']}",
            stacklevel=2,
        )
    return pairs
