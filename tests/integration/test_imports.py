"""What an import loads, in a fresh process, and what no module may do."""

import ast
import subprocess
import sys

from tests import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
OPTIONAL = ["ray", "gradio", "faiss", "keras_hub", "kagglehub", "usetune.page"]
UNUSED = ["sklearn.manifold", "sklearn.linear_model"]
HEAVY = ["tensorflow", "keras", "pandas", "sklearn", "matplotlib"]


def loaded_by(statements, names):
    """Those of ``names`` that a new process has loaded, after each statement."""
    code = "import sys"
    for statement in statements:
        code += f"\n{statement}\nprint([n for n in {names} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [ast.literal_eval(line) for line in done.stdout.splitlines()]


def test_an_import_loads_no_more_than_it_needs():
    front, encoders, training = loaded_by(
        [
            "import usetune",
            "from usetune import load_encoder",
            "from usetune import fine_tune, load_encoder",
        ],
        OPTIONAL + UNUSED + HEAVY,
    )
    assert front == []
    for loaded in encoders, training:
        assert not {*loaded} & {*OPTIONAL, *UNUSED}
        # What is loaded is seen.
        assert {"tensorflow", "keras"} <= {*loaded}


def test_no_module_imports_the_front_door():
    """It is for users; inside, it would hide a circle."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "usetune", path
            elif isinstance(node, ast.Import):
                assert "usetune" not in [name.name for name in node.names], path
