"""Writes docs/environments.md, a page for each family and task, docs/cells.md, docs/api.

What they say comes from docstrings, the tables of ids and cells, and kept results. Run it after
changing one of these: ``python docs/generate.py``. A test compares.
"""

import importlib
import inspect
import os
from pathlib import Path
from typing import Any

from api_pages import PAGES as API_PAGES
from api_pages import api_pages
from arguments import arguments_list
from environment_pages import family_page, overview, task_page
from tasks import FAMILIES, PAGES, tasks

from agents.cells import CELLS, MemoryCell

PAGE = Path(__file__).with_name("environments.md")
CELLS_PAGE = Path(__file__).with_name("cells.md")


def cells_page() -> str:
    """Returns the page of the memory cells as Markdown."""
    parts = [
        "<!-- Written by docs/generate.py. -->\n# Memory cells\n\nThe names are what `memory=` "
        "takes, the arguments are `memory_kwargs`; [Memories](memories.md) explains\ntheir kinds "
        "with a picture each.\n"
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
        arguments = filter(None, [arguments_list(cls, hidden=("input_size",))])
        parts.append("\n\n".join([f"## {name}", _module_text(cls), about, *arguments]) + "\n")
    return "\n".join(parts)


def _module_text(cls: type[Any]) -> str:
    return (inspect.getdoc(importlib.import_module(cls.__module__)) or "").replace("``", "`")


def pages() -> dict[Path, str]:
    """Returns the text of every page that is written here, by file."""
    pages = {PAGE: overview(), CELLS_PAGE: cells_page(), **api_pages()}
    pages |= {PAGES / f"{family}.md": family_page(family) for family in FAMILIES}
    return pages | {PAGES / f"{task.slug}.md": task_page(task) for task in tasks()}


def main() -> None:
    """Writes the pages, each whole or not at all."""
    for folder in (PAGES, API_PAGES):
        folder.mkdir(exist_ok=True)
    for page, text in pages().items():
        draft = page.with_suffix(".tmp")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, page)


if __name__ == "__main__":
    main()
