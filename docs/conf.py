"""The site: guides, the stored notebooks, and a page for each package.

``make docs`` builds it, offline, with warnings as errors.
"""

import importlib
import inspect
import os
import pkgutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.logging import getLogger

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import usetune  # noqa: E402

project = "usetune"
author = "the usetune contributors"
release = metadata.version("usetune")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# The root of the sources is the repository, so that a link between these files is the
# same on the site and in the repository, and is checked here.
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "notebooks/**.ipynb"]
include_patterns += ["benchmarks/*.md", "data/*.md"]
exclude_patterns = [".*", "**/.ipynb_checkpoints", "build", "dist", "outputs", "logs"]
exclude_patterns += ["src", "tests"]
html_theme = "furo"
html_title = f"usetune {release}"
html_copy_source = False
html_show_copyright = False
html_extra_path = ["extra"]  # from the root to docs/index.html

# A name in single backticks in a docstring is a link where the name is public.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath", "substitution"]
# The notebooks are shown as they are stored; `make notebooks` runs them.
nb_execution_mode = "off"
nb_merge_streams = True


def _public(module: Any) -> list[str]:
    """Names of a package by its ``__all__``, of a module by what it defines."""
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and inspect.getmodule(value) is module
    ]
    return getattr(module, "__all__", own)


# The pages of docs/api, each public name with its place there, and what api/index.md
# says of both.
MODULES = [
    importlib.import_module(f"usetune.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("api/*.md"))
    if path.stem != "index"
]
PAGES = {
    name: f"{module.__name__}.{name}" for module in MODULES for name in _public(module)
}
myst_substitutions = {
    "front_door": ", ".join(
        f"{{py:obj}}`{name} <{PAGES[name]}>`"
        for name in usetune.__all__
        if name in PAGES
    ),
    "packages": "\n".join(
        f"- [`{module.__name__}`]({module.__name__.removeprefix('usetune.')}.md): "
        f"{(module.__doc__ or '').splitlines()[0]}"
        for module in MODULES
    ),
}


def resolve(
    app: Sphinx, env: BuildEnvironment, node: nodes.Element, content: nodes.Element
) -> nodes.Element | None:
    """Link a public name, given alone or with a path, from any docstring."""
    target = node.get("reftarget", "")
    if target.startswith("usetune."):
        try:
            found = pkgutil.resolve_name(target)
        except (ImportError, AttributeError):
            getLogger(__name__).warning("there is no %s", target, location=node)
            return None
        target = getattr(found, "__qualname__", target.rpartition(".")[2])
    first, _, rest = target.partition(".")
    if first not in PAGES:
        return None
    full = f"{PAGES[first]}.{rest}".rstrip(".")
    return env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, "obj", full, node, content
    )


def check_pages(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that no page describes."""
    described = env.domains["py"].data["objects"]
    for name in sorted(set(PAGES.values()) - described.keys()):
        getLogger(__name__).warning("no page describes %s", name)


def setup(app: Sphinx) -> None:
    """Add `resolve` and `check_pages` to Sphinx."""
    app.connect("missing-reference", resolve)
    app.connect("env-check-consistency", check_pages)
