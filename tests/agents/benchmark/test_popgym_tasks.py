"""POPGym's tasks in the benchmark: every agent sees its last action and a first step's flag."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from agents.benchmark.results import ResultError
from agents.benchmark.run import Job, run
from agents.benchmark.suites import SUITES, Task
from agents.benchmark.trial import Trial

pytest.importorskip("popgym")
TASKS = SUITES["popgym"].tasks
# POPGym's CountRecall and MultiarmedBandit give the same dict of infos again and again.
pytestmark = pytest.mark.filterwarnings("ignore:.*share an object")
# Discrete and MultiDiscrete observations, and numbers; the first has two numbers for an action, the
# second has actions of numbers.
KINDS = ("popgym-MineSweeperEasy", "popgym-PositionOnlyPendulumEasy", "popgym-CountRecallEasy")
SMALL = "n_steps=32 n_envs=2 n_epochs=1 batch_size=32"


def find(name: str) -> Task:
    found = SUITES["popgym"].find(name)
    assert found is not None
    return found


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_task_is_popgyms_own_beside_the_last_action_and_a_flag(task: Task) -> None:
    """300 random steps under the checker, beside POPGym's own environment and a twin."""
    env, twin = gym.make(task.env), gym.make(task.env)
    own = gym.make(f"popgym:{task.name}-v0", disable_env_checker=True)
    env.action_space.seed(0)
    null = np.zeros(env.action_space.shape or (), int)

    def check(shown: Any, again: Any, bare: Any, action: Any, flag: int) -> None:
        parts = bare if isinstance(own.observation_space, spaces.Tuple) else (bare,)
        assert data_equivalence(shown, again)
        for part, expected in zip(shown, (*parts, action, flag), strict=True):
            np.testing.assert_array_equal(part, expected)

    seen, again, bare = (one.reset(seed=3)[0] for one in (env, twin, own))
    check(seen, again, bare, null, 1)
    for _ in range(300):
        action = env.action_space.sample()
        (seen, *after), (again, *others), (bare, *its) = (
            one.step(action) for one in (env, twin, own)
        )
        assert after[:3] == others[:3] == its[:3]
        check(seen, again, bare, action, 0)
        if after[1] or after[2]:
            seen, again, bare = (one.reset()[0] for one in (env, twin, own))
            check(seen, again, bare, null, 1)


def test_a_task_takes_its_own_arguments() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'mines'"):
        gym.make(find(KINDS[0]).env, mines=3)


@pytest.mark.parametrize("name", KINDS)
def test_who_is_judged_sees_what_is_shown_in_training(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag and the action of every step, and new episodes that know nothing of the last."""
    monkeypatch.setattr("agents.benchmark.trial._CURVE_EPISODES", 8)
    trial = Trial(replace(find(name), timesteps=100), 0, tmp_path)
    actions = trial.make().action_space
    seen: list[Any] = []

    def play(turn: Any, state: Any) -> Any:
        *_, last, flag = turn.observations
        np.testing.assert_array_equal(flag, turn.starts)
        was = np.zeros_like(last) if state is None else state
        shape = (-1, *[1] * (last.ndim - 1))
        np.testing.assert_array_equal(last, np.where(turn.starts.reshape(shape), 0, was))
        seen.append(turn.observations)
        rows = len(turn.starts)
        if isinstance(actions, spaces.Box):
            chosen: Any = np.full((rows, *actions.shape), len(seen) % 2 + 0.5, np.float32)
        else:
            chosen = np.full((rows, *(actions.shape or ())), len(seen) % 2 + 1)
        return chosen, chosen

    trial.report(play)
    env = trial.make_vec(3, autoreset_mode=AutoresetMode.SAME_STEP)
    assert env.single_observation_space == trial.make().observation_space
    shown, _ = env.reset(seed=trial.env_seed)
    assert [np.shape(part)[1:] for part in shown] == [np.shape(part)[1:] for part in seen[0]]
    env.step(env.action_space.sample())
    assert trial.steps == 3


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "agent",
    [
        "ppo/gru n_envs=2 algorithm.n_steps=32 algorithm.batch_size=32 algorithm.n_epochs=1",
        f"sb3_contrib:RecurrentPPO {SMALL}",
        f"stable_baselines3:PPO stack=4 {SMALL}",
    ],
)
def test_agents_of_three_kinds_learn_there(
    name: str, agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.benchmark.trial.EPISODES", 4)
    monkeypatch.setattr("agents.benchmark.trial._CURVE_EPISODES", 2)
    monkeypatch.setattr("agents.training.training._EVALUATION_EPISODES", 2)
    monkeypatch.setattr("agents.training.training.FINAL_EPISODES", 4)
    small = replace(SUITES["popgym"], tasks=(replace(find(name), timesteps=64),))
    monkeypatch.setitem(SUITES, "popgym", small)
    found = run(Job("popgym", name, agent, 0, str(tmp_path)))
    assert (found.task, found.steps) == (name, 64)
    assert len(found.curve) >= 2
    assert -2.0 < found.evaluation["return_mean"] < 1.0


def test_a_result_of_a_suite_as_it_was_is_no_result_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.benchmark.trial.EPISODES", 1)
    job = Job("popgym", KINDS[0], "random", 0, str(tmp_path))
    once = replace(find(KINDS[0]), env=f"popgym:{KINDS[0]}-v0")
    with monkeypatch.context() as past:
        past.setitem(SUITES, "popgym", replace(SUITES["popgym"], tasks=(once,)))
        assert run(job) == run(job)
    with pytest.raises(ResultError, match=r"env is 'popgym:.*'; allowed: '.*:previous-action/"):
        run(job)
