"""Bias of embeddings: tests, gender of titles, and a direction taken out.

.. code-block:: python

    from usetune.bias import load_bias_terms, weat
    terms = load_bias_terms()["lists"]
    names = ("science", "arts", "male", "female")
    print(weat(encoder, *(terms[name] for name in names)))
"""

from usetune.bias.association_tests import WEATResult, weat
from usetune.bias.direction import bias_direction, probe_accuracy
from usetune.bias.gender import (
    association_summary,
    compare_associations,
    gender_association,
)
from usetune.bias.terms import load_bias_terms

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
