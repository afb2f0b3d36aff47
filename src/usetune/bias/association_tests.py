"""Tests of association: do the terms of one list lie nearer to an attribute?

WEAT: Caliskan, Bryson and Narayanan, "Semantics derived automatically from language
corpora contain human-like biases" (Science 356, 2017), and its supplement. SEAT: May
et al., "On Measuring Social Biases in Sentence Encoders" (2019, arXiv:1903.10561),
the same test on sentences that are made by filling templates.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from usetune._utils.checks import check_at_least
from usetune.bias.terms import TERM_ALONE, embed_terms
from usetune.protocols import TextEncoder
from usetune.similarity import unit_length

# Cosines of float32 embeddings that differ by less are equal but for rounding.
_SMALLEST_DEVIATION = 1e-7
# Sums in float64 that differ by less are ties.
_TIE = 1e-12
# Partitions summed at a time: bounds the memory.
_CHUNK = 20_000


@dataclass(frozen=True)
class WEATResult:
    """What `weat` found.

    Attributes:
        effect_size: difference of the mean associations of the two target lists, in
            standard deviations of all of them; in [-2, 2].
        p_value: one-sided: the share of partitions of the targets whose statistic is
            at least as large, in (0, 1].
        statistic: sum of the associations of the first targets minus the sum of the
            second ones'.
        n: terms in each target list.
        sentences: for each term; 1 without templates.
        partitions: how many ``p_value`` rests on, without the observed one where they
            were drawn.
        exact: whether these were all partitions; otherwise they were drawn.
    """

    effect_size: float
    p_value: float
    statistic: float
    n: int
    sentences: int
    partitions: int
    exact: bool


def weat(
    encoder: TextEncoder,
    targets_x: Sequence[str],
    targets_y: Sequence[str],
    attributes_a: Sequence[str],
    attributes_b: Sequence[str],
    templates: Sequence[str] = TERM_ALONE,
    samples: int = 100_000,
    seed: int = 0,
) -> WEATResult:
    """Test whether X lies nearer to A than Y does: WEAT, with templates SEAT.

    NOTE: where May et al. permute sentences, here a term moves with all its sentences.
    Sentences that differ in one word are no independent observations; to permute
    them makes p-values far too small. The effect size is not touched by this.

    The effect size has no scale: associations that are all close to 0 can differ by
    a large one. Look at ``statistic`` too, above all where a direction was removed.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        targets_x: terms, such as job titles; at least two.
        targets_y: as many other terms, since the test compares equal halves.
        attributes_a: terms, such as female ones; any number.
        attributes_b: other terms, such as male ones; any number.
        templates: sentences with one ``{}`` each, filled with every term. Default:
            the terms alone.
        samples: maximum number of partitions. Where there are no more (with the
            default, up to 9 terms), all are tried; otherwise this many are drawn.
        seed: seed of the draw.

    Raises:
        TypeError: if a list is a single string or holds something else than ``str``.
        ValueError: naming the argument, if a list is empty, the targets differ in
            number, a term is there twice in one list or in two, a template has not
            one ``{}``, or see `weat_of_embeddings`.
    """
    lists = {
        "targets_x": targets_x,
        "targets_y": targets_y,
        "attributes_a": attributes_a,
        "attributes_b": attributes_b,
    }
    x, y, a, b = embed_terms(encoder, lists, templates)
    return weat_of_embeddings(x, y, a, b, samples=samples, seed=seed)


def weat_of_embeddings(
    x: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    samples: int = 100_000,
    seed: int = 0,
) -> WEATResult:
    """WEAT on embeddings.

    NOTE: the paper leaves open which standard deviation divides the effect size. Here
    it is that of the population, as in WEFE; May et al. divide by n - 1, which makes
    |d| smaller, by 3 % at 8 terms a list. And ties count: the paper's p-value, with
    a strict inequality, can be 0.

    Args:
        x: float array (terms, dim), or (terms, sentences, dim); of any length.
        y: of the same shape.
        a: float array (..., dim).
        b: float array (..., dim).
        samples: see `weat`.
        seed: see `weat`.

    Raises:
        ValueError: if the shapes do not fit, an embedding is zero or not finite, or
            all targets have the same association, so that nothing can be compared.
    """
    check_at_least("samples", samples)
    x, y, a, b = (np.asarray(rows) for rows in (x, y, a, b))
    if x.shape != y.shape or x.ndim not in (2, 3) or len(x) < 2:
        raise ValueError(
            "x and y must be of one shape, with at least two terms each. "
            f"Received: {x.shape} and {y.shape}"
        )
    targets = associations(np.concatenate([x, y]), a, b).reshape(2 * len(x), -1)
    deviation = targets.std()
    if deviation < _SMALLEST_DEVIATION:
        raise ValueError(
            "all targets have the same association, so there is no effect size; does "
            f"the encoder tell texts apart? Received: deviation {deviation:.1e}"
        )
    difference = targets[: len(x)].mean() - targets[len(x) :].mean()
    sums = targets.sum(axis=1)
    p_value, partitions, exact = _p_value(sums, samples, seed)
    return WEATResult(
        effect_size=float(difference / deviation),
        p_value=p_value,
        statistic=float(sums[: len(x)].sum() - sums[len(x) :].sum()),
        n=len(x),
        sentences=targets.shape[1],
        partitions=partitions,
        exact=exact,
    )


def associations(words: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean cosine with A minus mean cosine with B, WEAT's s(w, A, B).

    Args:
        words: float array (..., dim), of any length.
        a: float array (..., dim).
        b: float array (..., dim).

    Returns:
        float64 array (...) in [-2, 2].

    Raises:
        ValueError: if there is none of ``a`` or ``b``, ``dim`` differs, or an
            embedding is zero or not finite.
    """
    words, a, b = (np.asarray(rows, np.float64) for rows in (words, a, b))
    if not a.size or not b.size or len({rows.shape[-1] for rows in (words, a, b)}) > 1:
        raise ValueError(
            "attributes must be at least one, of the dim of the words. "
            f"Received: words {words.shape}, attributes {a.shape} and {b.shape}"
        )
    for rows in (words, a, b):
        if not (np.isfinite(rows).all() and rows.any(axis=-1).all()):
            raise ValueError("embeddings must be finite and not zero")
    # The mean of cosines is the cosine's product with the mean of unit vectors.
    mean_a, mean_b = (
        unit_length(rows).reshape(-1, rows.shape[-1]).mean(axis=0) for rows in (a, b)
    )
    return unit_length(words) @ (mean_a - mean_b)


def _p_value(sums: np.ndarray, samples: int, seed: int) -> tuple[float, int, bool]:
    """The p-value, the number of partitions, and whether these were all.

    Args:
        sums: association of each target, the first half the one that is tested.
        samples: see `weat`.
        seed: see `weat`.
    """
    half = len(sums) // 2
    exact = math.comb(len(sums), half) <= samples
    partitions = (
        _all_partitions(half) if exact else _drawn_partitions(half, samples, seed)
    )
    # The statistic is twice the sum of the first half minus what is the same for all.
    least = sums[:half].sum() - _TIE
    hits = count = 0
    for rows in partitions:
        hits += int(np.count_nonzero(sums[rows].sum(axis=1) >= least))
        count += len(rows)
    # The observed partition counts as one of those drawn, so p is never 0.
    observed = 0 if exact else 1
    return (hits + observed) / (count + observed), count, exact


def _all_partitions(half: int) -> Iterator[np.ndarray]:
    rows = itertools.combinations(range(2 * half), half)
    while chunk := list(itertools.islice(rows, _CHUNK)):
        yield np.array(chunk)


def _drawn_partitions(half: int, samples: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for start in range(0, samples, _CHUNK):
        keys = generator.random((min(_CHUNK, samples - start), 2 * half))
        yield keys.argpartition(half, axis=1)[:, :half]
