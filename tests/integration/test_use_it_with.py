"""The blocks of docs/guides/use_it_with.md run, and print what is under them.

Most of the libraries are not in requirements.txt: in an environment that has them, too,
this file runs every block.
"""

import ast
import importlib.util
import re

import pytest

import usetune
from tests import ROOT

PAGE = (ROOT / "docs" / "guides" / "use_it_with.md").read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```", re.S | re.M)
START, *SECTIONS = re.split(r"^## ", PAGE, flags=re.M)
HEADINGS = [section.partition("\n")[0] for section in SECTIONS]


def missing(code):
    roots = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            roots.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            roots.update(own.name.partition(".")[0] for own in node.names)
    return sorted(name for name in roots if importlib.util.find_spec(name) is None)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("section", SECTIONS, ids=HEADINGS)
def test_block_prints_what_the_page_says(section, base, monkeypatch, tmp_path, capsys):
    code = BLOCK.search(section)[1]
    if missing(code):
        pytest.skip(f"{', '.join(missing(code))} is not installed")
    monkeypatch.setattr(usetune, "load_encoder", lambda: base)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in (BLOCK.search(START)[1], code):
        exec(compile(block, "use_it_with.md", "exec"), names)
    expected = re.search(r"^```text\n(.*?)^```", section, re.S | re.M)[1]
    assert capsys.readouterr().out == expected


def test_what_is_installed_anyway_is_run():
    of_section = dict(zip(HEADINGS, SECTIONS, strict=True))
    for heading in ("FAISS", "scikit-learn"):
        assert not missing(BLOCK.search(of_section[heading])[1])


def test_adapters_have_ten_lines_at_most():
    codes = [BLOCK.search(section)[1] for section in SECTIONS]
    adapters = [
        ast.get_source_segment(code, node)
        for code in codes
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ClassDef) and node.name.startswith("Usetune")
    ]
    assert len(adapters) == 5
    for adapter in adapters:
        assert len([line for line in adapter.splitlines() if line.strip()]) <= 10
