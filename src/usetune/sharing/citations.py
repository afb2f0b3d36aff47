"""Papers behind the encoders and losses, as BibTeX."""

from collections.abc import Iterable

import usetune.losses as losses
from usetune.losses.papers import bibtex_of

_MULTILINGUAL_USE = """\
@misc{yang2019multilingual,
  author = {Yang, Yinfei and Cer, Daniel and others},
  title = {Multilingual Universal Sentence Encoder for Semantic Retrieval},
  year = {2019},
  eprint = {1907.04307},
  archivePrefix = {arXiv},
}"""

_BERT = """\
@misc{devlin2019bert,
  author = {Devlin, Jacob and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina},
  title = {{BERT}: Pre-training of Deep Bidirectional Transformers for Language
    Understanding},
  year = {2019},
  eprint = {1810.04805},
  archivePrefix = {arXiv},
}"""

_ENCODERS = {
    "UniversalSentenceEncoder": [_MULTILINGUAL_USE],
    "TransformerEncoder": [_BERT, bibtex_of("reimers2019sentence")],
}


def bibtex(classes: Iterable[str]) -> str:
    """BibTeX of the papers behind encoders and losses, each once.

    Args:
        classes: names of encoder and loss classes; an unknown name adds nothing.

    Returns:
        Entries separated by an empty line; "" if there are none.
    """
    entries = [entry for name in classes for entry in _entries(name)]
    return "\n\n".join(dict.fromkeys(entries))


def _entries(name: str) -> list[str]:
    loss = getattr(losses, name, None)
    if isinstance(loss, type) and issubclass(loss, losses.EmbeddingLoss):
        return [loss.citation] if loss.citation else []
    return _ENCODERS.get(name, [])
