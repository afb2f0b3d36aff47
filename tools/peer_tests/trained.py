"""Stand-ins for losses, by whose names sentence-transformers' tests train an encoder.

A second plugin of pytest, after `translated`. A gradient is what one step of
`usetune.training` takes from the weights at the rate 1.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from stand_ins import (
    Model,
    Tensor,
    missing,
    module,
    small_encoder,
    tensor,
    unlike,
    whole_encoder,
)

from usetune import load_pairs
from usetune.losses import (
    GIST,
    Cached,
    Contrastive,
    EmbeddingLoss,
    Matryoshka,
    MegaBatchMargin,
    MultipleNegativesRanking,
    OnlineContrastive,
    Triplet,
)
from usetune.losses.base import MASKED
from usetune.similarity import unit_length
from usetune.training import TrainingSet
from usetune.training.model import ExampleEncoder

# Tests of parts that have no counterpart, by their names.
_PARTS = {
    "a batch cut by its number of tokens": "token_budget|num_tokens|non_positive_budget"
    "|TestMinibatch|TestCreateMinibatch|TestFlattened|create_minibatch",
    "gathering across devices": "gather|positive_mask_protects",
    "dropout": "dropout|rand_context",
    "modules of PyTorch": "static_embedding|autocast|prompt_exclusion|hook_state"
    "|unused_column|training_mode",
    "losses on each layer": "adaptive_layer",
    "attributes and configurations by their names": "attributes_and_config|assignable",
    "distillation of embeddings": "mse_loss",
    "a model of unknown width": "dimension_none",
    "two losses added before one gradient": "two_forwards",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Called by pytest: skip the tests of losses that `_PARTS` names."""
    for item in items:
        for reason, names in _PARTS.items():
            if "/losses/" in item.nodeid and re.search(names, item.nodeid):
                reason = f"no counterpart: {reason}"
                item.add_marker(pytest.mark.skip(reason=reason))


class Gradient(Tensor):
    def clone(self) -> "Gradient":
        return self


class LossValue:
    """A loss on a batch, with the gradient that a step of training takes."""

    def __init__(
        self, step: Callable[[float], tuple[float, Any]], model: Any, factor: float = 1
    ) -> None:
        self.step, self.model, self.factor = step, model, factor
        self.value, self.gradients = step(factor)

    def __mul__(self, factor: float) -> "LossValue":
        return LossValue(self.step, self.model, factor)

    def detach(self) -> "LossValue":
        return self

    def item(self) -> float:
        return self.value * self.factor

    def backward(self) -> None:
        self.model.gradients = self.gradients


class Scaled(keras.optimizers.SGD):
    """Steps at the rate 1 against a loss that is multiplied by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__(1.0)
        self.factor = factor

    def scale_loss(self, loss: Any) -> Any:
        return loss * self.factor


_without_gradients: list[None] = []


@contextmanager
def no_grad() -> Iterator[None]:
    _without_gradients.append(None)
    try:
        yield
    finally:
        _without_gradients.pop()


class Loss:
    """A loss of theirs, by one of this package."""

    def __init__(
        self, model: Any, loss: EmbeddingLoss, mini_batch_size: int | None = None
    ) -> None:
        self.model, self.loss, self.mini_batch_size = model, loss, mini_batch_size

    def __call__(self, columns: list[list[str]], labels: Any) -> LossValue:
        size, loss = self.mini_batch_size, self.loss
        loss = Cached(loss, size) if size else loss
        encoder = self.model.encoder
        target = loss.target(columns, np.arange(len(columns[0])))
        texts = tf.constant(np.array(columns).T)
        batch = tf.data.Dataset.from_tensors((texts, target))
        evaluated = bool(_without_gradients)

        def step(factor: float) -> tuple[float, dict[str, Tensor]]:
            trained = ExampleEncoder(encoder, (), size)
            trained.compile(Scaled(factor), loss, run_eagerly=True)
            if evaluated:
                return trained.evaluate(batch, verbose=0), {}
            before = encoder.get_weights()
            (value,) = trained.fit(batch, verbose=0).history["loss"]
            after = encoder.get_weights()
            encoder.set_weights(before)
            paths = [weight.path for weight in encoder.weights]
            differences = [
                (b - a).view(Gradient) for b, a in zip(before, after, strict=True)
            ]
            return value, dict(zip(paths, differences, strict=True))

        return LossValue(step, self.model)

    def named_parameters(self) -> list[tuple[str, Any]]:
        grads = self.model.gradients
        return [(name, SimpleNamespace(grad=grads[name])) for name in grads]


def ranking(
    model: Any,
    mini_batch_size: int | None = None,
    mini_batch_num_tokens: int | None = None,
    hardness_mode: str | None = None,
    partition_mode: str = "joint",
    **options: Any,
) -> Loss:
    unlike(
        a_batch_cut_by_its_number_of_tokens=mini_batch_num_tokens is not None,
        hardness_of_all_negatives=hardness_mode == "all_negatives",
    )
    loss = MultipleNegativesRanking(
        hardness=hardness_mode, partition=partition_mode, **options
    )
    return Loss(model, loss, mini_batch_size)


def symmetric(model: Any, **options: Any) -> Loss:
    directions = ("query_to_doc", "doc_to_query")
    options |= {"directions": directions, "partition_mode": "per_direction"}
    return ranking(model, **options)


def mega_batch(
    model: Any, use_mini_batched_version: bool = True, mini_batch_size: int = 50
) -> Loss:
    size = mini_batch_size if use_mini_batched_version else None
    return Loss(model, MegaBatchMargin(), size)


class GuidedLoss(Loss):
    """Theirs, also with embeddings as input, and made attribute by attribute."""

    margin_strategy = "absolute"
    margin = 0.0
    gather_across_devices = False
    cross_entropy_loss: Any

    def __init__(
        self, model: Any, guide: Any, mini_batch_size: int | None = None
    ) -> None:
        super().__init__(model, GIST(guide), mini_batch_size)

    def __call__(self, columns: list[Any], labels: Any = None) -> Any:
        if isinstance(columns[0], list):
            return super().__call__(columns, labels)
        return self.of_embeddings([column["sentence_embedding"] for column in columns])

    def calculate_loss(self, columns: list[Any], guided: list[Any]) -> Any:
        return self.of_embeddings([np.concatenate(parts) for parts in columns])

    def of_embeddings(self, columns: list[np.ndarray]) -> Any:
        """Hand the logits of anchors with positives to their cross-entropy."""
        numbers = [[f"{n} {column}" for n in range(len(columns[0]))] for column in "ab"]
        by_text = dict(zip(sum(numbers, []), np.concatenate(columns), strict=True))
        guide = SimpleNamespace(encode=lambda texts: [by_text[text] for text in texts])
        margin = {"margin_strategy": self.margin_strategy, "margin": self.margin}
        loss = GIST(guide, self.temperature, **margin)
        logsumexp = mock.Mock(wraps=keras.ops.logsumexp)
        with mock.patch.object(keras.ops, "logsumexp", logsumexp):
            target = loss.target(numbers, np.arange(len(columns[0])))
            value = float(loss(target, np.stack(columns, 1)))
        logits = np.asarray(logsumexp.call_args.args[0])[:, :, 0]
        self.cross_entropy_loss(tensor(np.where(logits == MASKED, -np.inf, logits)), 0)
        return value


class Nested(Loss):
    """MatryoshkaLoss, by `usetune.losses.Matryoshka`."""

    def __init__(
        self,
        model: Any,
        loss: Any,
        matryoshka_dims: list[int],
        matryoshka_weights: list[float] | None = None,
    ) -> None:
        size = getattr(loss, "mini_batch_size", None)
        # Theirs has a loss of its own there that is never called.
        inner = loss.loss if isinstance(loss, Loss) else MultipleNegativesRanking()
        nested = Matryoshka(inner, matryoshka_dims, matryoshka_weights)
        super().__init__(model, nested, size)
        nested.build(model.encoder.dim)
        for problem in nested.problems(model.encoder.dim):
            if not isinstance(loss, Loss):
                logging.getLogger("usetune").warning(problem)
        self.matryoshka_dims = tuple(nested.dims)
        self.matryoshka_weights = tuple(nested.weights)


def labelled(loss: EmbeddingLoss) -> Callable[[Any], Any]:
    """A loss of pairs with labels, whose data are read as `fine_tune` reads them."""

    def on_embeddings(columns: list[Any], labels: Any) -> np.ndarray:
        rows = {"base": ["a", "b"] * 5, "ref": ["c", "d"] * 5, "label": [*labels] * 5}
        TrainingSet(load_pairs(pd.DataFrame(rows)), loss=loss)
        embeddings = [column["sentence_embedding"] for column in columns]
        target = np.asarray(labels, np.float32)[:, None]
        return np.asarray(loss(target, unit_length(np.stack(embeddings, 1))))

    return lambda model: on_embeddings


class LossOfTriplets:
    """Theirs, by `usetune.losses.Triplet`."""

    def __init__(self, model: Any, distance_metric: str, triplet_margin: float) -> None:
        self.loss = Triplet(distance_metric, triplet_margin)

    def compute_loss_from_embeddings(self, embeddings: list[Any], labels: Any) -> float:
        units = unit_length(np.stack(embeddings, axis=1))
        return float(self.loss(np.zeros(len(units)), units))


class Module:
    """Of torch.nn, as a base class."""


def assert_close(a: Any, b: Any, rtol: float, atol: float, msg: str) -> None:
    np.testing.assert_allclose(a, b, rtol, atol, err_msg=msg)


def is_trained(gradients: dict[str, np.ndarray]) -> None:
    assert sum(np.abs(gradient).sum() for gradient in gradients.values()) > 0


ST = "sentence_transformers.sentence_transformer"
absent = {
    name: missing(name)
    for name in ("AdaptiveLayerLoss", "MSELoss", "DistillKLDivLoss", "EmbedDistillLoss")
}
module(
    f"{ST}.losses",
    MultipleNegativesRankingLoss=ranking,
    CachedMultipleNegativesRankingLoss=ranking,
    MultipleNegativesSymmetricRankingLoss=symmetric,
    CachedMultipleNegativesSymmetricRankingLoss=symmetric,
    MegaBatchMarginLoss=mega_batch,
    GISTEmbedLoss=GuidedLoss,
    CachedGISTEmbedLoss=GuidedLoss,
    MatryoshkaLoss=Nested,
    **absent,
)
module(f"{ST}.losses.gist_embed")
module(f"{ST}.losses.cached_gist_embed")
module(f"{ST}.losses.contrastive", ContrastiveLoss=labelled(Contrastive()))
module(
    f"{ST}.losses.online_contrastive",
    OnlineContrastiveLoss=labelled(OnlineContrastive()),
)
module(
    f"{ST}.losses.triplet",
    TripletLoss=LossOfTriplets,
    TripletDistanceMetric=SimpleNamespace(
        COSINE="cosine", EUCLIDEAN="euclidean", MANHATTAN="manhattan"
    ),
)
module(f"{ST}.modules", Router=None, StaticEmbedding=None)
gradcache = ("_create_minibatch", "_get_batch_size", "_minibatch_ranges")
module(
    "sentence_transformers.base.losses.gradcache",
    CachedLossMixin=Module,
    **{name: missing(name) for name in gradcache},
)
module("transformers", set_seed=np.random.seed)
module("tests.utils", skip_bfloat16_cpu_crash=lambda test: test)
module(
    "tests.sentence_transformer.losses.utils",
    assert_trained=is_trained,
    disable_dropout=lambda model: None,
    gradients=lambda model: model.gradients,
)
module(
    "torch.nn",
    Module=Module,
    CosineSimilarity=lambda dim: None,
    CrossEntropyLoss=lambda: lambda scores, labels: None,
)
module("torch.optim", Adam=lambda parameters: SimpleNamespace(zero_grad=lambda: None))
module("torch.testing", assert_close=assert_close)
module(
    "torch",
    no_grad=no_grad,
    long=np.int64,
    allclose=np.allclose,
    isfinite=np.isfinite,
    backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False)),
)


@pytest.fixture
def stsb_bert_tiny_model(request: pytest.FixtureRequest) -> Model:
    """Theirs: what is trained is small."""
    in_training = "/losses/" in request.node.nodeid
    return Model(small_encoder() if in_training else whole_encoder())


@pytest.fixture
def static_retrieval_mrl_en_v1_model(request: pytest.FixtureRequest) -> Any:
    """Theirs; for losses only its 1,024 dimensions matter."""
    if "/losses/" in request.node.nodeid:
        return SimpleNamespace(encoder=SimpleNamespace(dim=1024))
    return Model(whole_encoder())
