"""What all stand-ins share: parts of torch, a model of theirs, modules put in place."""

import ast
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from usetune import encoders, load_encoder
from usetune.similarity import unit_length

# The folder of their tests; set before pytest is called.
TESTS = Path()


def unlike(**given: Any) -> None:
    """Skip a test that asks for something that is not here: reason=whether it does."""
    for reason, is_asked in given.items():
        if is_asked:
            pytest.skip(f"no counterpart: {reason.replace('_', ' ')}")


# torch, as far as the tests need numbers


class Tensor(np.ndarray):
    """A NumPy array with the methods of a tensor that the tests call."""

    def topk(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.argsort(-np.asarray(self), axis=1, kind="stable")[:, :count]
        return tensor(np.take_along_axis(np.asarray(self), rows, 1)), tensor(rows)

    def cpu(self) -> "Tensor":
        return self

    def numpy(self) -> np.ndarray:
        return np.asarray(self)

    def sum(self, dim: int | None = None) -> np.ndarray:
        return np.asarray(self).sum(axis=dim)


def tensor(values: Any, dtype: Any = None) -> Tensor:
    array = np.asarray(values)
    single = array.dtype == np.float64 and not isinstance(values, np.ndarray)
    return (array.astype(np.float32) if single else array).view(Tensor)


def cosines(u: Any, v: Any) -> Tensor:
    return tensor(unit_length(np.asarray(u)) @ unit_length(np.asarray(v)).T)


@cache
def whole_encoder() -> encoders.Encoder:
    return load_encoder()


@cache
def small_encoder() -> encoders.Encoder:
    """The encoder with the tokens of the tests' texts, which can be trained fast."""
    texts = {
        node.value
        for path in [*TESTS.glob("*/losses/test_*.py"), *TESTS.glob("util/test_ret*")]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return whole_encoder().compact(sorted(texts))


class Model:
    """The encoder of this package with the methods of theirs."""

    def __init__(self, encoder: encoders.Encoder | str) -> None:
        by_name = isinstance(encoder, str)
        self.encoder = small_encoder() if by_name else encoder
        self.gradients: dict[str, np.ndarray] = {}

    def __deepcopy__(self, memory: Any) -> "Model":
        return self

    def encode(self, texts: list[str], **options: Any) -> Tensor:
        return tensor(self.encoder.encode(texts))

    encode_query = encode_document = encode

    def similarity_pairwise(self, u: Any, v: Any) -> np.ndarray:
        return np.sum(np.asarray(u) * np.asarray(v), axis=1)

    @property
    def similarity_fn_name(self) -> None:
        unlike(a_similarity_that_the_model_computes=True)

    # For losses

    def to(self, device: str) -> "Model":
        return self

    def train(self, mode: bool = True) -> None:
        """It computes the same in training."""

    def zero_grad(self) -> None:
        self.gradients = {}

    def preprocess(self, texts: list[str]) -> list[str]:
        return texts

    def parameters(self) -> list[Any]:
        return self.encoder.trainable_variables


class Encoder:
    """An encoder of theirs as this package takes one."""

    def __init__(self, model: Any) -> None:
        self.embed = getattr(model, "encode", None) or model.encode_document

    def encode(self, texts: list[str]) -> np.ndarray:
        return unit_length(np.asarray(self.embed(texts), np.float32))


def missing(reason: str) -> Any:
    return lambda *arguments, **options: unlike(**{reason: True})


def module(name: str, **content: Any) -> None:
    """Put a module, and what it lies in, where an import finds it."""
    parent, _, own = name.rpartition(".")
    if parent and parent not in sys.modules:
        module(parent)
    made = sys.modules.setdefault(name, ModuleType(name))
    made.__path__ = []
    vars(made).update(content)
    if parent:
        setattr(sys.modules[parent], own, made)
