"""Search for the nearest embeddings, paraphrases and groups; embeddings made small.

.. code-block:: python

    from usetune.search import nearest
    rows, cosines = nearest(encoder.encode(queries), encoder.encode(corpus), 10)
    best = [corpus[row] for row in rows[0]]
"""

from usetune.search.binary import nearest_binary
from usetune.search.exact import nearest
from usetune.search.quantization import QuantizedCorpus, Quantizer
from usetune.search.semantic import (
    community_detection,
    paraphrase_mining,
    semantic_search,
)

__all__ = [
    "nearest",
    "nearest_binary",
    "Quantizer",
    "QuantizedCorpus",
    "semantic_search",
    "paraphrase_mining",
    "community_detection",
]
