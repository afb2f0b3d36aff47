"""What an import loads, in a fresh process, and what no module may do."""

import ast
import subprocess
import sys

import pytest

from tests import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
OPTIONAL = ["ray", "gradio", "faiss", "keras_hub", "kagglehub", "usetune.page"]
UNUSED = ["sklearn.manifold", "sklearn.linear_model"]
HEAVY = ["tensorflow", "keras", "pandas", "sklearn", "matplotlib"]


def loaded_by(statement, names):
    """Those of ``names`` that are loaded once a new process has run ``statement``."""
    code = f"import sys\n{statement}\nprint([n for n in {names} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    return ast.literal_eval(done.stdout)


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import usetune", OPTIONAL + HEAVY),
        ("from usetune import load_encoder", OPTIONAL + UNUSED),
        ("from usetune import fine_tune, load_encoder", OPTIONAL + UNUSED),
    ],
)
def test_an_import_loads_no_more_than_it_needs(statement, unwanted):
    assert loaded_by(statement, unwanted) == []


def test_what_is_loaded_is_seen():
    assert loaded_by("from usetune import cosine_similarity", HEAVY)


def test_no_module_imports_the_front_door():
    """It is for users; inside, it would hide a circle."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "usetune", path
            elif isinstance(node, ast.Import):
                assert "usetune" not in [name.name for name in node.names], path
