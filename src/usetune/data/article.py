"""The article's own pairs."""

import pandas as pd

from usetune._utils.warn import warn
from usetune.data import sources
from usetune.data.pairs import load_pairs


def load_article_pairs() -> pd.DataFrame:
    """Read the article's own 98 pairs, or the pairs shipped as a stand-in.

    The file comes from the folder that ``USETUNE_DATA`` names, the user's cache or a
    download, its SHA-256 checked. If it cannot be had from any of them, the pairs that
    this project ships are read, with a warning.

    Returns:
        DataFrame as `load_pairs` returns; ``attrs["source"]`` says which pairs it has.

    Raises:
        ValueError: if the file has another SHA-256.
    """
    try:
        path = sources.find("article/training_data.csv")
        source = "the article's own pairs"
    except FileNotFoundError as error:
        path = sources.shipped("training_data.csv")
        source = "pairs shipped with usetune, NOT the article's"
        warn(f"{error}; using the {source}")
    pairs = load_pairs(path)
    pairs.attrs["source"] = source
    return pairs
