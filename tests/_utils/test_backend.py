"""Keras computes on TensorFlow, or the package says what to set."""

import os
import subprocess
import sys
import types

import pytest

from usetune._utils.backend import check_backend


@pytest.mark.parametrize("named_in", ["environment", "file"])
def test_another_backend_is_refused_before_keras_is_imported(tmp_path, named_in):
    path = os.pathsep.join(filter(None, sys.path))
    own = {"KERAS_BACKEND": "jax"}
    if named_in == "file":
        (tmp_path / "keras.json").write_text('{"backend": "jax"}')
        own = {"KERAS_BACKEND": "", "KERAS_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", "import usetune.losses"],
        env={**os.environ, "PYTHONPATH": path, **own},
        capture_output=True,
        text=True,
    )
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: usetune needs Keras' backend TensorFlow")
    assert "KERAS_BACKEND" in last and last.endswith("Received: 'jax'")


def test_another_backend_is_refused_behind_its_import(monkeypatch):
    keras = types.SimpleNamespace(config=types.SimpleNamespace(backend=lambda: "torch"))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    check_backend()
    monkeypatch.setitem(sys.modules, "keras", keras)
    with pytest.raises(ImportError, match="KERAS_BACKEND.*keras.json.*'torch'"):
        check_backend()
