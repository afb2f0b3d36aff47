"""A long text cut into parts, of which each takes little memory."""

import re
from collections.abc import Iterator

import numpy as np
import tensorflow_text as tf_text

# Up to so many bytes, or one word, that end at a space: SentencePiece begins a token
# at each, so that it finds the same tokens in the pieces as in the whole.
_PIECE = re.compile(rb".{1,65536}(?=[ \t\n\r]|\Z)|.[^ \t\n\r]*", re.DOTALL)
# Tokens of a part.
_PART = 4096


def tokenize_long(tokenizer: tf_text.SentencepieceTokenizer, text: bytes) -> np.ndarray:
    """Token ids (tokens,), int32, of one text, with those of its start and end."""
    pieces = [
        tokenizer.tokenize([piece]).values.numpy() for piece in _PIECE.findall(text)
    ]
    return np.concatenate(
        [pieces[0][:1], *(piece[1:-1] for piece in pieces), pieces[0][-1:]]
    )


def parts(tokens: np.ndarray, context: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Cut tokens into parts that overlap.

    Args:
        tokens: (tokens,).
        context: how many tokens to either side a token sees.

    Yields:
        The tokens of a part, and from which to which they are its own; those before
        and behind are context.
    """
    for start in range(0, len(tokens), _PART):
        stop = min(start + _PART, len(tokens))
        left = max(start - context, 0)
        yield tokens[left : stop + context], start - left, stop - left
