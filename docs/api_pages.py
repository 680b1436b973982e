"""The text of docs/api/*.md: which names are public, for Sphinx to take their docstrings."""

import importlib
import inspect
from pathlib import Path
from typing import Any

PAGES = Path(__file__).with_name("api")
# A page is a title, what it is for, and the modules whose public names it shows.
_PAGES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "memory_envs": (
        "memory_envs",
        "Environments, tasks of one's own, and scores. `import memory_envs` registers all ids.",
        ("memory_envs",),
    ),
    "environments": (
        "Environment classes",
        "What the ids make. Their rules stand [on another page](../environments.md).",
        (
            "memory_envs.core.env",
            "memory_envs.core.vector",
            "memory_envs.tape",
            "memory_envs.algorithmic",
            "memory_envs.maze",
            "memory_envs.stream",
            "memory_envs.view",
        ),
    ),
    "wrappers": ("Wrappers", "What an agent needs of its environment.", ("memory_envs.wrappers",)),
    "oracles": (
        "Oracles and certificates",
        "Optimal play from the full state, and what can be had without memory.",
        ("memory_envs.oracles", "memory_envs.certificates"),
    ),
    "scoring": (
        "Scores",
        "Policies, agents of other libraries, and results.",
        (
            "memory_envs.scoring.policy",
            "memory_envs.scoring.result",
            "memory_envs.scoring.makers",
        ),
    ),
    "agents": (
        "agents",
        "Algorithms, policies, training and loading.",
        ("agents",),
    ),
    "cells": (
        "Memory cells",
        "What a cell is. [Another page](../cells.md) has those that come with the package.",
        ("agents.cells", "agents.cells.base"),
    ),
    "evaluation": (
        "Traces and memory maps",
        "What an agent did and what it remembered.",
        (
            "agents.evaluation.trace",
            "agents.evaluation.trace.failure",
            "agents.evaluation.memory_map",
        ),
    ),
    "conformance": (
        "Conformance",
        "Is a recurrent agent right? [Another page](../conformance.md) tells of the checks.",
        ("agents.evaluation.conformance",),
    ),
    "benchmark": (
        "Benchmark",
        "What an agent of one's own is handed.",
        ("agents.benchmark.suites", "agents.benchmark.trial"),
    ),
}


def api_pages() -> dict[Path, str]:
    """Returns the text of every page, by file."""
    listed = "\n".join(_PAGES)
    index = (
        "# API reference\n\nEverything public, from the docstrings. Whatever is not here may "
        f"change without notice.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    seen: set[int] = set()
    pages = {PAGES / f"{name}.md": _page(*about, seen) for name, about in _PAGES.items()}
    return {PAGES / "index.md": _WRITTEN + index} | pages


_WRITTEN = "<!-- Written by docs/generate.py. -->\n"


def _page(title: str, about: str, modules: tuple[str, ...], seen: set[int]) -> str:
    parts = [f"{_WRITTEN}# {title}", about]
    for module in modules:
        if len(modules) > 1:
            parts.append(f"## {module}")
        for name in public_names(module):
            thing = getattr(importlib.import_module(module), name)
            # Tables have no docstring.
            if (
                callable(thing) and id(thing) not in seen
            ):  # a name that two doors lead to is told at the first
                parts.append(_entry(module, name, thing))
            seen.add(id(thing))
    return "\n\n".join(parts) + "\n"


def public_names(module: str) -> list[str]:
    """Returns what a module says is public; else the classes and functions that it defines."""
    found = importlib.import_module(module)
    if hasattr(found, "__all__"):
        return list(found.__all__)
    return [
        name
        for name, thing in vars(found).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module
        if inspect.isclass(thing) or inspect.isfunction(thing)
    ]


def _entry(module: str, name: str, thing: Any) -> str:
    lines = [f".. autofunction:: {module}.{name}"]
    if inspect.isclass(thing):
        lines = [f".. autoclass:: {module}.{name}", "   :members:", "   :show-inheritance:"]
    return "\n".join(["```{eval-rst}", *lines, "```"])
