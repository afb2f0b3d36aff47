"""A direction of bias: finding it, taking it out, and what is left without it.

Bolukbasi et al., "Man is to Computer Programmer as Woman is to Homemaker? Debiasing
Word Embeddings" (2016, arXiv:1607.06520), sections 5 and 6; on sentences Liang et al.,
"Towards Debiasing Sentence Representations" (2020, arXiv:2007.08100).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from usetune.bias.terms import TERM_ALONE, embed_terms
from usetune.protocols import TextEncoder

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class BiasDirection:
    """What `bias_direction` found.

    Attributes:
        direction: float64 array (dim,) of unit length; it points from the second
            terms of the pairs to the first.
        explained_variance_ratio: of each principal component its share of the
            variance, the largest first, at most one for each pair and template; the
            first is the direction's. A few pairs of anything have a large first share:
            compare it with that of pairs that differ in nothing in particular.
    """

    direction: np.ndarray
    explained_variance_ratio: np.ndarray


def bias_direction(
    encoder: TextEncoder, pairs: Pairs, templates: Sequence[str] = TERM_ALONE
) -> BiasDirection:
    """The direction in which the terms of pairs differ most.

    The first principal component of the embeddings, each pair centred at its mean
    (Bolukbasi et al., section 5, step 1, with one component).

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        pairs: such as ("woman", "man"); no term twice.
        templates: sentences with one ``{}`` each; every pair is filled into each, as
            Liang et al. do. Default: the terms alone.

    Raises:
        TypeError: see `usetune.bias.weat`.
        ValueError: if the embeddings of all pairs are equal, a pair has not two
            terms, or see `usetune.bias.terms.embed_terms`.
    """
    first, second = _embed_pairs(encoder, pairs, templates)
    halves = (first - second).reshape(-1, first.shape[-1]) / 2
    if not np.abs(halves).max() > 0:
        raise ValueError("the two terms of a pair must differ in their embeddings")
    # Centred, a pair is its half difference and the negative of it.
    _, singular, components = np.linalg.svd(halves, full_matrices=False)
    sign = 1 if (halves @ components[0]).sum() >= 0 else -1
    return BiasDirection(sign * components[0], singular**2 / np.sum(singular**2))


def probe_accuracy(encoder: TextEncoder, pairs: Pairs) -> float:
    """How well a linear classifier tells the first terms of pairs from the second.

    Accuracy of a logistic regression on the embeddings (scikit-learn's, with its
    defaults), each pair predicted from the others. 0.5 is chance; 1 means that the
    group can be read off the embeddings.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        pairs: such as a female and a male name; no term twice, at least two pairs.
            Take OTHER ones than a direction was found with: without their mean
            difference, the rest of a pair points against the rest of the others, and
            the accuracy falls below chance.

    Returns:
        Share of the 2 · len(pairs) terms that are told right.

    Raises:
        TypeError: see `usetune.bias.weat`.
        ValueError: if there are fewer than two pairs, a pair has not two terms, or
            see `usetune.bias.terms.embed_terms`.
    """
    if len(pairs) < 2:
        raise ValueError(f"pairs must be at least two. Received: {len(pairs)}")
    first, second = _embed_pairs(encoder, pairs, TERM_ALONE)
    group = np.repeat([1, 0], len(pairs))
    predicted = cross_val_predict(
        LogisticRegression(),
        np.concatenate([first, second])[:, 0],
        group,
        groups=np.tile(np.arange(len(pairs)), 2),
        cv=LeaveOneGroupOut(),
    )
    return float(np.mean(predicted == group))


def _embed_pairs(
    encoder: TextEncoder, pairs: Pairs, templates: Sequence[str]
) -> list[np.ndarray]:
    odd = [pair for pair in pairs if isinstance(pair, str) or len(pair) != 2]
    if odd:
        raise ValueError(f"a pair must have two terms. Received: {odd[:3]}")
    lists = {
        "the first terms of pairs": [first for first, _ in pairs],
        "the second terms of pairs": [second for _, second in pairs],
    }
    return embed_terms(encoder, lists, templates)
