"""What is asked of an encoder and of an evaluator, wherever one is taken."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np


class TextEncoder(Protocol):
    """Anything that embeds texts; `usetune.Encoder` is one."""

    def encode(self, texts: list[str]) -> np.ndarray:
        """Texts (n,) → float array (n, dim)."""


class Evaluator(Protocol):
    """What `fine_tune` measures after each epoch.

    Attributes:
        texts: every text that measuring encodes.
    """

    texts: Sequence[str]

    def __call__(self, encoder: TextEncoder) -> Mapping[str, float]:
        """Metrics of an encoder by their names; more is better."""
        ...
