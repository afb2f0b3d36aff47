"""Bias of embeddings: tests, gender of titles, and a direction taken out.

.. code-block:: python

    from usetune.bias import load_bias_terms, weat
    terms = load_bias_terms()["lists"]
    names = ("science", "arts", "male", "female")
    print(weat(encoder, *(terms[name] for name in names)))
"""

from usetune.bias.associations import (
    association_summary,
    compare_associations,
    gender_association,
)
from usetune.bias.direction import bias_direction, probe_accuracy
from usetune.bias.terms import load_bias_terms
from usetune.bias.weat import WEATResult, weat

__all__ = [
    "WEATResult",
    "weat",
    "load_bias_terms",
    "association_summary",
    "compare_associations",
    "gender_association",
    "bias_direction",
    "probe_accuracy",
]
