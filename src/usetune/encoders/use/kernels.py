"""What `encode` computes between its matrix products, compiled for the processor.

TensorFlow writes what each of some twenty small operations gives into memory and reads
it again, which takes longer than the products between them. Here what belongs to a
token stays in the cache until its text has it. Threads may call these functions at
once: they do not hold Python's lock.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import overload

from usetune.encoders.use.compiled import compiled
from usetune.encoders.use.layers import LAYER_NORM_EPSILON

_EPSILON = np.float32(LAYER_NORM_EPSILON)
_ZERO = np.float32(0)
# Tokens of a text whose channels are held in the cache.
_BLOCK = 16


class Convolution(NamedTuple):
    """One convolution of the tokens of some texts, to be looked up.

    Attributes:
        rows: of the tables, for each token, int32 (tokens,).
        left: tokens of an n-gram that lie left of its centre.
        own: what it adds to, float32 (rows, channels).
        products: see `NgramTables`, (order, rows, channels), float32; or the bits of
            bfloat16, uint16.
        bias: float32 (channels,).
    """

    rows: np.ndarray
    left: int
    own: np.ndarray
    products: np.ndarray
    bias: np.ndarray


def _float32(number: Any) -> Any:
    """A float32 as it is, or of the bits of a bfloat16."""
    raise NotImplementedError  # compiled code only


@overload(_float32, inline="always", strict=False)
def _float32_compiled(number: Any) -> Callable:
    if isinstance(number, types.Float):
        return lambda number: number
    return lambda number: np.uint32(np.uint32(number) << np.uint32(16)).view(np.float32)


@compiled
def _convolve(
    convolution: Convolution,
    text: tuple[int, int],
    first: int,
    last: int,
    sums: np.ndarray,
    out: np.ndarray,
    at: int,
) -> None:
    """The tokens first to last of a text → rows of ``out`` (rows, channels).

    Args:
        convolution: of all tokens.
        text: where it starts and ends.
        first: token.
        last: token, behind the last one.
        sums: to work in, (channels,).
        out: written to.
        at: row of the first token.
    """
    # No views of rows: each would count references, which threads wait for.
    rows, left, own, products, bias = convolution
    for token in range(first, last):
        for channel in range(sums.size):
            sums[channel] = bias[channel]
        for position in range(products.shape[0]):
            neighbour = token + position - left
            if text[0] <= neighbour < text[1]:
                row = rows[neighbour]
                for channel in range(sums.size):
                    sums[channel] += _float32(products[position, row, channel])
        row = rows[token]
        for channel in range(sums.size):
            added = max(sums[channel], _ZERO)
            out[at + token - first, channel] = own[row, channel] + added


@compiled
def _equal(rows: np.ndarray, one: int, other: int) -> bool:
    for column in range(rows.shape[1]):
        if rows[one, column] != rows[other, column]:
            return False
    return True


@compiled
def distinct_ngrams(
    convolution: Convolution, splits: np.ndarray, out: np.ndarray
) -> tuple[np.ndarray, int]:
    """A convolution once for each distinct n-gram of some texts.

    Args:
        convolution: of these texts' tokens.
        splits: where each text starts, and the last one ends, int64 (texts + 1,).
        out: written to, what the convolution gives for each, float32
            (tokens or more, channels).

    Returns:
        The number of each token's n-gram, int32 (tokens,); how many there are.
    """
    rows, left, _, products, bias = convolution
    order, count = products.shape[0], 0
    number = np.empty(rows.size, np.int32)
    found = np.empty((rows.size + 1, order), np.int32)
    sums = np.empty(bias.size, np.float32)
    # An open hash table, at most half full.
    slots = 2
    while slots < 2 * rows.size:
        slots *= 2
    table = np.full(slots, -1, np.int32)
    for text in range(splits.size - 1):
        start, stop = splits[text], splits[text + 1]
        for token in range(start, stop):
            # Fibonacci hashing (Knuth, volume 3, 6.4): 2**64 over the golden ratio.
            hashed = np.uint64(0)
            for position in range(order):
                neighbour = token + position - left
                is_inside = start <= neighbour < stop
                row = rows[neighbour] if is_inside else np.int32(-1)
                found[count, position] = row
                hashed = (hashed ^ np.uint64(row + 1)) * np.uint64(0x9E3779B97F4A7C15)
                hashed ^= hashed >> np.uint64(32)
            slot = np.int64(hashed & np.uint64(slots - 1))
            while table[slot] >= 0 and not _equal(found, table[slot], count):
                slot = (slot + 1) & (slots - 1)
            if table[slot] < 0:
                table[slot] = count
                text_ends = (start, stop)
                _convolve(convolution, text_ends, token, token + 1, sums, out, count)
                count += 1
            number[token] = table[slot]
    return number, count


@compiled
def sum_normalized(
    index: np.ndarray,
    splits: np.ndarray,
    embedded: np.ndarray,
    moments: np.ndarray,
    convolutions: tuple[Convolution, ...],
    gamma: np.ndarray,
    beta: np.ndarray,
    out: np.ndarray,
) -> None:
    """Features of the tokens, normalised and summed over each text: `NormalizedSum`.

    Args:
        index: row of ``embedded`` for each token, int32 (tokens,).
        splits: where each text starts, and the last one ends, int64 (texts + 1,).
        embedded: embeddings of the distinct tokens, float32 (rows, dim).
        moments: of these, see `NormalizedSum.moments`, float32 (rows, 2).
        convolutions: what gives the features beside the embedding.
        gamma: of the normalization, float32 (features,).
        beta: of the normalization, float32 (features,).
        out: written to, float32 (texts, features).
    """
    dim = embedded.shape[1]
    features = np.float32(out.shape[1])
    width = convolutions[0].bias.size
    channels = np.empty((len(convolutions) * _BLOCK, width), np.float32)
    sums = np.empty(width, np.float32)
    total = np.empty(out.shape[1], np.float32)
    for text in range(splits.size - 1):
        start, stop = splits[text], splits[text + 1]
        total[:] = 0
        shift = _ZERO
        for first in range(start, stop, _BLOCK):
            last = min(first + _BLOCK, stop)
            for number, convolution in enumerate(convolutions):
                at = number * _BLOCK
                _convolve(convolution, (start, stop), first, last, sums, channels, at)
            for token in range(last - first):
                row = index[first + token]
                average, square = moments[row, 0], moments[row, 1]
                for number in range(len(convolutions)):
                    for channel in range(width):
                        value = channels[number * _BLOCK + token, channel]
                        average += value
                        square += value * value
                average /= features
                variance = max(square / features - average * average, _ZERO)
                scale = np.float32(1) / np.sqrt(variance + _EPSILON)
                shift += average * scale
                for feature in range(dim):
                    total[feature] += scale * embedded[row, feature]
                for number in range(len(convolutions)):
                    row, part = number * _BLOCK + token, dim + number * width
                    for channel in range(width):
                        total[part + channel] += scale * channels[row, channel]
        length = np.float32(stop - start)
        for feature in range(total.size):
            value = gamma[feature] * (total[feature] - shift)
            out[text, feature] = value + length * beta[feature]
