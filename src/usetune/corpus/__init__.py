"""A corpus larger than one machine: embedded part by part, read, and searched.

.. code-block:: python

    from usetune.corpus import EmbeddedCorpus, build_index, embed_corpus
    embed_corpus(encoder, "titles/", "embedded", "title", workers=2)
    index = build_index(EmbeddedCorpus("embedded", encoder), "index")
    rows, scores = index.nearest(encoder.encode(["pastry cook"]), 10)
"""

from usetune.corpus.embed import CorpusCounts, embed_corpus
from usetune.corpus.embedded import EmbeddedCorpus
from usetune.corpus.index import CorpusIndex, build_index, load_index
from usetune.corpus.recall import recall_table

__all__ = [
    "CorpusCounts",
    "embed_corpus",
    "EmbeddedCorpus",
    "CorpusIndex",
    "build_index",
    "load_index",
    "recall_table",
]
