"""ESCO occupations: reading the download, and its labels."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from usetune._utils.paths import expand
from usetune._utils.warn import warn
from usetune.data import sources
from usetune.data.columns import refuse_cells
from usetune.data.counts import with_counts
from usetune.data.formats import are_texts
from usetune.data.tables import read_table
from usetune.data.text_files import split_lines

_COLUMNS = ["conceptUri", "iscoGroup", "preferredLabel", "altLabels", "description"]
# What the columns are called in the file that can be downloaded without e-mail.
_PUBLISHED = "esco/tabiya_occupations.csv"
_PUBLISHED_COLUMNS = {
    "ORIGINURI": "conceptUri",
    "ISCOGROUPCODE": "iscoGroup",
    "PREFERREDLABEL": "preferredLabel",
    "ALTLABELS": "altLabels",
    "DESCRIPTION": "description",
}


def load_occupations(*paths: str | Path) -> pd.DataFrame:
    """Read ESCO's occupations from one file, or from one for each language.

    Without a path they come from ``esco/occupations_*.csv`` in the folder that
    ``USETUNE_DATA`` names, where ESCO's own download belongs, which ESCO sends by
    e-mail. If there is none, they are ESCO 1.1.1 in English as tabiya-open-dataset
    publishes it: from ``esco/tabiya_occupations.csv`` in that folder, the user's cache
    or a download, its SHA-256 checked. If it cannot be had, the occupations that this
    project ships are read, with a warning.

    Args:
        *paths: UTF-8 CSV files with conceptUri, iscoGroup (ISCO-08 code),
            preferredLabel, altLabels (one a line), description, and perhaps language.
            Without that column the language is the end of the file's name, as in
            ESCO's ``occupations_fr.csv``, or "en". In place of the first five there may
            be tabiya-open-dataset's ORIGINURI, ISCOGROUPCODE, PREFERREDLABEL, ALTLABELS
            and DESCRIPTION.

    Returns:
        DataFrame of these columns and language, one row per row of the files; all
        ``str`` except altLabels, which is a list of ``str``. `counts` has the rows, the
        occupations, and for each language the occupations that it lacks;
        ``attrs["source"]`` says which occupations they are; it begins with "ESCO" where
        they were found without a path and are ESCO's.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, and the column or lines at fault: no content, not
            UTF-8, not CSV, a column missing, a cell empty, an ISCO code that is not
            digits, an occupation twice in a language or with two ISCO codes; or if the
        file that is pinned has another SHA-256.
    """
    source = ", ".join(map(str, paths))
    if not paths:
        paths, source = _find()
    occupations = pd.concat([_read(path) for path in paths], ignore_index=True)
    names = ", ".join(map(str, paths))
    twice = occupations.duplicated(["conceptUri", "language"])
    if twice.any():
        uri, language = occupations.loc[twice, ["conceptUri", "language"]].iloc[0]
        raise ValueError(f"{names}: {uri} comes twice in language {language!r}")
    codes = occupations.groupby("conceptUri")["iscoGroup"].nunique()
    if (codes > 1).any():
        raise ValueError(f"{names}: {codes.idxmax()} has {codes.max()} ISCO codes")
    languages = occupations.groupby("language").size()
    occupations.attrs["source"] = source
    return with_counts(
        occupations,
        {
            "rows": len(occupations),
            "occupations": len(codes),
            **{f"missing in {name}": len(codes) - n for name, n in languages.items()},
        },
    )


def _find() -> tuple[tuple[Path, ...], str]:
    """The files to read where none are named, and what they are."""
    folder = os.environ.get("USETUNE_DATA")
    if folder:
        paths = tuple(sorted(expand(folder).glob("esco/occupations_*.csv")))
        if paths:
            return paths, f"ESCO, {', '.join(path.name for path in paths)}"
    try:
        return (sources.find(_PUBLISHED),), "ESCO 1.1.1, tabiya_occupations.csv"
    except FileNotFoundError as error:
        source = "occupations shipped with usetune, NOT ESCO's"
        warn(f"{error}; using the {source}")
        return (sources.shipped("occupations.csv"),), source


def _read(path: str | Path) -> pd.DataFrame:
    table = read_table(path, _COLUMNS, [*_PUBLISHED_COLUMNS])
    if not {*_COLUMNS} <= {*table}:
        table = table.rename(columns=_PUBLISHED_COLUMNS)
    if "language" not in table:
        name = re.search(r"_([a-z]{2})$", Path(path).stem)
        table["language"] = name[1] if name else "en"
    occupations = table[[*_COLUMNS, "language"]].copy()

    def refuse(column: str, wrong: ArrayLike, expected: str) -> None:
        refuse_cells(table[column], np.asarray(wrong, bool), str(path), expected)

    for column in ("conceptUri", "preferredLabel", "description", "language"):
        refuse(column, ~are_texts(table[column]), "a text")
        occupations[column] = table[column].str.strip()
    codes = table["iscoGroup"].str.fullmatch(r"\d{1,4}").eq(True)
    refuse("iscoGroup", ~codes, "an ISCO code of 1 to 4 digits")
    twice = table.duplicated(["conceptUri", "language"])
    refuse("conceptUri", twice, "an occupation once in a language")
    occupations["altLabels"] = [
        [label.strip() for label in split_lines(labels) if label.strip()]
        for labels in table["altLabels"]
    ]
    return occupations.reset_index(drop=True)


def all_labels(occupations: pd.DataFrame) -> pd.DataFrame:
    """List every label as it stands in the file, the preferred one first.

    Args:
        occupations: as `load_occupations` returns.

    Returns:
        DataFrame conceptUri, iscoGroup, language, text and preferred (bool).
    """
    columns = ["conceptUri", "iscoGroup", "language", "preferredLabel", "altLabels"]
    rows = [
        (*about, text, number == 0)
        for *about, preferred, others in occupations[columns].itertuples(index=False)
        for number, text in enumerate([preferred, *others])
    ]
    return pd.DataFrame(rows, columns=[*columns[:3], "text", "preferred"])


def occupation_labels(occupations: pd.DataFrame) -> pd.DataFrame:
    """List every label of every occupation once.

    Args:
        occupations: as `load_occupations` returns.

    Returns:
        DataFrame conceptUri, iscoGroup, language, text, preferred (bool) and shared
        (bool: other occupations have a label of the same text), no text twice in an
        occupation. `counts` has the labels read, those left out because they are
        repeated in their occupation, those kept, and the number of shared texts.
    """
    labels = all_labels(occupations)
    # Preferred labels first, so that their copies are dropped and not they.
    labels = labels.sort_values("preferred", ascending=False, kind="stable")
    kept = labels.drop_duplicates(["conceptUri", "text"]).reset_index(drop=True)
    owners = kept.groupby("text")["conceptUri"].transform("nunique")
    kept["shared"] = owners > 1
    return with_counts(
        kept,
        {
            "labels": len(labels),
            "repeated in their occupation": len(labels) - len(kept),
            "kept": len(kept),
            "texts shared by occupations": kept.loc[kept["shared"], "text"].nunique(),
        },
    )
