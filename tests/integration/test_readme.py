"""The README's first code runs."""

import re
from functools import partial

import matplotlib.pyplot as plt
import pytest

import usetune
from tests import ROOT


@pytest.mark.filterwarnings("ignore:.* cannot be had.* scoring:UserWarning")
def test_quickstart(monkeypatch, capsys, tmp_path):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    assert len(code.strip().splitlines()) <= 5
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    # As it stands, but for the number of epochs.
    monkeypatch.setattr(usetune, "fine_tune", partial(usetune.fine_tune, epochs=1))
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.count("Pearson") == 2
    assert plt.imread("tuned.png").std() > 0
    plt.close("all")


def test_make_targets_named_in_the_readme_exist():
    named = set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text()))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert named and named <= targets
