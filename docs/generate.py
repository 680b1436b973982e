"""Writes docs/environments.md from the docstrings of the environments.

Run it after changing a docstring or the table of ids: ``python docs/generate.py``. A test compares.
"""

import importlib
import inspect
import os
from pathlib import Path

from memory_envs import ENVIRONMENTS

PAGE = Path(__file__).with_name("environments.md")
_TITLES = {
    "tape": "Tape family",
    "algorithmic": "Algorithmic family",
    "maze": "Maze family",
}


def environments_page() -> str:
    """Returns the page as Markdown."""
    parts = ["# Environments\n\nWritten by `docs/generate.py` from the classes' docstrings.\n"]
    for family, title in _TITLES.items():
        specs = [spec for spec in ENVIRONMENTS.values() if spec.family == family]
        ids = "\n".join(f"- `{spec.id}`" for spec in specs)
        module, _, name = specs[0].entry_point.partition(":")
        docstring = inspect.getdoc(getattr(importlib.import_module(module), name))
        assert docstring is not None
        # The class docstrings use second-level headings; below a family they go one deeper.
        body = docstring.replace("\n## ", "\n### ").replace("``", "`")
        parts.append(f"## {title}\n\n{ids}\n\n{body}\n")
    return "\n".join(parts)


def main() -> None:
    """Writes the page, whole or not at all."""
    draft = PAGE.with_suffix(".tmp")
    draft.write_text(environments_page(), encoding="utf-8")
    os.replace(draft, PAGE)


if __name__ == "__main__":
    main()
