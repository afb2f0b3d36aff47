"""The contract of every sentence encoder here: strings in, unit vectors out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from usetune._utils.files import replacing
from usetune._utils.text import utf8
from usetune.encoders.assets import asset_digests
from usetune.encoders.folder import new_folder

# A batch of `encode` holds at most this many UTF-8 bytes, unless one text is longer:
# memory grows with the tokens of a batch, not with its texts.
_BATCH_BYTES = 65_536
# Seconds of work before `encode` shows a progress bar.
_PROGRESS_DELAY = 3.0


class Encoder(keras.Model):
    """A trainable sentence encoder.

    A subclass sets `dim` and `resources`, and implements `compact`, `expand`, `copy`
    and ``call``: string tensor (batch,) → float32 tensor (batch, dim) of unit length,
    differentiable in ``trainable_variables``.

    Attributes:
        dim: number of components of an embedding.
        resources: what ``call`` needs beside the variables (a tokenizer, say), so
            that `export` can store it.
    """

    dim: int
    resources: list[Any]

    def compute_output_spec(self, texts: Any, **_: Any) -> keras.KerasTensor:
        """Format and dtype of the output: (batch, dim), float32."""
        return keras.KerasTensor((texts.shape[0], self.dim), dtype="float32")

    def encode(self, texts: Sequence[str], batch_size: int = 2048) -> np.ndarray:
        """Embed texts of any number, order and length.

        Each distinct text is computed once, in batches of similar length. Work of
        more than three seconds shows a progress bar on stderr.

        Args:
            texts: any sequence of ``str``. Lone surrogates, which are not Unicode
                text, are read as U+FFFD.
            batch_size: at most so many texts in a batch; batches of long texts are
                smaller, about 16,000 tokens in most languages.

        Returns:
            float32 array (len(texts), dim), rows of unit length in the order of
            ``texts``.

        Raises:
            TypeError: if ``texts`` is a single string or holds something else than
                ``str``; the message names the position.
            ValueError: if ``batch_size`` is not positive.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size}")
        encoded = utf8(texts)
        distinct = sorted(set(encoded), key=lambda text: (len(text), text))
        row = {text: number for number, text in enumerate(distinct)}
        embeddings = np.empty((len(distinct), self.dim), dtype=np.float32)
        for start, stop in tqdm(
            list(_batches(distinct, batch_size)),
            desc="encode",
            unit="batch",
            delay=_PROGRESS_DELAY,
            leave=False,
        ):
            embeddings[start:stop] = self._forward(tf.constant(distinct[start:stop]))
        return embeddings[[row[text] for text in encoded]]

    # Keras converts `call` neither in training nor in exports. Here, one conversion of
    # many failed with "'TfMethodTarget' object is not callable" (TensorFlow 2.21).
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def _forward(self, texts: tf.Tensor) -> tf.Tensor:
        return self(texts)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """`keras.Model.predict` that also takes a sequence of ``str``."""
        if not isinstance(x, (tf.Tensor, tf.data.Dataset)):
            x = tf.constant(utf8(x), dtype=tf.string)
        return super().predict(x, *args, **kwargs)

    def compact(self, texts: Sequence[str]) -> Encoder:
        """An independent copy to train on ``texts``, as small as stays exact.

        Args:
            texts: every text that the copy will meet.

        Returns:
            An encoder equal to this one on ``texts``; `expand` undoes it.
        """
        raise NotImplementedError

    def expand(self, base: Encoder) -> Encoder:
        """The full encoder with the weights of this `compact` one.

        Args:
            base: the encoder that `compact` was called on; it is left as it is.

        Returns:
            An independent encoder.
        """
        raise NotImplementedError

    @property
    def projections(self) -> list[np.ndarray]:
        """What `ProjectedEncoder` multiplies embeddings by; these are no weights."""
        return []

    @property
    def configuration(self) -> dict[str, Any]:
        """What decides about embeddings beside the weights, of the types of JSON.

        It is the same once the encoder was saved and loaded again. Code is not in it:
        of an encoder without files of its own, it is the width and the digests of
        `resources`' files.

        Raises:
            OSError: if such a file cannot be read any more.
        """
        assets = asset_digests(self.resources)
        return {"kind": "saved_model", "dim": self.dim, "assets": assets}

    def copy(self) -> Encoder:
        """An independent encoder with the same weights."""
        raise NotImplementedError

    def truncate(self, dim: int) -> Encoder:
        """This encoder with the first ``dim`` components of its embeddings.

        They are divided by their length again. It shares the weights of this encoder.
        An encoder tuned with `usetune.losses.Matryoshka` has its best components first
        (Kusupati et al., "Matryoshka Representation Learning", 2022, section 3).

        Args:
            dim: how many, from 1 to the encoder's own.

        Raises:
            ValueError: if ``dim`` is something else.
        """
        return ProjectedEncoder(self, first_components(self, dim))

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save as a folder that `usetune.load_encoder` reads back, also elsewhere.

        usetune.json in it lists every file with its SHA-256. An encoder that has no
        files of its own is saved as its `export`, and comes back as a
        `SavedModelEncoder`. An interrupted save leaves nothing behind, and an older
        folder as it was.

        Args:
            filepath: the folder to create.
            overwrite: replace a folder that `save` wrote, with its README.md if it has
                one. Nothing else is ever deleted.

        Raises:
            FileExistsError: if ``filepath`` exists and is not an empty folder; with
                ``overwrite``, if it is not a folder that `save` wrote, or holds files
                that its usetune.json does not list.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5.
        """
        with new_folder(filepath, "saved_model", self.dim, overwrite) as folder:
            self.export(folder)

    def export(self, filepath: str | Path, format: str = "tf_saved_model") -> None:
        """Export as a reusable TF2 SavedModel folder.

        `tensorflow_hub.load` takes it, and so does ``hub.KerasLayer`` of legacy
        Keras with ``trainable=True``: it is callable on a string tensor and has
        ``variables``, ``trainable_variables`` and ``regularization_losses``. A
        process that loads it must import ``tensorflow_text`` first.

        Args:
            filepath: the folder to create.
            format: "tf_saved_model"; other formats of Keras hold no strings.

        Raises:
            FileExistsError: if ``filepath`` exists.
            ValueError: if ``format`` is another.
        """
        if format != "tf_saved_model":
            raise ValueError(f"format must be 'tf_saved_model'. Received: {format!r}")
        if Path(filepath).exists():
            raise FileExistsError(f"export() creates a new folder; {filepath} exists")
        saved = tf.train.Checkpoint()
        saved.resources = list(self.resources)
        saved.variables = [variable.value for variable in self.variables]
        saved.trainable_variables = [
            variable.value for variable in self.trainable_variables
        ]
        saved.regularization_losses = []
        saved.__call__ = self._forward
        with replacing(filepath) as temporary:
            tf.saved_model.save(saved, str(temporary))


def _batches(texts: list[bytes], batch_size: int) -> Iterator[tuple[int, int]]:
    """Cut texts, shortest first, into ranges of bounded count and size."""
    start = 0
    for stop in range(1, len(texts) + 1):
        full = stop - start == batch_size
        # Sorted by length: the next text bounds the size of all before it.
        if (
            stop == len(texts)
            or full
            or ((stop + 1 - start) * len(texts[stop]) > _BATCH_BYTES)
        ):
            yield start, stop
            start = stop


class ProjectedEncoder(Encoder):
    """Strings (batch,) → float32 embeddings (batch, dim) of unit length.

    The embeddings of another encoder are multiplied by a matrix and divided by their
    length. The matrix is not trained; the encoder behind it is.

    Args:
        encoder: what is projected; it is shared, not copied.
        matrix: float array (encoder.dim, dim), with 1 ≤ dim ≤ encoder.dim.

    Attributes:
        encoder: as given.
        matrix: as given, float32.

    Raises:
        ValueError: if the matrix has another shape or a number that is not finite.
    """

    def __init__(self, encoder: Encoder, matrix: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        matrix = np.asarray(matrix, np.float32)
        if (
            matrix.ndim != 2
            or matrix.shape[0] != encoder.dim
            or not 1 <= matrix.shape[1] <= encoder.dim
            or not np.isfinite(matrix).all()
        ):
            raise ValueError(
                f"matrix must be finite, of shape ({encoder.dim}, 1 to {encoder.dim}). "
                f"Received: shape {matrix.shape}"
            )
        self.encoder = encoder
        self.matrix = matrix
        self.dim = matrix.shape[1]
        self.resources = encoder.resources
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → float32 tensor (batch, dim) of unit length."""
        return tf.math.l2_normalize(self.encoder(texts) @ self.matrix, axis=1)

    def truncate(self, dim: int) -> ProjectedEncoder:
        """The first ``dim`` components, see `Encoder.truncate`; one map, not two."""
        return ProjectedEncoder(self.encoder, self.matrix @ first_components(self, dim))

    @property
    def projections(self) -> list[np.ndarray]:
        """The matrices of the encoder behind, and this one's."""
        return [*self.encoder.projections, self.matrix]

    def compact(self, texts: Sequence[str]) -> ProjectedEncoder:
        """A copy of the encoder as small as ``texts`` allow, behind the same map."""
        return ProjectedEncoder(self.encoder.compact(texts), self.matrix)

    def expand(self, base: ProjectedEncoder) -> ProjectedEncoder:
        """The full encoder with the weights of this compact one, see `Encoder.expand`.

        Args:
            base: the projected encoder that `compact` was called on.
        """
        return ProjectedEncoder(self.encoder.expand(base.encoder), self.matrix)

    @property
    def configuration(self) -> dict[str, Any]:
        """See `Encoder.configuration`: the matrix's SHA-256, and the encoder behind."""
        return {
            "kind": "projected",
            "shape": list(self.matrix.shape),
            "matrix": hashlib.sha256(self.matrix.tobytes()).hexdigest(),
            "encoder": self.encoder.configuration,
        }

    def copy(self) -> ProjectedEncoder:
        """An independent encoder with the same weights and map."""
        return ProjectedEncoder(self.encoder.copy(), self.matrix)

    def save(self, filepath: str | Path, overwrite: bool = False) -> None:
        """Save the encoder behind it as a folder in a folder, and the matrix beside it.

        Args:
            filepath: see `Encoder.save`.
            overwrite: see `Encoder.save`.

        Raises:
            FileExistsError: as `Encoder.save` does.
            ValueError: if ``filepath`` ends in .npz, .keras or .h5.
        """
        inside = type(self.encoder).__name__
        with new_folder(
            filepath, "projected", self.dim, overwrite, inside=inside
        ) as folder:
            self.encoder.save(folder / "encoder")
            np.save(folder / "matrix.npy", self.matrix)


def first_components(encoder: Encoder, dim: int) -> np.ndarray:
    """The matrix (encoder.dim, dim) that keeps the first ``dim`` components.

    Raises:
        ValueError: if ``dim`` is not an integer from 1 to the encoder's.
    """
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        raise ValueError(f"dim must be an integer. Received: {dim!r}")
    if not 1 <= dim <= encoder.dim:
        raise ValueError(f"dim must be from 1 to {encoder.dim}. Received: {dim}")
    return np.eye(encoder.dim, dim, dtype=np.float32)
