"""What nbval does not notice: cells that were never run, and leaks of one machine."""

import json
import re
import runpy
from pathlib import Path

import pytest

from tests import ROOT

FOLDER = ROOT / "notebooks"
NAMES = [
    "01_baseline",
    "02_fine_tune",
    "03_compare",
    "04_training_data",
    "05_without_forgetting",
    "06_which_loss",
    "07_smaller_embeddings",
    "08_bias",
    "09_save_and_share",
    "10_large_corpus",
    "11_classifier",
    "12_another_encoder",
    "13_fewer_bits",
    "14_which_encoder",
    "your_domain",
]
SOLUTIONS = [name for name in NAMES if name != "your_domain"]


def test_the_expected_notebooks_are_there():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES
    solutions = FOLDER / "solutions"
    assert sorted(path.stem for path in solutions.glob("*.ipynb")) == SOLUTIONS


@pytest.mark.parametrize("name", NAMES + [f"solutions/{name}" for name in SOLUTIONS])
def test_stored_notebook(name):
    path = FOLDER / f"{name}.ipynb"
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    # nbval compares nothing where the count is null.
    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1))
    checked = [
        cell for cell in code if "# NBVAL_CHECK_OUTPUT" in "".join(cell["source"])
    ]
    assert checked or name not in NAMES
    assert all(cell["outputs"] for cell in checked)
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    # Copied alone into an empty folder, a notebook lacks nothing.
    sources = "".join("".join(cell["source"]) for cell in code)
    assert {*re.findall(r"[\"'](?:\.\./)+([^/\"']+)", sources)} <= {"outputs"}
    for cell in code:
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            assert len(cell["metadata"]["mystnb"]["image"]["alt"]) > 40
    text = path.read_text()
    assert "widget" not in text and str(Path.home()) not in text
    assert path.stat().st_size < 500_000
    assert len(code) <= 12


def test_stored_outputs_come_from_the_real_data():
    text = (FOLDER / "03_compare.ipynb").read_text()
    assert "the article's own pairs" in text and "n = 1440" in text
    for name in [*NAMES[3:10], "13_fewer_bits"]:
        assert "source: ESCO" in (FOLDER / f"{name}.ipynb").read_text()


def test_figures_in_the_prose_have_a_source():
    rows = [*runpy.run_path(str(ROOT / "tools" / "prose_figures.py"))["rows"]()]
    assert len(rows) > 100
    assert not [
        (name, cell, figure) for name, cell, figure, source in rows if not source
    ]
    # Where other data stand in, the sentence is still true of the data that it names.
    assert not [
        (name, cell, figure)
        for name, cell, figure, source in rows
        if figure.is_untrue_elsewhere(source)
    ]
    facts = json.loads((ROOT / "tools" / "prose_facts.json").read_text())
    named = {(name, source) for name, _, _, source in rows}
    for name, own in facts.items():
        for number, why in own.items():
            assert (name, f"{number}: {why}") in named, number


def test_the_template_reads_a_file_and_leaves_it_alone(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.chdir(folder)
    rows = [f"nurse {number},cook {number % 5},g{number % 5}" for number in range(20)]
    text = "\n".join(["name,title,group", *rows])
    path = folder / "titles.csv"
    path.write_text(text)
    cells = json.loads((FOLDER / "your_domain.ipynb").read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"][:3]
    names = {"name": "anchor", "title": "positive"}
    settings = code[1].replace("CSV = None", f"CSV = {str(path)!r}")
    code[1] = settings.replace("COLUMNS = {}", f"COLUMNS = {names}")
    found = {}
    exec("\n".join(code), found)
    assert len(found["pairs"]) == 20
    assert path.read_text() == text and [*folder.iterdir()] == [path]
