"""A Keras model whose inputs are strings: batches, progress, exports."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from usetune._utils.files import check_new, replacing
from usetune._utils.process import check_process
from usetune._utils.text import utf8
from usetune.encoders.options import check_options
from usetune.encoders.pickles import unpickled, with_weights
from usetune.encoders.reusable import write_saved_model
from usetune.encoders.strings import BATCH_BYTES, batches, one_axis
from usetune.similarity import cosine_similarity, unit_length

# Seconds of work before `encode` shows a progress bar.
_PROGRESS_DELAY = 3.0


class TextModel(keras.Model):
    """Strings (batch,) → float32 embeddings (batch, dim), as a Keras model.

    It computes in float32, whatever Keras' global dtype policy is; a subclass makes its
    layers under `usetune.devices.float32_policy`.

    Attributes:
        dim: number of components of an embedding.
        resources: what ``call`` needs beside the variables (a tokenizer, say), so
            that `export` can store it.
    """

    dim: int
    resources: list[Any]
    # UTF-8 bytes that a batch of `encode` holds at most, unless one text is longer.
    batch_bytes = BATCH_BYTES

    def __init__(self, **kwargs: Any) -> None:
        check_process()
        super().__init__(dtype="float32", **kwargs)
        # Strings are not compiled by XLA.
        self.supports_jit = False

    # Keras asks a layer for the dtype of its input by these two.
    @property
    def compute_dtype(self) -> str:
        """The dtype of the input, "string"."""
        return "string"

    @property
    def variable_dtype(self) -> str:
        """As `compute_dtype`; variables have one of their own."""
        return "string"

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = "float32",
        **options: Any,
    ) -> keras.Variable:
        """See `keras.layers.Layer.add_weight`."""
        return super().add_weight(shape, initializer, dtype, **options)

    def __call__(self, texts: Any, *args: Any, **kwargs: Any) -> Any:
        """Embed strings (batch,) or (batch, 1): a tensor, an array or a list.

        Returns:
            float32 tensor (batch, dim).

        Raises:
            TypeError: if they are no strings.
            ValueError: if they have another shape.
        """
        return super().__call__(one_axis(texts), *args, **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make a model of what `get_config` gave; its weights are others."""
        arguments = cls._arguments(dict(config))
        frozen = arguments.pop("frozen")
        return cls(**arguments).freeze_layers(frozen)

    def get_config(self) -> dict[str, Any]:
        """Name and frozen layers, see `keras.layers.Layer.get_config`."""
        return {"name": self.name, "frozen": self.frozen_layers()}

    def frozen_layers(self) -> list[int]:
        """Numbers of the layers that are frozen, among those with weights."""
        layers = enumerate(self._layers_with_weights())
        return [number for number, layer in layers if not layer.trainable]

    def freeze_layers(self, numbers: Collection[int]) -> Self:
        """This model, with those of its layers frozen, and no others.

        Args:
            numbers: as `frozen_layers` gives them, of a model of the same layers.
        """
        # A layer comes before those within it, to which its own setting goes, too.
        for number, layer in enumerate(self._layers_with_weights()):
            layer.trainable = number not in numbers
        return self

    def _layers_with_weights(self) -> list[keras.Layer]:
        # Others may be made in the first call, so that a fresh model has fewer.
        return [layer for layer in self._flatten_layers() if layer.weights]

    @staticmethod
    def _arguments(config: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `__init__`, of their form in a configuration."""
        return config

    def __reduce_ex__(self, _: Any) -> tuple[Any, ...]:
        function, arguments = self.__reduce__()
        return unpickled, (type(self), function, arguments, self.frozen_layers())

    def __reduce__(self) -> tuple[Any, ...]:
        # Keras' own containers, which its layers make of others, have no pickle.
        config = json.loads(json.dumps(self.get_config()))
        # Equal encoders have equal pickles, but names with numbers.
        config.pop("name", None)
        return with_weights, (type(self), config, self.get_weights())

    def get_build_config(self) -> None:
        """Nothing: an encoder has its variables once it is made."""

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(batch, dim)."""
        return (input_shape[0], self.dim)

    def compute_output_spec(self, texts: Any, **_: Any) -> keras.KerasTensor:
        """Shape and dtype of the output: (batch, dim), float32."""
        return keras.KerasTensor(self.compute_output_shape(texts.shape), "float32")

    def encode(
        self,
        texts: Sequence[str] | str,
        batch_size: int = 8192,
        *,
        show_progress_bar: bool | None = None,
        **options: Any,
    ) -> np.ndarray:
        """Embed texts of any number, order and length, or one text.

        Each distinct text is computed once, in batches of similar length. One of more
        than 65,536 bytes is computed in parts, if this is a Universal Sentence Encoder.

        Args:
            texts: ``str`` in a sequence, a NumPy array, a column of pandas or pyarrow,
                or an iterator; or one ``str``. Lone surrogates, which are not Unicode
                text, are read as U+FFFD.
            batch_size: largest number of texts in a batch; batches of long texts are
                smaller, about 16,000 tokens in most languages, four times as many of a
                Universal Sentence Encoder.
            show_progress_bar: on stderr; None for work of more than three seconds.
            **options: other arguments of sentence-transformers' ``encode``, with
                values that say what holds here, ``normalize_embeddings=True`` say.

        Returns:
            float32 array (len(texts), dim), rows of unit length in the order of
            ``texts``; (dim,) for one text.

        Raises:
            TypeError: if ``texts`` holds something else than ``str``, naming the
                position; or is a table, a mapping, a set or a tensor, saying what to
                write instead; or an option is unknown.
            ValueError: if ``batch_size`` is not positive, or an option asks for what
                does not hold, saying what to write instead; or a SavedModel gives zeros
                or numbers that are not finite, naming the text.
            RuntimeError: in a process that was forked from one with an encoder.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size}")
        check_options(options)
        if isinstance(texts, str):
            one = self.encode([texts], batch_size, show_progress_bar=show_progress_bar)
            return one[0]
        check_process()
        encoded = utf8(texts)
        self._check_texts(encoded)
        distinct = sorted(set(encoded), key=len)
        ranges = list(batches(distinct, batch_size, self.batch_bytes))
        for start, stop in ranges:
            distinct[start:stop] = sorted(distinct[start:stop])
        row = {text: number for number, text in enumerate(distinct)}
        embeddings = np.empty((len(distinct), self.dim), dtype=np.float32)
        for start, stop in tqdm(
            ranges,
            desc="encode",
            unit="batch",
            delay=0 if show_progress_bar else _PROGRESS_DELAY,
            disable=show_progress_bar is False,
            leave=False,
        ):
            if len(distinct[start]) > BATCH_BYTES:
                embeddings[start] = self._embed_long(distinct[start])
            else:
                texts_of_batch = tf.constant(distinct[start:stop])
                embeddings[start:stop] = self._forward(texts_of_batch)
            self._check_embeddings(embeddings[start:stop], distinct[start:stop])
        return embeddings[[row[text] for text in encoded]]

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """Cosine of each of some embeddings with each of others.

        Args:
            embeddings1: float array (n, dim), or (dim,) for one; of any length.
            embeddings2: float array (m, dim), or (dim,) for one.

        Returns:
            float array (n, m), in [-1, 1] up to rounding; 0 for a vector of zeros.
        """
        one, two = np.atleast_2d(embeddings1), np.atleast_2d(embeddings2)
        return unit_length(one) @ unit_length(two).T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """Cosine of each embedding with the one beside it.

        Args:
            embeddings1: float array (n, dim), or (dim,) for one; of any length.
            embeddings2: of the same shape.

        Returns:
            float array (n,), or () for one; see `similarity`.

        Raises:
            ValueError: if the shapes differ.
        """
        one, two = np.asarray(embeddings1), np.asarray(embeddings2)
        if one.shape != two.shape:
            raise ValueError(f"shapes must be one. Received: {one.shape}, {two.shape}")
        return np.asarray(cosine_similarity(one, two))

    def _embed_long(self, text: bytes) -> np.ndarray:
        """The embedding (dim,) of one text; in parts, where it can be computed so."""
        return self._forward(tf.constant([text]))[0].numpy()

    def _check_texts(self, texts: list[bytes]) -> None:
        """Warn of texts that the encoder does not read as they are."""

    def _check_embeddings(
        self, embeddings: np.ndarray, texts: Sequence[bytes] = ()
    ) -> None:
        """Refuse what is not of unit length, where code of others has made it.

        Args:
            embeddings: (n, dim).
            texts: theirs, for the error; without them it names the row.
        """

    # Keras converts `call` neither in training nor in exports. Here, one conversion of
    # many failed with "'TfMethodTarget' object is not callable" (TensorFlow 2.21).
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def _forward(self, texts: tf.Tensor) -> tf.Tensor:
        return self(texts)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """`keras.Model.predict` that also takes what `encode` takes, but one text.

        Arrays and tensors may have the shape (n, 1), too.
        """
        check_process()
        if isinstance(x, np.ndarray):
            x = one_axis(x)
        elif not isinstance(x, (tf.Tensor, tf.data.Dataset)):
            x = tf.constant(utf8(x), dtype=tf.string)
        embeddings = super().predict(x, *args, **kwargs)
        self._check_embeddings(embeddings)
        return embeddings

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
    ) -> None:
        """Export as a reusable TF2 SavedModel folder, as the original on TF Hub is one.

        `tensorflow_hub.load` gives a function of ``inputs``, strings (), (batch,) or
        (batch, 1), and of ``training``, which changes nothing; it returns (batch, dim)
        and has ``variables``, ``trainable_variables`` and ``regularization_losses``, so
        that ``hub.KerasLayer`` of legacy Keras trains it. The signature for TF Serving,
        "serving_default", takes ``inputs`` (batch,) and returns ``outputs``. A process
        that loads it must import ``tensorflow_text`` first.

        Args:
            filepath: the folder to create.
            format: "tf_saved_model"; other formats of Keras hold no strings.
            verbose: say where it was saved; unlike Keras' own, None does not.

        Raises:
            FileExistsError: if ``filepath`` exists and is not an empty folder.
            ValueError: if ``format`` is another.
        """
        if format != "tf_saved_model":
            raise ValueError(f"format must be 'tf_saved_model'. Received: {format!r}")
        check_new(filepath)
        with replacing(filepath) as temporary:
            write_saved_model(self, self.resources, temporary)
        if verbose:
            tqdm.write(f"Saved artifact at '{filepath}'.")
