"""The comparison of defaults: the same environments, an equal peer, and what is said of results."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import defaults, defaults_page
from benchmarks.panel import ALGORITHMS, PANEL, Task, make_env, make_model

SHORT = [task._replace(steps=2048) for task in PANEL]


# What POPGym does, and Gymnasium warns of.
@pytest.mark.filterwarnings("ignore:.*The infos returned by:UserWarning")
@pytest.mark.parametrize("task", PANEL, ids=lambda task: task.name)
def test_both_algorithms_get_the_same_environments(task: Task) -> None:
    ours, theirs = (make_env(task, name, 3) for name in ALGORITHMS)
    assert ours.action_space == theirs.action_space
    ours.reset()
    theirs.reset()
    ours.action_space.seed(0)
    for _ in range(20):
        actions = np.stack([ours.action_space.sample() for _ in range(ours.num_envs)])
        seen, expected = ours.step(actions), theirs.step(actions)
        np.testing.assert_array_equal(seen[1], expected[1])
        np.testing.assert_array_equal(seen[2], expected[2])
        if not task.one_hot:
            np.testing.assert_array_equal(seen[0], expected[0])


def test_whole_sequences_learn_what_the_original_learns() -> None:
    models = []
    for original in (True, False):
        task = PANEL[0]
        env = make_env(task, "RecurrentPPO", 0)
        models.append(make_model("RecurrentPPO", env, 0, original=original).learn(1024))
    expected, found = (model.policy.state_dict() for model in models)
    # 80 steps of Adam of at most the learning rate 3e-4 each, from gradients that round otherwise.
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=0)


def test_a_training_is_recorded_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "records.json"
    task = next(task for task in SHORT if task.name == "Tape-Copy-Easy")
    for _ in range(2):
        defaults.run(path, [task], ["MemoryPPO"], [5], jobs=1)
    (record,) = json.loads(path.read_text(encoding="utf-8"))
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert (record["task"], record["algorithm"], record["seed"]) == (task.name, "MemoryPPO", 5)
    assert len(record["curve"]) == defaults.TENTHS
    assert record["final"] == record["curve"][-1]


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([5.0, 6.0, 7.0], [1.0, 2.0, 3.0], "better"),
        ([1.0, 2.0, 3.0], [5.0, 6.0, 7.0], "worse"),
        ([5.0, 6.0, 7.0], [1.0, 6.0, 2.0], "higher, within noise"),
        ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0], "lower, within noise"),
        ([1.0], [], "not run"),
        ([9.0], [1.0, 2.0], "higher, one seed"),
        ([1.0, 1.0], [3.0], "lower, one seed"),
    ],
)
def test_the_verdict_weighs_the_difference_against_the_seeds(
    ours: list[float], theirs: list[float], said: str
) -> None:
    assert defaults_page.verdict(ours, theirs) == said


def _record(task: str, algorithm: str, seed: int, final: float) -> dict[str, Any]:
    return {
        "task": task,
        "algorithm": algorithm,
        "seed": seed,
        "curve": [None, *[final] * 9],
        "final": final,
        "evaluation": final,
        "commit": "0123456789",
        "machine": "a machine",
        "versions": {"torch": "2"},
    }


def test_the_page_shows_every_task_and_seed(tmp_path: Path) -> None:
    records = [
        _record(task.name, name, seed, 100.0 * seed + place)
        for place, task in enumerate(PANEL)
        for name in ALGORITHMS
        for seed in (0, 1)
    ]
    table = defaults_page.page(records).partition("\n## ")[0]  # the notes have tables of their own
    for place, task in enumerate(PANEL):
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {task.name} |")]
        assert row.count(f"({place:.2f}, {100 + place})") == 2
    defaults_page.draw(records, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_the_published_page_is_what_the_results_give() -> None:
    records = defaults_page.gather([defaults_page.RESULTS])
    assert defaults_page.PAGE.read_text(encoding="utf-8") == defaults_page.page(records)
