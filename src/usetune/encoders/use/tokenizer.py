"""The SentencePiece tokenizer, in a form that outlives TensorFlow's caches."""

import hashlib
from typing import Any

import tensorflow_text as tf_text
from tensorflow_text.python.ops import sentencepiece_tokenizer as implementation

# A model of "<unk>" and "a", as SentencePiece's protocol buffer.
_SMALLEST = b"\n\t\n\x05<unk>\x18\x02\n\x03\n\x01a"
# The models that this process has used, by their SHA-256.
_MODELS: dict[str, bytes] = {}


def known_model(digest: str) -> bytes:
    """The SentencePiece model of this SHA-256 that was used before; else b""."""
    return _MODELS.get(digest, b"")


def sentencepiece_tokenizer(
    model: bytes, has_ends: bool = True
) -> tf_text.SentencepieceTokenizer:
    """Make a tokenizer.

    Args:
        model: the SentencePiece model.
        has_ends: add the tokens for the start and the end of a text.

    Returns:
        A tokenizer: string tensor (batch,) → ragged int32 tensor (batch, tokens).
    """
    _MODELS[hashlib.sha256(model).hexdigest()] = model
    # The model that it reads for itself gives way to `_SharedModel` below: the whole
    # one would take 30 MB and 0.2 seconds for nothing.
    tokenizer = tf_text.SentencepieceTokenizer(
        _SMALLEST, add_bos=has_ends, add_eos=has_ends
    )
    tokenizer._model_resource = _SharedModel(model, None)
    return tokenizer


class _SharedModel(implementation._SentencepieceModelResource):
    """A SentencePiece model that tokenizers share by its content.

    TensorFlow Text's own belongs to the kernel that made it, and goes with it when
    TensorFlow clears its caches, as `keras.utils.set_random_seed` does. A resource
    with a name stays.
    """

    def _create_resource(self) -> Any:
        name = f"usetune_sentencepiece_{hashlib.sha256(self._model).hexdigest()}"
        return implementation.gen_sentencepiece_tokenizer.sentencepiece_op(
            model=self._model, shared_name=name
        )
