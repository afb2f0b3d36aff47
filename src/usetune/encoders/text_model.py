"""Texts of any number in, arrays out: batches, progress, similarities, exports."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from usetune._utils.files import check_new, replacing
from usetune._utils.process import check_process
from usetune._utils.text import utf8
from usetune.encoders.options import check_options
from usetune.encoders.reusable import write_saved_model
from usetune.encoders.string_model import StringModel
from usetune.encoders.strings import BATCH_BYTES, batches, one_axis
from usetune.similarity import cosine_similarity, unit_length

# Each encoder traces graphs of its own, once. TensorFlow counts those of all encoders
# together, and warns after five.
_OWN = re.compile(
    r"<function (TextModel\._forward|Network\._(cut|token_tables|embed|finish)) "
    r".* tf\.function retracing"
)


def _is_news(record: logging.LogRecord) -> bool:
    return not _OWN.search(record.getMessage())


tf.get_logger().addFilter(_is_news)

# Seconds of work before `encode` shows a progress bar.
_PROGRESS_DELAY = 3.0


class TextModel(StringModel):
    """Strings (batch,) → float32 embeddings (batch, dim), as people use it.

    Attributes:
        resources: what ``call`` needs beside the variables (a tokenizer, say), so
            that `export` can store it.
    """

    resources: list[Any]
    # UTF-8 bytes that a batch of `encode` holds at most, unless one text is longer.
    batch_bytes = BATCH_BYTES
    # Whether a text of a batch takes as much memory as the longest.
    pads = True

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
                smaller, about 16,000 tokens in most languages, five times as many of a
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
        # No set: its order, and with it rounding, would differ between processes.
        distinct = sorted(dict.fromkeys(encoded), key=len)
        ranges = batches(distinct, batch_size, self.batch_bytes, self.pads)
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
