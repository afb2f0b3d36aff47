"""Measures of an encoder on tables: scored pairs, triplets, pairs labelled 0 or 1."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from usetune.data.formats import (
    BINARY,
    SCORED,
    TRIPLETS,
    Format,
    text_columns,
)
from usetune.evaluation.inputs import checked_table, embed
from usetune.evaluation.pair_metrics import (
    binary_metrics,
    check_both_labels,
    cosine_accuracy,
    cosine_average_precision,
    cosine_correlations,
    pair_similarities,
    similarity_metrics,
    triplet_metrics,
)
from usetune.evaluation.pair_scores import PairScores
from usetune.evaluation.scores import with_prefix
from usetune.protocols import TextEncoder


class _TableEvaluator:
    """Encodes the columns of texts of a table, for metrics of their embeddings.

    Args:
        data: what is measured, see `checked_table`.
        format: what it should be.
        source: what errors call it.
        metrics: from the embeddings of each column of texts, and then the numbers of
            each other column, to metrics.
        cosine_metrics: those of them that `score` gives, from the cosines of the first
            column of texts with the others, and then the numbers.
        name: put before the names of the metrics.
        **settings: further arguments of both, by name.
    """

    def __init__(
        self,
        data: Sequence[Any],
        format: Format,
        source: str,
        metrics: Callable[..., Mapping[str, float]],
        cosine_metrics: Callable[..., Mapping[str, float]],
        name: str,
        **settings: float,
    ) -> None:
        self._table = table = checked_table(data, format, source)
        columns = text_columns(table)
        self.name, self._metrics, self._count = name, metrics, len(columns)
        self._cosine_metrics, self._settings = cosine_metrics, settings
        self.texts = [text for column in columns for text in table[column]]
        self._numbers = [
            table[name].to_numpy() for name in table if name not in columns
        ]

    def __call__(self, encoder: TextEncoder) -> dict[str, float]:
        """The metrics of an encoder.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)``.

        Raises:
            ValueError: if an embedding is not finite.
        """
        embeddings = np.split(embed(encoder, self.texts), self._count)
        metrics = self._metrics(*embeddings, *self._numbers, **self._settings)
        return with_prefix(metrics, self.name)

    def score(self, encoder: TextEncoder) -> PairScores:
        """Metrics of the cosine, to be given intervals or compared.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)``.

        Raises:
            ValueError: if an embedding is not finite.
        """
        first, *others = np.split(embed(encoder, self.texts), self._count)
        cosines = [pair_similarities(first, other)["cosine"] for other in others]
        return PairScores(
            self._table, np.column_stack(cosines), self._cosine_metrics, self._settings
        )


class SimilarityEvaluator(_TableEvaluator):
    """How well similarities follow gold scores, see `similarity_metrics`.

    Args:
        *pairs: a DataFrame base, ref, similarity (in [0, 1]), at least two rows; or
            these three columns, each a list.
        name: put before the names of the metrics: "name_spearman_cosine".

    Attributes:
        texts: every text that is encoded.

    Raises:
        TypeError: if ``pairs`` is neither.
        ValueError: if a column is missing, a cell is wrong, or rows are too few.
    """

    def __init__(self, *pairs: pd.DataFrame | Sequence[Any], name: str = "") -> None:
        super().__init__(
            pairs, SCORED, "pairs", similarity_metrics, cosine_correlations, name
        )
        if len(self._numbers[0]) < 2:
            raise ValueError("pairs must have at least two rows. Received: 1")


class TripletEvaluator(_TableEvaluator):
    """How often the positive is the closer one, see `triplet_metrics`.

    Args:
        *triplets: a DataFrame anchor, positive, negative; or these three columns, each
            a list.
        margin: how much closer it must be.
        name: put before the names of the metrics: "name_cosine_accuracy".

    Attributes:
        texts: every text that is encoded.

    Raises:
        TypeError: if ``triplets`` is neither.
        ValueError: if there are no rows, a column is missing, or a cell is wrong.
    """

    def __init__(
        self,
        *triplets: pd.DataFrame | Sequence[str],
        margin: float = 0.0,
        name: str = "",
    ) -> None:
        super().__init__(
            triplets,
            TRIPLETS,
            "triplets",
            triplet_metrics,
            cosine_accuracy,
            name,
            margin=margin,
        )


class BinaryClassificationEvaluator(_TableEvaluator):
    """How well a threshold tells pairs with label 1 from others.

    See `binary_metrics`.

    Args:
        *pairs: a DataFrame base, ref, label (0 or 1, both among them); or these three
            columns, each a list.
        name: put before the names of the metrics: "name_cosine_ap".

    Attributes:
        texts: every text that is encoded.

    Raises:
        TypeError: if ``pairs`` is neither.
        ValueError: if there are no rows, a column is missing, a cell is wrong, or all
            labels are the same.
    """

    def __init__(self, *pairs: pd.DataFrame | Sequence[Any], name: str = "") -> None:
        super().__init__(
            pairs, BINARY, "pairs", binary_metrics, cosine_average_precision, name
        )
        check_both_labels(*self._numbers)
