"""The STS benchmark's sentence pairs, in eleven languages."""

import io

import pandas as pd

from usetune._utils.checks import check_choice
from usetune._utils.warn import warn
from usetune.data import sources

_COLUMNS = ["sentence1", "sentence2", "score"]
SPLITS = ("train", "dev", "test")
LANGUAGES = ("de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "zh")


def load_sts(
    split: str = "dev", language: str = "en", parsing: str = "all"
) -> pd.DataFrame:
    """Read the STS benchmark.

    The files come from the folder that ``USETUNE_DATA`` names, the user's cache or a
    download, their SHA-256 checked. Where English is asked for and none of them can be
    had, the sample that this project ships is read instead, with a warning, and
    ``source`` says so.

    Args:
        split: "train" (5,749 pairs), "dev" (1,500) or "test" (1,379).
        language: de, en, es, fr, it, ja, nl, pl, pt, ru or zh.
        parsing: "all" keeps every row. "article" reads the rows as the article did,
            tab-separated with quote characters taken for CSV quoting, which loses the
            rows between two unbalanced quotes (60 of the 1,500 English dev rows).

    Returns:
        DataFrame with sentence1, sentence2 (str) and score (float in [0, 5]);
        ``attrs["source"]`` names the origin.

    Raises:
        ValueError: for an unknown split, language or parsing, or a wrong SHA-256.
        FileNotFoundError: if another language than English cannot be had.
    """
    check_choice("split", split, SPLITS)
    check_choice("language", language, LANGUAGES)
    check_choice("parsing", parsing, ("all", "article"))
    name = f"stsb-{language}-{split}.csv"
    try:
        path, header = sources.find(f"stsb/{name}"), None
        source = f"STS benchmark, {language} {split}"
    except FileNotFoundError as error:
        if language != "en":
            message = f"{error}; the sample shipped is English only"
            raise FileNotFoundError(message) from error
        path, header = sources.shipped("sts_sample.csv"), 0
        source = "sample shipped with usetune, NOT the STS benchmark"
        warn(f"{error}; scoring the {source}")
    pairs = pd.read_csv(path, header=header, names=_COLUMNS, keep_default_na=False)
    if parsing == "article":
        pairs, source = _parse_as_article(pairs), f"{source}, rows the article kept"
    pairs.attrs["source"] = source
    return pairs


def _parse_as_article(pairs: pd.DataFrame) -> pd.DataFrame:
    """The rows that survive pandas' default quoting of a file without quoting."""
    lines = (
        f"{row.score}\t{row.sentence1}\t{row.sentence2}\n" for row in pairs.itertuples()
    )
    kept = pd.read_table(
        io.StringIO("".join(lines)),
        names=["score", "sentence1", "sentence2"],
        on_bad_lines="skip",
        engine="python",
    )
    return kept.dropna(ignore_index=True)[_COLUMNS]
