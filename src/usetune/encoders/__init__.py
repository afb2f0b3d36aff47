"""Sentence encoders: what they promise, where they come from, how they are stored.

.. code-block:: python

    from usetune.encoders import load_encoder, principal_rotation
    encoder = load_encoder()
    small = principal_rotation(encoder, texts).truncate(128)
"""

from usetune.encoders.base import Encoder, ProjectedEncoder
from usetune.encoders.bert.model import TransformerEncoder
from usetune.encoders.loading import load_encoder
from usetune.encoders.projections import (
    principal_axes,
    principal_rotation,
    remove_direction,
)
from usetune.encoders.saved_model import SavedModelEncoder
from usetune.encoders.static import StaticEncoder
from usetune.encoders.use.model import UniversalSentenceEncoder

__all__ = [
    "Encoder",
    "ProjectedEncoder",
    "load_encoder",
    "principal_axes",
    "principal_rotation",
    "remove_direction",
    "SavedModelEncoder",
    "StaticEncoder",
    "UniversalSentenceEncoder",
    "TransformerEncoder",
]
