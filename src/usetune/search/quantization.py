"""Embeddings in a quarter or a thirty-second of their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usetune._utils.arrays import ArraySpec, read_arrays, write_arrays
from usetune._utils.checks import check_choice
from usetune._utils.warn import warn
from usetune.similarity import unit_length

# The dtype of the codes, and the number of steps from the lowest to the highest level.
_CODES = {"int8": (np.int8, 255), "binary": (np.uint8, 1)}
_LEVELS = ArraySpec("float32", ("dim",), finite=True)
# The arrays in a quantizer's file.
_ARRAYS = {
    "precision": ArraySpec("str"),
    **dict.fromkeys(("low", "high"), _LEVELS),
    "threshold": _LEVELS._replace(optional=True),
}
# Embeddings count as of unit length within this; float16 is off by less.
_TOLERANCE = 0.01
# The share of numbers outside the calibrated range that is worth a warning.
_CLIPPED_SHARE = 0.01


class Quantizer:
    """Turns embeddings of unit length into codes of 8 or 1 bits per dimension.

    ``Quantizer("int8").fit(embeddings)`` calibrates it. Queries need not be quantised:
    `nearest` compares them with the embeddings that the codes stand for, see
    `QuantizedCorpus`.

    - "int8": 256 levels, evenly spread from the lowest to the highest number of the
      calibration, for each dimension;
    - "binary": one bit, whether a number is above the calibration's median in its
      dimension. It stands for the mean of the calibration's numbers on its side.
      Eight bits make a byte; the last byte is filled with zeros, so any dim will do.

    Args:
        precision: "int8" or "binary".

    Attributes:
        precision: as given.
        low: float32 (dim,), what the lowest code of each dimension stands for.
        high: float32 (dim,), what the highest stands for.
        threshold: float32 (dim,), only for "binary": numbers above it have the bit 1.

    Raises:
        ValueError: if ``precision`` is another.
    """

    low: np.ndarray
    high: np.ndarray
    threshold: np.ndarray

    def __init__(self, precision: str) -> None:
        check_choice("precision", precision, _CODES)
        self.precision = precision

    def fit(self, embeddings: np.ndarray) -> Quantizer:
        """Calibrate on embeddings like those that will be quantised.

        Args:
            embeddings: float array (n, dim), rows of unit length. Some thousands are
                enough: what lies outside their range is clipped. Equal rows only, or
                a single one, give a warning.

        Returns:
            This quantizer.

        Raises:
            ValueError: if the embeddings are none, not finite or not of unit length.
        """
        embeddings = _checked(embeddings)
        if not len(embeddings):
            raise ValueError(
                f"embeddings must have a row. Received: {embeddings.shape}"
            )
        if (embeddings == embeddings[0]).all():
            warn(
                f"each of the {len(embeddings)} rows to calibrate on is the same, so "
                "every code will stand for this one embedding; calibrate on some "
                "thousands of different ones"
            )
        if self.precision == "int8":
            self.low, self.high = embeddings.min(axis=0), embeddings.max(axis=0)
            return self
        self.threshold = np.asarray(np.median(embeddings, axis=0))
        above = embeddings > self.threshold
        below = np.sum(embeddings, axis=0, where=~above, dtype=np.float64)
        low = below / (~above).sum(axis=0)
        total = np.sum(embeddings, axis=0, where=above, dtype=np.float64)
        count = above.sum(axis=0)
        # Where no number is above the median, the bit 1 stands for the median.
        high = np.where(count > 0, total / count.clip(1), self.threshold)
        self.low, self.high = low.astype(np.float32), high.astype(np.float32)
        return self

    @property
    def calibration(self) -> dict[str, np.ndarray]:
        """The arrays that `fit` found: low, high and, for "binary", threshold.

        Raises:
            ValueError: if the quantizer is not calibrated yet.
        """
        names = ("low", "high", *(("threshold",) if self.precision == "binary" else ()))
        return {name: getattr(self, name) for name in names if self.dim}

    @property
    def dim(self) -> int:
        """Number of components of an embedding.

        Raises:
            ValueError: if the quantizer is not calibrated yet.
        """
        if "low" not in vars(self):
            raise ValueError(
                f"this quantizer is not calibrated: Quantizer({self.precision!r})"
                ".fit(embeddings)"
            )
        return len(self.low)

    @property
    def bytes_per_embedding(self) -> int:
        """Number of bytes of a code."""
        return self.dim if self.precision == "int8" else -(-self.dim // 8)

    def quantize(self, embeddings: np.ndarray) -> np.ndarray:
        """Turn embeddings into codes.

        Args:
            embeddings: float array (n, dim), rows of unit length.

        Returns:
            int8 array (n, dim); for "binary", uint8 array (n, bytes), which has the
            first dimension in the highest bit.

        Raises:
            ValueError: if the embeddings have another dim, or are not finite or not of
                unit length.
        """
        embeddings = _checked(embeddings, self.dim)
        if self.precision == "binary":
            return np.packbits(embeddings > self.threshold, axis=1)
        outside = np.sum((embeddings < self.low) | (embeddings > self.high))
        if outside > _CLIPPED_SHARE * embeddings.size:
            warn(
                f"{outside} of {embeddings.size} numbers lie outside the calibrated "
                "range and are clipped; calibrate on more embeddings, or on some like "
                "these"
            )
        dtype, steps = _CODES[self.precision]
        width = self.high - self.low
        # A dimension that is the same everywhere has one level.
        scaled = (embeddings - self.low) * (steps / np.where(width > 0, width, np.inf))
        return (np.rint(scaled).clip(0, steps) + np.iinfo(dtype).min).astype(dtype)

    def dequantize(self, codes: np.ndarray) -> np.ndarray:
        """Turn codes into the embeddings that they stand for.

        Args:
            codes: an array that `quantize` returned.

        Returns:
            float32 array (n, dim), rows of unit length.

        Raises:
            ValueError: if ``codes`` has another shape or dtype.
        """
        codes = np.asarray(codes)
        dtype, steps = _CODES[self.precision]
        if codes.shape[1:] != (self.bytes_per_embedding,) or codes.dtype != dtype:
            raise ValueError(
                f"codes must be {np.dtype(dtype)} (n, {self.bytes_per_embedding}). "
                f"Received: {codes.dtype} {codes.shape}"
            )
        if self.precision == "binary":
            codes = np.unpackbits(codes, axis=1, count=self.dim)
        level = codes.astype(np.float32) - np.iinfo(dtype).min
        step = (self.high - self.low) / np.float32(steps)
        return unit_length(self.low + level * step)

    def save(self, path: str | Path) -> None:
        """Write the quantizer to a file that `load` reads.

        Raises:
            ValueError: if the quantizer is not calibrated yet.
        """
        write_arrays(path, {"precision": np.array(self.precision), **self.calibration})

    @classmethod
    def load(cls, path: str | Path) -> Quantizer:
        """Read a file that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: naming the file, if it is damaged or no quantizer's.
        """
        arrays = read_arrays(path, _ARRAYS)
        try:
            quantizer = cls(str(arrays.pop("precision")))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if quantizer.precision == "binary" and "threshold" not in arrays:
            raise ValueError(f"{path} lacks the threshold of a binary quantizer")
        vars(quantizer).update(arrays)
        return quantizer


@dataclass(frozen=True, eq=False)
class QuantizedCorpus:
    """Documents kept as codes: a corpus for `nearest`, which reads it in parts.

    Attributes:
        quantizer: the quantizer that made the codes.
        codes: the array that `Quantizer.quantize` returned, or a `numpy.memmap` of it.
    """

    quantizer: Quantizer
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Decode the embeddings of some rows: float32 (rows, dim)."""
        return self.quantizer.dequantize(self.codes[rows])


def _checked(embeddings: np.ndarray, dim: int | None = None) -> np.ndarray:
    embeddings = np.asarray(embeddings, dtype=np.float32)
    if embeddings.ndim != 2 or dim not in (None, embeddings.shape[1]):
        raise ValueError(
            f"embeddings must be an array (n, {dim or 'dim'}). "
            f"Received: shape {embeddings.shape}"
        )
    length = np.linalg.norm(embeddings, axis=1)
    # Written so that NaN is at fault.
    faulty = np.flatnonzero(~(abs(length - 1) <= _TOLERANCE))
    if faulty.size:
        raise ValueError(
            "embeddings must be finite and of unit length; cut ones are divided by "
            f"their length again. Received: length {length[faulty[0]]:g} in row "
            f"{faulty[0]}, and {faulty.size - 1} more such rows"
        )
    return embeddings
