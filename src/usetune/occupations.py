"""ESCO occupations → training pairs, by the scheme behind the article's file.

The article's similarities are the angular similarities of cosine 1 (a label and its
own description), 0.7 (a label and an alternative label, of any language) and 0 (texts
of unrelated occupations).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from usetune.similarity import angular_similarity
from usetune.tables import read_table

COSINE_DESCRIPTION = 1.0
COSINE_ALTERNATIVE = 0.7
COSINE_UNRELATED = 0.0

_COLUMNS = ["conceptUri", "iscoGroup", "preferredLabel", "altLabels", "description"]
# Occupations whose ISCO codes agree in so many digits are not called unrelated.
_RELATED_DIGITS = 2


def read_occupations(path: str | Path) -> pd.DataFrame:
    """Read a CSV file with ESCO's columns.

    Args:
        path: UTF-8 CSV with conceptUri, iscoGroup (ISCO-08 code), preferredLabel,
            altLabels (one a line), description, and perhaps language (one row per
            occupation and language; "en" where the column is missing).

    Returns:
        DataFrame of these columns and language, one row per row of the file; all
        ``str`` but altLabels, which is a list of ``str``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, and the column or rows (counted from 1, without
            the header) at fault: no content, not UTF-8, not CSV, a column missing, a
            cell empty, an ISCO code that is not digits, an occupation twice in a
            language.
    """
    table = read_table(path, _COLUMNS)
    if "language" not in table:
        table["language"] = "en"
    occupations = table[[*_COLUMNS, "language"]].copy()
    for column in ("conceptUri", "preferredLabel", "description", "language"):
        _refuse(path, column, table[column].str.strip() == "", "is empty")
    codes = table["iscoGroup"].str.fullmatch(r"\d{1,4}")
    _refuse(path, "iscoGroup", ~codes, "is not an ISCO code of 1 to 4 digits")
    twice = table.duplicated(["conceptUri", "language"])
    _refuse(path, "conceptUri", twice, "repeats an occupation in the same language")
    occupations["altLabels"] = [
        [label.strip() for label in labels.splitlines() if label.strip()]
        for labels in table["altLabels"]
    ]
    return occupations


def _refuse(path: str | Path, column: str, wrong: pd.Series, what: str) -> None:
    if wrong.any():
        rows = [int(row) + 1 for row in np.flatnonzero(wrong)]
        more = " …" if len(rows) > 5 else ""
        raise ValueError(f"{path}, column {column}: {what} in rows {rows[:5]}{more}")


def scored_pairs(
    occupations: pd.DataFrame,
    anchors: list[str] | None = None,
    unrelated: int = 2,
    seed: int = 0,
) -> pd.DataFrame:
    """Make training pairs by the article's scheme.

    Each anchor, an English preferred label, is paired with its own descriptions
    (cosine 1), with its alternative labels and its labels in other languages (0.7),
    and with texts drawn from occupations of other ISCO sub-major groups (0).

    Args:
        occupations: as `read_occupations` returns.
        anchors: English preferred labels. Default: all of them.
        unrelated: unrelated pairs for each related one.
        seed: of the draw and of the order of the rows.

    Returns:
        DataFrame base, ref (str), similarity (float64: 1, 0.7468… or 0.5) in random
        order; no pair twice.

    Raises:
        ValueError: if an anchor is no English preferred label, or too few unrelated
            texts exist.
    """
    english = occupations[occupations["language"] == "en"].set_index("preferredLabel")
    if anchors is None:
        anchors = list(english.index)
    unknown = [anchor for anchor in anchors if anchor not in english.index]
    if unknown:
        raise ValueError(f"anchors that are no English preferred label: {unknown}")
    generator = np.random.default_rng(seed)
    texts = _texts(occupations)
    pairs = []
    for anchor in anchors:
        uri, code = english.loc[anchor, ["conceptUri", "iscoGroup"]]
        own = texts[(texts["conceptUri"] == uri) & (texts["text"] != anchor)]
        own = own.drop_duplicates("text")
        others = texts.loc[texts["group"] != code[:_RELATED_DIGITS], "text"].unique()
        others = np.setdiff1d(others, [anchor, *own["text"]])
        count = unrelated * len(own)
        if count > len(others):
            raise ValueError(
                f"{anchor!r} needs {count} unrelated texts, and {len(others)} exist"
            )
        drawn = generator.choice(others, count, replace=False)
        refs = [*own["text"], *drawn]
        cosines = [*own["cosine"], *[COSINE_UNRELATED] * count]
        pairs.append(pd.DataFrame({"base": anchor, "ref": refs, "cosine": cosines}))
    table = pd.concat(pairs, ignore_index=True)
    table["similarity"] = np.asarray(angular_similarity(table["cosine"].to_numpy()))
    order = generator.permutation(len(table))
    return table.loc[order, ["base", "ref", "similarity"]].reset_index(drop=True)


def _texts(occupations: pd.DataFrame) -> pd.DataFrame:
    """Every text with its occupation, its ISCO group and its cosine to the anchor."""
    labels = occupations.assign(
        text=[
            [preferred, *alternatives]
            for preferred, alternatives in zip(
                occupations["preferredLabel"], occupations["altLabels"], strict=True
            )
        ],
        cosine=COSINE_ALTERNATIVE,
    ).explode("text")
    descriptions = occupations.assign(
        text=occupations["description"], cosine=COSINE_DESCRIPTION
    )
    texts = pd.concat([descriptions, labels], ignore_index=True)
    texts["group"] = texts["iscoGroup"].str[:_RELATED_DIGITS]
    return texts[["conceptUri", "group", "text", "cosine"]]
