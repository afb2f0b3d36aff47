"""Links of prose and notebooks lead somewhere; code in prose imports what is there."""

import ast
import importlib
import json
import re

import pytest

from tests import ROOT

PROSE = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "data/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))


def name(path):
    return str(path.relative_to(ROOT))


def text_of(path):
    """Markdown without its code."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text())["cells"]
        prose = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
        return "\n\n".join(prose)
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)


def anchors(path):
    headings = re.findall(r"^#+ +(.+?) *$", text_of(path), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("path", PROSE + NOTEBOOKS, ids=name)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if re.match(r"[a-z]+:", link):
            assert re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", link), link
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists() and target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", PROSE, ids=name)
def test_code_imports_what_is_there(path):
    for code in re.findall(r"^```python\n(.*?)^```", path.read_text(), re.S | re.M):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("usetune"):
                module = importlib.import_module(node.module)
                for imported in node.names:
                    assert hasattr(module, imported.name), imported.name


def test_every_public_name_has_a_page():
    """``docs/api`` has one for each package, by its ``__all__``."""
    pages = {path.stem for path in (ROOT / "docs" / "api").glob("*.md")} - {"index"}
    source = ROOT / "src" / "usetune"
    found = {path.stem for path in source.glob("*.py")}
    found |= {path.parent.name for path in source.glob("*/__init__.py")}
    # Programs, whose guide is docs/guides/command_line.md.
    assert pages == found - {"__init__", "__main__", "_utils", "cli", "page"}
    index = (ROOT / "docs" / "api" / "index.md").read_text()
    assert all(f"\n{page}\n" in index for page in pages)
