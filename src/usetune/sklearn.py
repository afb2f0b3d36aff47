"""An encoder as a transformer of scikit-learn: texts in, embeddings out.

.. code-block:: python

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from usetune.sklearn import SentenceEncoder
    classifier = make_pipeline(SentenceEncoder(), LogisticRegression())
    classifier.fit(titles, classes)
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from usetune._utils.checks import check_at_least
from usetune._utils.process import check_process
from usetune._utils.text import checked_texts
from usetune.encoders import Encoder, load_encoder
from usetune.similarity import unit_length


class SentenceEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Texts → embeddings, as a step of a pipeline.

    Texts are a sequence of ``str``, or one column of them: a DataFrame or an array
    (n, 1), as `ColumnTransformer` passes it. Fitting trains nothing; it loads the
    encoder.

    Args:
        encoder: an encoder, which clones share; or what `usetune.load_encoder` takes
            as a handle, a folder say, which each `fit` loads again; None for its
            default.
        dim: number of components of an embedding, the first ones, which are divided by
            their length again; None for all.
        batch_size: see `Encoder.encode`; None for the encoder's own.

    Attributes:
        encoder_: the encoder, once it is fitted.
        n_features_in_: 1, where it was fitted on a column.
        feature_names_in_: array with the name of that column, if it has one.
    """

    def __init__(
        self,
        encoder: Encoder | str | Path | None = None,
        *,
        dim: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.dim = dim
        self.batch_size = batch_size

    def fit(self, X: Any, y: Any = None) -> Self:
        """Load the encoder, and check parameters and texts.

        Args:
            X: the texts.
            y: is not looked at.

        Raises:
            TypeError: if ``X`` holds something else than ``str``, naming the position.
            ValueError: if ``X`` is not one column, or a parameter is not allowed.
            OSError: as `usetune.load_encoder` does, which also raises ImportError.
            RuntimeError: in a process that was forked from one with an encoder:
                joblib's default, "loky", forks none, and "multiprocessing" does.
        """
        check_process()
        check_at_least("batch_size", self.batch_size)
        self._texts(X, reset=True)
        encoder = self.encoder
        if not isinstance(encoder, Encoder):
            encoder = load_encoder() if encoder is None else load_encoder(encoder)
        dim = encoder.dim if self.dim is None else encoder.truncate(self.dim).dim
        self.encoder_ = encoder
        self._n_features_out = dim
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Embed texts.

        Args:
            X: the texts.

        Returns:
            float32 array (n, dim), rows of unit length.

        Raises:
            TypeError: if ``X`` holds something else than ``str``, naming the position.
            ValueError: if ``X`` is not one column, or one of another name than in
                `fit`.
            NotFittedError: before `fit`.
            RuntimeError: in a process that was forked from one with an encoder.
        """
        check_is_fitted(self)
        texts = self._texts(X, reset=False)
        own = () if self.batch_size is None else (self.batch_size,)
        embeddings = self.encoder_.encode(texts, *own)
        # A truncated encoder would be traced anew in each fit, and stored beside this.
        dim = self._n_features_out
        whole = dim == embeddings.shape[1]
        return embeddings if whole else unit_length(embeddings[:, :dim])

    def _texts(self, X: Any, reset: bool) -> list[str]:
        column = np.asarray(X, object)
        if column.shape != (column.size,) and column.shape != (column.size, 1):
            hint = f" of shape {column.shape}" if column.ndim else ""
            raise ValueError(
                "X must be texts or one column of them: a list, a Series, a DataFrame "
                "of one column. ColumnTransformer makes each of several columns a step "
                f"of its own. Received: {type(X).__name__}{hint}"
            )
        if column.ndim == 2:
            validate_data(self, X, reset=reset, skip_check_array=True)
        return checked_texts(column.ravel(), "X")

    def __sklearn_clone__(self) -> Self:
        # The encoder is shared: a copy of it would be traced anew in each fold.
        bare = copy.copy(self).set_params(encoder=None)
        clone = super(SentenceEncoder, bare).__sklearn_clone__()
        return clone.set_params(encoder=self.encoder)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags
