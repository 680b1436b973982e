"""Settings of Sphinx."""

import importlib.metadata

project = "memory-envs"
author = "memory-envs contributors"
copyright = f"2026, {author}"
release = importlib.metadata.version("memory-envs")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"{project} {release}"
