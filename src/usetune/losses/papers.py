"""BibTeX of the papers that losses and encoders come from, kept in papers.bib."""

from importlib.resources import files

_ENTRIES = files(__package__).joinpath("papers.bib").read_text("utf-8").split("\n\n")
_BY_KEY = {entry[entry.find("{") + 1 : entry.find(",")]: entry for entry in _ENTRIES}


def bibtex_of(key: str) -> str:
    """The entry of a paper, such as "schroff2015facenet"."""
    return _BY_KEY[key].strip()
