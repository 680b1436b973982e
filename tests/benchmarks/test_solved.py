"""What `memory-envs list` says is solved is what the published runs reached."""

import json

import pytest

from agents.training.presets.results import PresetResult, preset_results
from benchmarks.solved import SUMMARY, preset_of, summary
from memory_envs import ENVIRONMENTS


def test_the_packaged_summary_is_that_of_the_results() -> None:
    assert json.loads(SUMMARY.read_text(encoding="utf-8")) == summary()
    assert {row["env"] for row in summary()} <= set(ENVIRONMENTS)


def test_the_best_preset_comes_first() -> None:
    (only,) = preset_results("Tape-Reverse-v0")
    assert (only.agent, only.runs, only.solved, only.highest) == ("ppo/lstm", 3, 3, 1.0)
    hard = preset_results("Tape-Reverse-Hard-v0")
    assert hard[0].solved == hard[0].runs
    assert hard[-1].solved == 0
    assert preset_results("CartPole-v1") == []
    assert str(PresetResult("x", "ppo/lstm", 3, 2, 0.5, 1.0)) == "ppo/lstm 2 of 3 (0.50 - 1.00)"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--env X-v0 --algo ppo --memory lstm", ("X-v0", "ppo/lstm")),
        ("X-v0 --algo ppo --memory lstm --seed 3", ("X-v0", "ppo/lstm")),
        ("X-v0 --algo ppo --memory lstm --set n_envs=3", None),
        ("X-v0 --algo ppo --memory lstm --start-from rl-ntm/Copy", None),
    ],
)
def test_changed_presets_are_left_out(options: str, expected: tuple[str, str] | None) -> None:
    assert preset_of(f"memory-envs train {options}") == expected
