"""A small static encoder with random weights."""

import numpy as np

from usetune.encoders import StaticEncoder
from usetune.encoders.use import weights


def tiny_static(texts=None, dim=8, seed=0):
    """One of every token, or of those of ``texts``."""
    encoder = StaticEncoder(weights.sentencepiece(), dim=dim)
    generator = np.random.default_rng(seed)
    for variable in encoder.variables:
        variable.assign(generator.normal(size=variable.shape))
    return encoder if texts is None else encoder.compact(texts)
