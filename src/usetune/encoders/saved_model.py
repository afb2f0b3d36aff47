"""A reusable TF2 SavedModel, from TF Hub say, as a trainable Keras 3 encoder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that text SavedModels use

from usetune._utils.paths import expand
from usetune.encoders.base import Encoder
from usetune.similarity import unit_length

# How far from 1 a length may be.
_TOLERANCE = 1e-3
# The file without which a folder is no SavedModel.
_GRAPH = "saved_model.pb"


class SavedModelEncoder(Encoder):
    """Strings (batch,) → float32 embeddings (batch, dim) of unit length.

    Keras 3 refuses ``hub.KerasLayer``; this wraps what `tensorflow_hub.load` returns
    and tracks its variables, so that Keras trains them. Embeddings of another length
    than 1 are divided by their length. Those that are zero or not finite are refused
    by `encode`, by `predict`, and in a call outside of a graph.

    Args:
        folder: the SavedModel. It must be callable on a string tensor (batch,) and
            return a floating tensor (batch, dim).
        owner: keeps a temporary ``folder`` from being deleted.

    Raises:
        OSError: if ``folder`` holds no complete SavedModel.
        ValueError: if it is no sentence encoder.
    """

    def __init__(
        self, folder: str | Path, owner: _Temporary | None = None, **kwargs: Any
    ) -> None:
        import tensorflow_hub

        super().__init__(**kwargs)
        self.folder = str(expand(folder))
        # Of a pickle's files, which go with the last encoder that was made of them.
        self.owner = owner
        try:
            loaded = tensorflow_hub.load(self.folder)
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise OSError(
                f"{self.folder} is not a complete SavedModel ({error})"
            ) from error
        self.dim = _embedding_width(loaded, self.folder)
        self.resources = [loaded]
        trainable = {id(variable) for variable in loaded.trainable_variables}
        # keras.Variable shares a tf.Variable that it is given instead of copying it.
        self.shared_variables = [
            keras.Variable(
                variable,
                trainable=id(variable) in trainable,
                dtype=variable.dtype.name,
                name=variable.name.split(":")[0].replace("/", "_"),
            )
            for variable in loaded.variables
        ]
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → float32 tensor (batch, dim) of unit length."""
        embeddings = tf.cast(self.resources[0](texts), tf.float32)
        return unit_length(embeddings)

    def __call__(self, texts: Any, *args: Any, **kwargs: Any) -> Any:
        """See `TextModel.__call__`; outside of a graph, the embeddings are checked.

        Raises:
            ValueError: if one is zero or not finite.
        """
        embeddings = super().__call__(texts, *args, **kwargs)
        if isinstance(embeddings, tf.Tensor) and tf.executing_eagerly():
            self._check_embeddings(embeddings.numpy())
        return embeddings

    def _check_embeddings(
        self, embeddings: np.ndarray, texts: Sequence[bytes] = ()
    ) -> None:
        length = np.linalg.norm(embeddings, axis=1)
        # Written so that NaN is at fault.
        faulty = np.flatnonzero(~(abs(length - 1) < _TOLERANCE))
        if faulty.size:
            first = faulty[0]
            text = f"{texts[first].decode()!r:.80}" if texts else f"row {first}"
            raise ValueError(
                f"{self.folder} must give finite embeddings that are not zero. "
                f"Received: another one for {text}, and for {faulty.size - 1} more of "
                f"{len(embeddings)} texts"
            )

    def get_config(self) -> dict[str, Any]:
        """Refused: the graph is none of Keras'.

        Raises:
            NotImplementedError: saying what to do.
        """
        raise NotImplementedError(
            "a SavedModel's graph does not go into a .keras file or a configuration. "
            "Save the encoder by encoder.save(folder) and the other layers by "
            "save_weights, or the whole model by model.export(folder)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        files = {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in Path(self.folder).rglob("*")
            if path.is_file()
        }
        if _GRAPH not in files:
            raise OSError(f"{self.folder} is gone, which the encoder was loaded from")
        return _from_files, (files, self.get_weights())

    def copy(self) -> SavedModelEncoder:
        """An independent encoder with the same weights."""
        copy = SavedModelEncoder(self.folder, self.owner)
        for source, target in zip(self.variables, copy.variables, strict=True):
            target.assign(source.value)
        return copy.freeze_layers(self.frozen_layers())


class _Temporary:
    """A folder that is deleted with the last encoder that has this object."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="usetune")
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def _from_files(files: dict[str, bytes], weights: list[np.ndarray]) -> Encoder:
    """Undo `SavedModelEncoder.__reduce__`; the files go with the encoder."""
    owner = _Temporary()
    for name, content in files.items():
        path = Path(owner.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    encoder = SavedModelEncoder(owner.folder, owner)
    encoder.set_weights(weights)
    return encoder


def _embedding_width(loaded: Any, folder: str) -> int:
    """Call the model on two texts and check that it is a sentence encoder."""
    wanted = "a sentence encoder is callable on a string tensor (batch,), with "
    wanted += "`variables` and `trainable_variables`, and returns floats (batch, dim)"
    if not all(hasattr(loaded, name) for name in ("variables", "trainable_variables")):
        raise ValueError(f"{folder} is not a reusable SavedModel: {wanted}")
    if not callable(loaded):
        raise ValueError(f"{folder} is not callable: {wanted}")
    try:
        # Empty texts, as the export of a compact encoder knows few others.
        output = loaded(tf.constant(["", ""]))
    except (TypeError, ValueError, tf.errors.OpError) as error:
        raise ValueError(f"{folder} does not take strings: {wanted}") from error
    if (
        not isinstance(output, tf.Tensor)
        or not output.dtype.is_floating
        or output.shape.rank != 2
        or output.shape[0] != 2
    ):
        raise ValueError(f"{folder} returned {output!r:.200} for 2 texts: {wanted}")
    return int(output.shape[1])
