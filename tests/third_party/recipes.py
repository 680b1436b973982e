"""The recipes of docs/third-parties.md, and how they are run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "third-parties.md"
_LANGUAGES = ("python", "bash")

Recipe = list[tuple[str, str]]


def read_recipes(page: str) -> dict[str, Recipe]:
    """The code blocks below each heading that has some: language and code, in their order."""
    recipes: dict[str, Recipe] = {}
    heading, language, code = "", None, ""
    for line in page.splitlines(keepends=True):
        if language is not None:
            if line.startswith("```"):
                recipes.setdefault(heading, []).append((language, code))
                language, code = None, ""
            else:
                code += line
        elif line.startswith("```"):
            language = line[3:].strip()
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    return recipes


def run_recipe(title: str, recipe: Recipe) -> dict[str, Any]:
    """Runs the blocks in the working directory.

    Returns:
        The names that the Python blocks define, and what the commands print as `output`.
    """
    names: dict[str, Any] = {"__name__": "recipe", "output": ""}
    for language, code in recipe:
        assert language in _LANGUAGES, f"{title}: a block in {language!r} would not be run"
        if language == "python":
            exec(compile(code, f"{PAGE.name}, {title}", "exec"), names)
        else:
            names["output"] += _run_commands(title, code)
    return names


def _run_commands(title: str, code: str) -> str:
    """As a user would who has activated the environment in which the tests run."""
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, f"{title}: {run.stdout[-2000:]}\n{run.stderr[-4000:]}"
    return run.stdout
