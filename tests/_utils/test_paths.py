from pathlib import Path

import pytest

from usetune._utils.paths import expand


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("~/x", Path("~/x"), tmp_path / "x"):
        assert expand(path) == tmp_path / "x"
    assert expand("~") == tmp_path
    for name in ("a/~/x", "~$list.csv", "x~"):
        assert expand(name) == Path(name)
    with pytest.raises(TypeError, match="not int"):
        expand(3)
