"""Settings of Sphinx."""

import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # autodoc reads this checkout
sys.path.insert(0, str(Path(__file__).parent))

import page_scripts

project = "memory-envs"
author = "memory-envs contributors"
copyright = f"2026, {author}"
release = importlib.metadata.version("memory-envs")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",  # a link from each entry of the reference to its source
]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
myst_html_meta = {  # what a search engine shows of a page
    "description lang=en": "Gymnasium environments whose optimal play needs memory, and agents "
    "with memory that learn them"
}
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes have no entry of their own beside that of autodoc
napoleon_attr_annotations = False  # it takes `numpy.str_` for a link

# Only links within the documentation are checked: a build needs no network.
linkcheck_ignore = [r"https?://"]

# Docstrings write code in single backticks, as Markdown does.
default_role = "code"
smartquotes = False

html_theme = "furo"
html_title = f"{project} {release}"
html_logo = html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["copy.js", "sort.js"]


def _rewrite(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Turns the Markdown of a docstring, headings and code, into reStructuredText."""
    for k, line in enumerate(lines):
        line = re.sub(r"`*\bdocs/([\w/-]+)\.md`*", r":doc:`/\1`", line)
        lines[k] = re.sub(r"^## (.*)", r".. rubric:: \1", line)
        code_follows = lines[k + 1 : k + 2] == [""] and "".join(lines[k + 2 : k + 3])[:4] == "    "
        if code_follows and re.search(r"^[^:\s].*[^:]:$", line):
            lines[k] = f"{line}:"


def setup(app: Any) -> None:
    """Sphinx calls it when it begins."""
    app.connect("autodoc-process-docstring", _rewrite)
    app.connect("html-page-context", page_scripts.offer)
