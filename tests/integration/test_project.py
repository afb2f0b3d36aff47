"""What stands in several files of the project agrees."""

import ast
import os
import re
import runpy
import tomllib
from importlib.metadata import packages_distributions

import pytest
import yaml

from tests import ROOT

SOURCE = ROOT / "src" / "usetune"


def importers():
    """Names of distributions → the packages of usetune that import them."""
    found, distributions = {}, packages_distributions()
    for path in SOURCE.rglob("*.py"):
        package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id == "require":
                    modules = [getattr(node.args[0], "value", "")]
            for module in modules:
                for name in distributions.get(module.split(".")[0], []):
                    name = name.lower().replace("_", "-")
                    found.setdefault(name, set()).add(package)
    return found


def test_requirements_say_who_needs_them():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    rows = [re.match(r"([\w-]+)(?:\[\w+\])?==\S+ +# ([^·]+) · \S", x) for x in lines]
    for line, row in zip(lines, rows, strict=True):
        assert row or not line or line.startswith("#"), line
    named = {row[1]: set(re.findall(r"\w+", row[2])) for row in rows if row}
    for name, packages in importers().items():
        if name != "usetune":
            assert packages <= named[name] or "everywhere" in named[name], name


def test_the_drawing_of_the_packages_is_current():
    """Made by ``python tools/draw_architecture.py``."""
    drawn = runpy.run_path(str(ROOT / "tools" / "draw_architecture.py"))["draw"]()
    assert (ROOT / "docs" / "architecture.svg").read_text() == drawn


@pytest.mark.parametrize("workflow", sorted(ROOT.glob(".github/workflows/*.yml")))
def test_ci_calls_targets_that_exist(workflow):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert runs and {run.removeprefix("make ") for run in runs} <= targets


def test_hooks_are_what_lint_runs():
    makefile = (ROOT / "Makefile").read_text()
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.M)[1]
    commands = re.findall(r"\$\(BIN\)/(.*?)(?: &&|\n)", lint)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (local,) = hooks
    entries = [hook["entry"].removeprefix(".venv/bin/") for hook in local["hooks"]]
    assert entries == commands
    assert all(hook["language"] == "system" for hook in local["hooks"])


def test_binder_installs_what_the_makefile_does():
    folder, make = ROOT / "binder", (ROOT / "Makefile").read_text()
    (included,) = re.findall(
        r"^-r (.+)", (folder / "requirements.txt").read_text(), re.M
    )
    assert (folder / included).resolve() == ROOT / "requirements.txt"
    assert os.access(folder / "postBuild", os.X_OK)
    installed = re.findall(r"-r (\S+)|-e (\.)", (folder / "postBuild").read_text())
    for name in ("requirements.txt", *filter(None, sum(installed, ()))):
        assert (ROOT / name).exists() and re.search(rf"-[re] {re.escape(name)}", make)


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
