"""The suites name environments that there are, with arguments that these take."""

import subprocess
import sys

import gymnasium as gym
import pytest

from agents.benchmark.suites import SUITES, Suite, Task, find_suite
from memory_envs import ENVIRONMENTS

TASKS = [task for suite in SUITES.values() if suite.needs is None for task in suite.tasks]


@pytest.mark.parametrize("suite", SUITES.values(), ids=list(SUITES))
def test_a_task_has_one_name_in_its_suite(suite: Suite) -> None:
    names = [task.name for task in suite.tasks]
    assert len(set(names)) == len(names) > 0
    assert all(task.timesteps > 0 for task in suite.tasks)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_task_can_be_made_as_it_is_evaluated(task: Task) -> None:
    assert task.env in ENVIRONMENTS
    gym.make_vec(task.env, num_envs=1, **task.evaluation_kwargs).close()


def test_every_tape_is_in_the_suite_of_its_tier() -> None:
    suites = {"tape-easy": "easy", "tape": "plain", "tape-hard": "hard"}
    for name, tier in suites.items():
        ids = {
            spec.id for spec in ENVIRONMENTS.values() if (spec.family, spec.tier) == ("tape", tier)
        }
        assert {task.env for task in SUITES[name].tasks} == ids


def test_a_suite_is_what_it_was() -> None:
    """Scores are of a suite as a whole: a task more, or fewer steps, and they mean another thing.

    New environments do not join a suite by themselves; a suite that changes gets another name.
    """
    sizes = {
        name: (len(suite.tasks), sum(task.timesteps for task in suite.tasks))
        for name, suite in SUITES.items()
    }
    assert sizes == {
        "quick": (5, 900_000),
        "tape-easy": (8, 1_600_000),
        "tape": (8, 3_200_000),
        "tape-hard": (8, 80_000_000),
        "algorithmic": (6, 12_000_000),
        "maze": (3, 1_200_000),
        "streams": (10, 40_000_000),
        "generalisation": (8, 26_000_000),
        "popgym": (28, 28_000_000),
    }
    assert [task.name for task in SUITES["streams"].tasks] == [
        "Stream-Copy",
        "Stream-RepeatCopy",
        "Stream-AssociativeRecall",
        "Stream-PrioritySort",
        "Stream-DynamicNGrams",
        "Stream-DoubleCopy",
        "Stream-DictionaryInference-4x1",
        "Stream-DictionaryInference-8x4",
        "Stream-DictionaryInference-12x8",
        "Stream-DictionaryInference-16x12",
    ]


def test_generalisation_asks_for_lengths_that_training_has_not() -> None:
    for task in SUITES["generalisation"].tasks:
        trained = ENVIRONMENTS[task.env].kwargs.get("max_length", 20)  # the NTM paper's, of streams
        assert task.evaluation_kwargs["min_length"] > trained


def test_popgym_is_not_needed_to_know_its_tasks() -> None:
    """A package that is not there, in a process of its own; whoever makes one is told."""
    program = """
import sys
sys.modules["popgym"] = None
import memory_envs
from agents.benchmark.suites import SUITES
from memory_envs.spec import check_env
try:
    check_env(SUITES["popgym"].tasks[0].env)
except ValueError as error:
    print(error)
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "popgym_tasks cannot be imported" in shown


def test_an_unknown_suite_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"suite is 'tapes'.*tape"):
        find_suite("tapes")


def test_a_suite_whose_package_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, "other", Suite("other", "", (), needs="no_such_package"))
    with pytest.raises(ValueError, match="needs no_such_package"):
        find_suite("other")
