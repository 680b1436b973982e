"""The command says so if another package called `agents` stands in the way of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memory_envs import __main__ as command

ROOT = Path(__file__).parents[2]
FOREIGN = 'raise RuntimeError("the other package was run")\n'


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "memory_envs", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_the_package_is_the_command(tmp_path: Path) -> None:
    found = run(tmp_path, "--version")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("memory-envs ")
    assert run(tmp_path, "trian").returncode == 2


@pytest.mark.parametrize("file", ["agents/__init__.py", "agents.py"])
def test_a_file_in_the_working_directory_is_named(file: str, tmp_path: Path) -> None:
    foreign = tmp_path / file
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text(FOREIGN)
    found = run(tmp_path, "list")
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1
    assert f"memory-envs: {foreign} is found in place of our package agents." in found.stderr
    assert "Start the command from another folder" in found.stderr


def test_a_folder_without_an_init_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    assert run(tmp_path, "--version").returncode == 0


def test_a_package_that_was_installed_over_ours_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "agents" / "__init__.py"
    foreign.parent.mkdir()
    foreign.write_text(FOREIGN)
    monkeypatch.setattr(command, "_HERE", tmp_path)
    monkeypatch.setattr(
        command, "packages_distributions", lambda: {"agents": ["memory-envs", "openai-agents"]}
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "agents", raising=False)
    message = command.shadow()
    assert message is not None
    assert message.startswith(f"{foreign} is not ours: it is that of openai-agents, which was")
    assert "an environment of its own: python -m venv" in message


def test_what_is_ours_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command.shadow() is None
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert command.shadow() == 'agents is not installed: pip install "memory-envs[agents]"'
