"""The adapters of other projects' agents, as far as they need none of these projects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conformance import __main__ as command
from benchmarks.conformance.cleanrl_lstm import Script, main_with_pauses

# Of the shape of CleanRL's scripts.
SCRIPT = """
from contextlib import nullcontext
from cleanrl_utils.wrappers import nothing_that_is_installed

if __name__ == "__main__":
    agent = "made"
    for iteration in range(2):
        with nullcontext():
            advantages = 10 + iteration
        for epoch in range(2):
            for minibatch in range(2):
                loss = 2 * epoch + minibatch
                optimizer.zero_grad()
                loss = None
"""


class Optimizer:
    def __init__(self) -> None:
        self.updates = 0

    def zero_grad(self) -> None:
        self.updates += 1


def test_a_script_pauses_where_it_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    names: dict[str, Any] = {"optimizer": Optimizer()}
    exec(main_with_pauses(path), names)
    script = Script(names["main"]())
    assert (script.place, script.now.agent) == ("made", "made")
    script.run_to("rollout")
    assert (script.now.advantages, names["optimizer"].updates) == (10, 0)
    script.run_to("update")
    assert (script.now.loss, names["optimizer"].updates) == (0, 0)
    script.run_to("rollout")
    assert (script.now.advantages, names["optimizer"].updates) == (11, 4)
    script.run_to("over")
    assert names["optimizer"].updates == 8


def test_another_script_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text("print(3)", encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.py'; allowed: CleanRL's ppo_atari_lstm\.py"):
        main_with_pauses(path)


def test_what_is_not_installed_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["cleanrl"])
    assert "cleanrl: left out, needs --cleanrl" in capsys.readouterr().out


def test_other_agents_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["dreamer"])
    assert "AGENT is 'dreamer'; allowed: recurrent-ppo" in capsys.readouterr().err


def test_the_page_tells_of_every_agent() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    section = page.partition("## What it finds")[2].partition("\n## ")[0]
    assert re.findall("^\\| `(.*?)`", section, re.MULTILINE) == list(command.AGENTS)
