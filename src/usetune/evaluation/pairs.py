"""Measures of an encoder on tables: scored pairs, triplets, pairs labelled 0 or 1."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from usetune.data.columns import require_columns
from usetune.data.formats import (
    BINARY,
    SCORED,
    TRIPLETS,
    Format,
    check_rows,
    text_columns,
)
from usetune.evaluation.embedding import embed
from usetune.evaluation.pair_metrics import (
    binary_metrics,
    check_both_labels,
    similarity_metrics,
    triplet_metrics,
)
from usetune.evaluation.scores import with_prefix
from usetune.protocols import TextEncoder


class _TableEvaluator:
    """Encodes the columns of texts of a table, for metrics of their embeddings.

    Args:
        table: what is measured.
        source: what errors call it.
        format: what it should be.
        name: put before the names of the metrics.
    """

    def __init__(
        self, table: pd.DataFrame, source: str, format: Format, name: str
    ) -> None:
        table = require_columns(table, source, format.columns)[[*format.columns]]
        self.name, self._table = name, check_rows(table, format, source)
        self._columns = text_columns(self._table)
        self.texts = [text for name in self._columns for text in self._table[name]]

    def __call__(self, encoder: TextEncoder) -> dict[str, float]:
        """The metrics of an encoder.

        Args:
            encoder: anything with ``encode(texts) → (n, dim)``.

        Raises:
            ValueError: if an embedding is not finite.
        """
        embeddings = embed(encoder, self.texts)
        parts = np.split(embeddings, len(self._columns))
        metrics = self._metrics(dict(zip(self._columns, parts, strict=True)))
        return with_prefix(metrics, self.name)

    def _metrics(self, embeddings: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Metrics of the embeddings of each column of texts."""
        raise NotImplementedError


class SimilarityEvaluator(_TableEvaluator):
    """How well similarities follow gold scores, see `similarity_metrics`.

    Args:
        pairs: DataFrame base, ref, similarity (in [0, 1]), at least two rows.
        name: put before the names of the metrics: "name_spearman_cosine".

    Attributes:
        texts: every text that is encoded.

    Raises:
        ValueError: if a column is missing, a cell is wrong, or rows are too few.
    """

    def __init__(self, pairs: pd.DataFrame, name: str = "") -> None:
        super().__init__(pairs, "pairs", SCORED, name)
        if len(pairs) < 2:
            raise ValueError("pairs must have at least two rows. Received: 1")

    def _metrics(self, embeddings: Mapping[str, np.ndarray]) -> dict[str, float]:
        gold = self._table["similarity"].to_numpy()
        return similarity_metrics(embeddings["base"], embeddings["ref"], gold)


class TripletEvaluator(_TableEvaluator):
    """How often the positive is the closer one, see `triplet_metrics`.

    Args:
        triplets: DataFrame anchor, positive, negative.
        margin: how much closer it must be.
        name: put before the names of the metrics: "name_cosine_accuracy".

    Attributes:
        texts: every text that is encoded.

    Raises:
        ValueError: if there are no rows, a column is missing, or a cell is wrong.
    """

    def __init__(
        self, triplets: pd.DataFrame, margin: float = 0.0, name: str = ""
    ) -> None:
        super().__init__(triplets, "triplets", TRIPLETS, name)
        self.margin = margin

    def _metrics(self, embeddings: Mapping[str, np.ndarray]) -> dict[str, float]:
        return triplet_metrics(**embeddings, margin=self.margin)


class BinaryClassificationEvaluator(_TableEvaluator):
    """How well a threshold tells pairs with label 1 from others.

    See `binary_metrics`.

    Args:
        pairs: DataFrame base, ref, label (0 or 1, both among them).
        name: put before the names of the metrics: "name_cosine_ap".

    Attributes:
        texts: every text that is encoded.

    Raises:
        ValueError: if there are no rows, a column is missing, a cell is wrong, or all
            labels are the same.
    """

    def __init__(self, pairs: pd.DataFrame, name: str = "") -> None:
        super().__init__(pairs, "pairs", BINARY, name)
        check_both_labels(self._table["label"].to_numpy())

    def _metrics(self, embeddings: Mapping[str, np.ndarray]) -> dict[str, float]:
        label = self._table["label"].to_numpy()
        return binary_metrics(embeddings["base"], embeddings["ref"], label)
