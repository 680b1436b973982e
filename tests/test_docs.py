"""The pages that are generated are as the code would generate them now; links lead somewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from memory_envs import ENVIRONMENTS

ROOT = Path(__file__).parents[1]
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def _script(name: str) -> ModuleType:
    """A script of `docs`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_environments_page_is_what_the_docstrings_say() -> None:
    script = _script("generate")
    assert script.PAGE.read_text(encoding="utf-8") == script.environments_page()


def test_every_family_says_what_its_success_is() -> None:
    page = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    families = page.split("\n## ")[1:]
    assert len(families) == len({spec.family for spec in ENVIRONMENTS.values()})
    assert all("\n### Success\n" in family for family in families)


def test_the_picture_of_the_rooms_shows_the_imports() -> None:
    script = _script("rooms")
    picture = script.picture()
    assert script.PICTURE.read_text(encoding="utf-8") == picture
    assert picture.count("<path") > 2 * len(script.ROOMS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_python_blocks_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    # The training example is shortened: what matters is that the lines run as written.
    source = "\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL))
    assert "learn(100_000)" in source
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "readme.py"  # Numba reads the source of what it compiles from its file
    script.write_text(source.replace("learn(100_000)", "learn(2_000)"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("readme", script)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert (tmp_path / "copy.zip").exists()


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_a_how_to_runs_alone(page: Path, tmp_path: Path) -> None:
    """Its blocks, in order, are one script."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "script.py"  # Numba reads the source of what it compiles from its file
    script.write_text("\n".join(blocks), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_there_is_a_how_to_for_everything_that_can_be_added() -> None:
    added = [page.stem.split("-")[-1] for page in HOW_TO if page.stem.startswith("add-")]
    assert added == ["cell", "family", "task", "algorithm"]
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert all(f"how-to/{page.stem}" in index for page in HOW_TO)
