"""A corpus larger than one machine: embedded part by part, read, and searched.

.. code-block:: python

    from usetune.corpus import EmbeddedCorpus, embed_corpus
    embed_corpus(encoder, "titles/", "embedded", "title", workers=2)
    corpus = EmbeddedCorpus("embedded", encoder)
"""

from usetune.corpus.embed import CorpusCounts, embed_corpus
from usetune.corpus.embedded import EmbeddedCorpus
from usetune.corpus.index import build_index, load_index, recall_table

__all__ = [
    "CorpusCounts",
    "embed_corpus",
    "EmbeddedCorpus",
    "build_index",
    "load_index",
    "recall_table",
]
