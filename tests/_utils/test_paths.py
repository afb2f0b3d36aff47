from pathlib import Path

import numpy as np
import pytest

from usetune import load_encoder, load_pairs
from usetune._utils.paths import expand
from usetune.plots import export_projector
from usetune.search import Quantizer
from usetune.sharing import push_to_hub


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("~/x", Path("~/x"), tmp_path / "x"):
        assert expand(path) == tmp_path / "x"
    assert expand("~") == tmp_path
    for name in ("a/~/x", "~$list.csv", "x~"):
        assert expand(name) == Path(name)
    with pytest.raises(TypeError, match="not int"):
        expand(3)


def test_whatever_is_written_or_read(monkeypatch, tmp_path, tiny):
    """No folder called ~ is made."""
    # Which Keras makes when TensorFlow Hub is first imported.
    monkeypatch.setenv("KERAS_HOME", str(tmp_path.parent / "keras"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    tiny.save("~/saved")
    tiny.save("~/saved", overwrite=True)
    tiny.export("~/exported")
    for name in ("~/saved", "~/exported"):
        assert load_encoder(name).dim == tiny.dim
    push_to_hub(tiny, "a/b", card="a card", dry_run="~/pushed")
    export_projector("~/projector", ["a"], {"base": np.ones((1, 2))})
    Quantizer("int8").fit(np.eye(2)).save("~/quantizer")
    Quantizer.load("~/quantizer")
    (tmp_path / "pairs.csv").write_text("anchor,positive\na,b\n")
    load_pairs("~/pairs.csv")
    written = {"saved", "exported", "pushed", "projector", "quantizer", "pairs.csv"}
    assert {path.name for path in tmp_path.iterdir()} == written
