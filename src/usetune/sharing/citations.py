"""Papers behind the encoders and losses, as BibTeX."""

from collections.abc import Iterable

import usetune.losses as losses
from usetune.losses.papers import bibtex_of

_ENCODERS = {
    "UniversalSentenceEncoder": ["yang2019multilingual"],
    "TransformerEncoder": ["devlin2019bert", "reimers2019sentence"],
}


def bibtex(classes: Iterable[str]) -> str:
    """BibTeX of the papers behind encoders and losses, each once.

    Args:
        classes: names of encoder and loss classes; an unknown name adds nothing.

    Returns:
        Entries separated by an empty line; "" if there are none.
    """
    entries: list[str] = []
    for name in classes:
        entries += map(bibtex_of, _ENCODERS.get(name, []))
        entries.append(getattr(getattr(losses, name, None), "citation", ""))
    return "\n\n".join(filter(None, dict.fromkeys(entries)))
