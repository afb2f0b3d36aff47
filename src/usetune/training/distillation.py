"""A static student of any encoder, fitted to the embeddings of unlabelled texts.

The table starts from the teacher's embedding of each token alone, cut to its principal
components and weighted by frequency, as in model2vec (van Dongen and Tulkens, 2024,
github.com/MinishLab/model2vec; the weights are those of Arora et al., "A Simple but
Tough-to-Beat Baseline for Sentence Embeddings", 2017, section 3). Then ridge regression
moves it so that sums of tokens point where the teacher's embeddings of texts do. It is
a system of linear equations, so nothing depends on a seed or a learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from scipy import sparse

from usetune._utils.checks import check_between
from usetune._utils.text import utf8
from usetune.encoders import Encoder, StaticEncoder, principal_axes
from usetune.encoders.use import weights
from usetune.similarity import unit_length

# Arora et al.'s a: a token with this share of all tokens weighs one half.
_HALF_WEIGHT = 2e-4
# SentencePiece's token for characters that it lacks.
_UNKNOWN = 0
# What a component's change costs, in squared errors of texts.
_RIDGE = 0.1
# Of conjugate gradients.
_STEPS = 20


def distil(encoder: Encoder, texts: Sequence[str], dim: int = 256) -> StaticEncoder:
    """Make a static encoder whose embeddings are like those of another, the teacher.

    The embeddings of ``texts`` become like the teacher's, turned to their principal
    axes. Tokens that the texts lack keep the teacher's embedding of the token alone.
    `docs/guides/static.md` says what it costs. `usetune.fine_tune` tunes it further.

    Args:
        encoder: the teacher, of any kind; a tuned one for a domain.
        texts: unlabelled, of the domain, and of whatever else it shall embed well, at
            least ``dim`` different ones: some thousands. Without those that are
            measured on later.
        dim: components of an embedding, at most the teacher's.

    Returns:
        The student; its tokens are those of the Universal Sentence Encoder.

    Raises:
        ImportError: if the wheel of that encoder is not installed.
        TypeError: see `Encoder.encode`.
        ValueError: if ``dim`` is out of its range, or there are too few texts.
    """
    check_between("dim", dim, 1, encoder.dim)
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < dim:
        raise ValueError(
            f"texts must hold at least {dim} different ones, as many as the student's "
            f"dimensions. Received: {len(distinct)}"
        )
    embeddings = encoder.encode(distinct)
    axes = principal_axes(embeddings)[:, :dim].astype(np.float32)
    student = StaticEncoder(weights.sentencepiece(), dim=dim)
    counts = _token_counts(student, distinct)
    alone = encoder.encode(_token_texts(student)) @ axes
    frequency = counts.sum(axis=0)
    frequency /= max(frequency.sum(), 1)
    table = alone * (_HALF_WEIGHT / (_HALF_WEIGHT + frequency))[:, None]
    # What its texts say of an unknown character, others cannot mean.
    table[_UNKNOWN] = 0
    met = np.flatnonzero(frequency)
    # The vector that every text has comes last.
    ones = sparse.csr_array(np.ones((len(distinct), 1), np.float32))
    features = sparse.hstack([counts[:, met], ones], "csr")
    prior = np.vstack([table[met], np.zeros((1, dim), np.float32)])
    fitted = _fit(features, unit_length(embeddings @ axes), prior)
    table[met] = fitted[:-1]
    student.embedding.assign(np.arange(len(table)), table)
    student.start.vector.assign(fitted[-1])
    return student


def _token_texts(student: StaticEncoder) -> list[str]:
    """What each token reads as, by its id."""
    pieces = student.tokenizer.id_to_string(tf.range(student.tokenizer.vocab_size()))
    return [piece.decode().replace("▁", " ").strip() for piece in pieces.numpy()]


def _token_counts(student: StaticEncoder, texts: list[str]) -> sparse.csr_array:
    """How often each text has each token: float32 (texts, tokens)."""
    tokens = student._tokenize(tf.constant(utf8(texts)))
    ids, splits = tokens.values.numpy(), tokens.row_splits.numpy()
    shape = len(texts), int(student.tokenizer.vocab_size())
    return sparse.csr_array((np.ones(len(ids), np.float32), ids, splits), shape)


def _fit(
    features: sparse.csr_array, targets: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Vectors (tokens, dim) near ``prior`` whose sums point where the targets do.

    Args:
        features: float32, how often each text has each token, (texts, tokens).
        targets: float32 (texts, dim), of unit length.
        prior: float32 (tokens, dim).
    """
    # A sum of n tokens strays by the square root of n.
    features = sparse.diags_array(features.sum(axis=1) ** -0.5) @ features
    start = features @ prior
    # Only directions count: the targets are as long as the sums are anyway.
    length = np.linalg.norm(start, axis=1).mean()
    return prior + _ridge(features, length * targets - start)


def _ridge(features: sparse.csr_array, targets: np.ndarray) -> np.ndarray:
    """Least squares with a penalty, by conjugate gradients, a component each.

    Hestenes and Stiefel (1952), preconditioned by the diagonal.
    """
    transposed = features.T.tocsr()
    scale = 1 / (transposed.multiply(transposed).sum(axis=1)[:, None] + _RIDGE)
    residual = transposed @ targets
    solution = np.zeros_like(residual)
    conditioned = direction = scale * residual
    size = np.sum(residual * conditioned, axis=0)
    for _ in range(_STEPS):
        image = transposed @ (features @ direction) + _RIDGE * direction
        # A component that is solved has no direction any more.
        step = size / np.maximum(np.sum(direction * image, axis=0), 1e-30)
        solution += step * direction
        residual -= step * image
        conditioned = scale * residual
        before, size = size, np.sum(residual * conditioned, axis=0)
        direction = conditioned + size / np.maximum(before, 1e-30) * direction
    return solution
