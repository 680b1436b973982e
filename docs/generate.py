"""Writes docs/environments.md and docs/cells.md from the docstrings of environments and cells.

Run it after changing a docstring, the table of ids or that of cells: ``python docs/generate.py``. A
test compares.
"""

import importlib
import inspect
import os
import re
from pathlib import Path
from typing import Any

from agents.cells import CELLS, MemoryCell
from memory_envs import ENVIRONMENTS

PAGE = Path(__file__).with_name("environments.md")
CELLS_PAGE = Path(__file__).with_name("cells.md")
_TITLES = {
    "tape": "Tape family",
    "algorithmic": "Algorithmic family",
    "maze": "Maze family",
    "stream": "Stream family",
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


def cells_page() -> str:
    """Returns the page of the memory cells as Markdown."""
    parts = [
        "# Memory cells\n\nWritten by `docs/generate.py` from the docstrings. The names are what "
        "`memory=` takes, the\narguments are `memory_kwargs`.\n"
    ]
    told = {MemoryCell.__module__, *(cls.__module__ for cls in CELLS.values())}
    for name, cls in CELLS.items():
        for base in reversed(cls.__mro__):
            if issubclass(base, MemoryCell) and base.__module__ not in told:
                sharing = [f"`{other}`" for other, one in CELLS.items() if issubclass(one, base)]
                title = f"## What {', '.join(sharing[:-1])} and {sharing[-1]} share"
                text = f"{_module_text(base)}\n"
                parts.append(text if title in told else f"{title}\n\n{text}")
                told |= {base.__module__, title}
        about = inspect.cleandoc(cls.__doc__ or "").split("\n\nArgs:")[0].replace("``", "`")
        parts.append("\n\n".join([f"## {name}", _module_text(cls), about, *_arguments(cls)]) + "\n")
    return "\n".join(parts)


def _module_text(cls: type[Any]) -> str:
    return (inspect.getdoc(importlib.import_module(cls.__module__)) or "").replace("``", "`")


def _arguments(cls: type[Any]) -> list[str]:
    """The arguments of a cell with their defaults, as one list; none if it has none."""
    parameters = inspect.signature(cls).parameters
    # A subclass that takes the arguments of its base describes them there.
    docstrings = [inspect.cleandoc(base.__doc__ or "") + "\n" for base in cls.__mro__]
    section = re.search(r"\nArgs:\n((?:    .*\n)+)", "".join(docstrings))
    assert section is not None
    described = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section[1], re.MULTILINE)
    lines = [
        f"- `{name}={parameters[name].default!r}`: {' '.join(text.split())}"
        for name, text in described
        if name != "input_size"
    ]
    return ["\n".join(lines).replace("``", "`")] if lines else []


def main() -> None:
    """Writes the pages, each whole or not at all."""
    for page, text in ((PAGE, environments_page()), (CELLS_PAGE, cells_page())):
        draft = page.with_suffix(".tmp")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, page)


if __name__ == "__main__":
    main()
