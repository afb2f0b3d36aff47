"""Sharing an encoder: its card, and uploads to the Hugging Face Hub and Kaggle.

.. code-block:: python

    from usetune.sharing import model_card, push_to_hub
    card = model_card(result)
    push_to_hub(result.encoder, "you/model", card=card, dry_run="folder")
"""

from usetune.sharing.card import model_card
from usetune.sharing.upload import push_to_hub, push_to_kaggle

__all__ = [
    "model_card",
    "push_to_hub",
    "push_to_kaggle",
]
