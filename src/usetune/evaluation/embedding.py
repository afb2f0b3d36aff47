"""Texts to measure with, and their embeddings, both checked."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from usetune.protocols import TextEncoder


def distinct(corpus: Sequence[str], least: int = 1) -> pd.Index:
    """The texts of a corpus, which find their rows in it.

    Raises:
        ValueError: if there are fewer than ``least``, or one is there twice.
    """
    rows = pd.Index(corpus)
    if not rows.is_unique or len(rows) < least:
        raise ValueError(
            f"corpus must hold at least {least} texts, each once. Received: "
            f"{len(rows)}, twice {rows[rows.duplicated()].tolist()[:5]}"
        )
    return rows


def embed(encoder: TextEncoder, texts: Sequence[str]) -> np.ndarray:
    """Embed texts, and refuse what cannot be measured.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        texts: what is embedded.

    Returns:
        Float array (n, dim).

    Raises:
        ValueError: if an embedding is not finite, as after a training that diverged, or
            there is not one for each text.
    """
    embeddings = np.asarray(encoder.encode(list(texts)))
    if embeddings.ndim != 2 or len(embeddings) != len(texts):
        raise ValueError(
            f"encoder must give an array ({len(texts)}, dim) for so many texts. "
            f"Received: shape {embeddings.shape}"
        )
    faulty = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if faulty.size:
        raise ValueError(
            "encoder must give finite embeddings. Received: others in "
            f"{faulty.size} of {len(texts)} rows, the first for "
            f"{texts[faulty[0]]!r:.80}"
        )
    return embeddings
