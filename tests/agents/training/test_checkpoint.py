"""A run that was stopped and continued is, bit for bit, one that never stopped."""

import os
import random
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import agents
from agents.algorithms.progress import Display, Status
from agents.saving.archive import ModelFileError, read_archive, write_archive
from agents.saving.model_file import read_training
from agents.training.plan import FinishedError, Plan, first_plan, next_plan
from agents.training.recipes import RecipeError
from agents.training.run_directory import RunDirectory, training_seed
from agents.training.training import StopReason, Training
from benchmarks.runs import has_ended

SMALL: dict[str, Any] = {"env_kwargs.symbols": 3, "n_envs": 8}
ON_POLICY: dict[str, Any] = {"policy.net_arch": [8], "policy.encoder_size": 8}
PPO: dict[str, Any] = {
    **{**SMALL, **ON_POLICY, "timesteps": 1024, "policy.memory_kwargs": {"hidden_size": 8}},
    **{"algorithm.n_steps": 16, "algorithm.batch_size": 64, "algorithm.learning_rate": 3e-3},
    **{"curriculum.level": 1, "curriculum.refractory": 1, "curriculum.threshold": 1.0},
}
RUNS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "ppo with a curriculum": ("Tape-Reverse-Easy-v0", "ppo", "lstm", PPO),
    "ppo with the ntm": (
        "Tape-Copy-Easy-v0",
        *("ppo", "ntm"),
        {**PPO, "policy.memory_kwargs": {"memory_size": 4, "word_size": 3}, "timesteps": 512},
    ),
    "a2c": (
        "Algorithmic/Copy-v0",
        *("a2c", "gru"),
        {
            **ON_POLICY,
            "n_envs": 8,
            "timesteps": 1024,
            "algorithm.n_steps": 8,
            "deterministic": False,
        },
    ),
    "a2c in the maze": (
        "Maze-InvisibleGoal-9x9-v0",
        *("a2c", "lstm"),
        {
            **ON_POLICY,
            "n_envs": 4,
            "timesteps": 1024,
            "algorithm.n_steps": 20,
            "env_kwargs.max_steps": 50,
        },
    ),
    "reinforce": (
        "Tape-Copy-Easy-v0",
        *("reinforce", "lstm"),
        {**SMALL, **ON_POLICY, "timesteps": 1500, "algorithm.baseline": "time"},
    ),
    "rl_ntm": (
        "Tape-Copy-Easy-v0",
        *("rl_ntm", "direct_access"),
        {**SMALL, "timesteps": 3000, "policy.hidden_size": 8, "curriculum.refractory": 1},
    ),
    "rl_ntm-paper": (
        "Tape-Copy-Hard-v0",
        *("rl_ntm-paper", "lstm"),
        {
            **{**SMALL, "timesteps": 3000, "policy.hidden_size": 8},
            **{"env_kwargs.max_length": 4, "evaluation_kwargs.min_length": 4},
        },
    ),
}


class Interrupts(Display):
    """Sends the signal of Ctrl-C once so many steps are done."""

    def __init__(self, steps: float = float("inf")) -> None:
        self.steps = steps
        self.said: list[str] = []

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def update(self, status: Status) -> None:
        if status.steps >= self.steps:
            self.steps = float("inf")
            os.kill(os.getpid(), signal.SIGINT)

    def say(self, message: str) -> None:
        self.said.append(message)


def learn(training: Training, path: Path, stop_after: float = float("inf")) -> RunDirectory:
    run = RunDirectory(path)
    run.claim()
    torch.set_num_threads(1)
    reason = training.learn(run, Interrupts(stop_after))
    assert (reason is StopReason.INTERRUPTED) == (stop_after < float("inf"))
    return run


def disturb() -> list[float]:
    """Draws from the global generators, as another process would have them elsewhere."""
    return [
        random.random(),
        np.random.random(),  # noqa: NPY002  # the global one
        float(torch.rand(1)),
    ]


def progress(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    """What was logged but for times."""
    columns = run.read_progress()
    clocks = ("time/fps", "time/time_elapsed", "time/cpu_time", "time/iterations")
    return {name: values for name, values in columns.items() if name not in clocks}


def final_state(run: RunDirectory) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """All tensors of the last checkpoint, and what it says beside times."""
    metadata, tensors = read_archive(run.latest)
    del tensors["training.episodes.t"]  # when episodes ended
    return tensors, metadata


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_continued_gives_the_same_bits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.algorithms.progress._SECONDS_BETWEEN_UPDATES", 0.0)
    env, algorithm, memory, changes = RUNS[name]
    plan = first_plan(env, algorithm, memory, changes, seed=3)
    whole = learn(Training(plan), tmp_path / "whole")
    stopped = learn(Training(plan), tmp_path / "stopped", plan.recipe.timesteps / 3)
    disturb()
    again = Training(next_plan(stopped), parent=stopped)
    assert again.difference == ""
    middle = learn(again, tmp_path / "middle", plan.recipe.timesteps * 2 / 3)
    last = learn(Training(next_plan(middle), parent=middle), tmp_path / "last")

    expected, found = final_state(whole), final_state(last)
    assert expected[0].keys() == found[0].keys()
    different = [key for key, value in expected[0].items() if not torch.equal(value, found[0][key])]
    assert different == []
    assert expected[1] == found[1]
    models = [agents.load(run.model).policy.state_dict() for run in (whole, last)]
    assert all(torch.equal(value, models[1][key]) for key, value in models[0].items())

    logged = progress(whole)
    parts = [progress(run) for run in (stopped, middle, last)]
    assert {"evaluation/return", "rollout/ep_rew_mean"} <= logged.keys()
    for key, values in logged.items():
        joined = [row for part in parts for row in part.get(key, [])]
        np.testing.assert_array_equal(joined, values, key)


def test_a_finished_model_is_small(tmp_path: Path) -> None:
    run = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "run")
    metadata, tensors = read_archive(run.model)
    assert "training" not in metadata
    assert all(name.startswith("policy.") for name in tensors)
    with pytest.raises(ModelFileError, match="it is a model, not a checkpoint"):
        read_training(run.model)
    checkpoints = list(run.checkpoints.iterdir())
    assert len(checkpoints) > 5
    for checkpoint in checkpoints:
        assert checkpoint.stat().st_size > 3 * run.model.stat().st_size
        assert agents.load(checkpoint).num_timesteps <= 1024


def test_what_cannot_be_restored_begins_new_episodes(tmp_path: Path) -> None:
    small = {**ON_POLICY, "n_envs": 2, "timesteps": 64, "algorithm.n_steps": 8}
    plan = first_plan("CartPole-v1", "a2c", "gru", small)
    run = learn(Training(plan), tmp_path / "run")
    more = next_plan(run, {"timesteps": 128})
    continued = Training(more, parent=run)
    assert continued.difference.endswith("new episodes begin")
    assert continued.model._last_episode_starts is not None
    assert continued.model._last_episode_starts.all()
    learn(continued, tmp_path / "next")
    # Of ours too, where the rows are others.
    tape = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "tape")
    other = next_plan(tape, {"timesteps": 2048, "n_envs": 4, "algorithm.batch_size": 64})
    assert Training(other, parent=tape).difference.endswith("new episodes begin")
    other = next_plan(tape, {"timesteps": 2048, "env_kwargs.wrong_reward": -0.1})
    assert Training(other, parent=tape).difference.endswith("new episodes begin")
    assert not Training(next_plan(tape, {"timesteps": 2048}), parent=tape).difference


def test_a_finished_run_says_that_nothing_is_left(tmp_path: Path) -> None:
    training = Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO))
    run = learn(training, tmp_path / "run")
    training.finish()
    with pytest.raises(FinishedError, match="is finished: it has done 1,024 of 1,024 steps; to go"):
        next_plan(run)
    assert next_plan(run, {"timesteps": 1025}).part == 1
    easy = {**PPO, "env_kwargs.max_length": 1, "curriculum": None, "deterministic": False}
    plan = first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", easy, stop_at_success=0.001)
    early = RunDirectory(tmp_path / "early")
    early.claim()
    stopped = Training(plan)
    assert stopped.learn(early, Interrupts()) is StopReason.SUCCESS
    stopped.finish()
    with pytest.raises(FinishedError, match=r"is finished: it stopped at success 0\.001; to go on"):
        next_plan(early)
    assert next_plan(early, stop_at_success=0.5).stop_at_success == 0.5


@pytest.mark.parametrize("reason", [StopReason.STEPS_DONE, StopReason.SUCCESS])
def test_a_run_that_is_killed_after_its_last_checkpoint_gets_what_it_lacks(
    reason: StopReason, tmp_path: Path
) -> None:
    easy = {**PPO, "env_kwargs.max_length": 1, "curriculum": None, "deterministic": False}
    stop = 0.001 if reason is StopReason.SUCCESS else None
    plan = first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", easy, stop_at_success=stop)
    training = Training(plan)
    whole = learn(training, tmp_path / "whole")
    expected, _ = training.finish()
    killed = learn(Training(plan), tmp_path / "killed")
    killed.model.unlink()

    again = Training(next_plan(killed), parent=killed)
    last = RunDirectory(tmp_path / "last")
    last.claim()
    assert again.learn(last, Interrupts()) is reason
    assert replace(again.finish()[0], model=expected.model) == expected
    assert {path.name for path in last.path.iterdir()} == {
        path.name for path in whole.path.iterdir()
    }
    states = [read_archive(run.model)[1] for run in (whole, last)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert final_state(whole)[1] == final_state(last)[1]
    with pytest.raises(FinishedError):
        next_plan(last)


def test_a_run_is_finished_once_all_its_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO))
    run = learn(training, tmp_path / "run")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agents.training.training.trace_png", kill)
    with pytest.raises(KeyboardInterrupt):
        training.finish()
    assert not has_ended(run.path)
    monkeypatch.undo()
    training.finish()
    assert has_ended(run.path)


def test_a_run_without_a_checkpoint_is_done_from_its_beginning(tmp_path: Path) -> None:
    plan = first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO, seed=9)
    run = learn(Training(plan), tmp_path / "run")
    run.model.unlink()
    for checkpoint in run.checkpoints.iterdir():
        checkpoint.unlink()
    again = next_plan(run)
    assert (again.part, again.seed, again.recipe) == (0, 9, plan.recipe)


def test_a_run_that_is_killed_as_soon_as_it_goes_on_can_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "run")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    again = Training(next_plan(run, {"timesteps": 2048}), parent=run)
    with monkeypatch.context() as patch:
        patch.setattr("agents.training.training.open_logger", kill)
        with pytest.raises(KeyboardInterrupt):
            learn(again, tmp_path / "killed")
    killed = RunDirectory(tmp_path / "killed")
    last = Training(next_plan(killed), parent=killed)
    assert (last.model.num_timesteps, last.difference) == (1024, "")


def test_a_model_without_a_checkpoint_is_not_continued(tmp_path: Path) -> None:
    run = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "run")
    run.latest.unlink()
    with pytest.raises(RecipeError, match=r"holds a model, but no checkpoints/model-latest\.zip"):
        next_plan(run)


@pytest.mark.parametrize("name", ["environments.env.rows", "environments.obs", "generators.model"])
def test_a_damaged_training_is_refused(name: str, tmp_path: Path) -> None:
    run = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "run")
    plan: Plan = next_plan(run, {"timesteps": 2048})
    metadata, tensors = read_archive(run.latest)
    tensors[f"training.{name}"] = tensors[f"training.{name}"][:-3]
    write_archive(run.latest, metadata, tensors)
    with pytest.raises(ModelFileError, match="its training is damaged"):
        Training(plan, parent=run)


def test_every_generator_returns_to_where_it_was(tmp_path: Path) -> None:
    run = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "run")
    training = Training(next_plan(run, {"timesteps": 2048}), parent=run)
    model, standing = training.model, training._standing

    def draw() -> list[float]:
        own = (model.generator, model.predict_generator)
        return [*disturb(), *(float(torch.rand(1, generator=one)) for one in own)]

    draw()
    state = standing.capture()
    first, second = draw(), draw()
    assert len({*first, *second}) == 10
    assert standing.restore(state) == ""
    assert draw() == first


def test_what_lies_between_fields_is_no_part_of_a_checkpoint(tmp_path: Path) -> None:
    """Else two checkpoints of one state would differ by what was in the memory before."""
    training = Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO))
    training.model._last_obs = training.env.reset()
    training.model._last_episode_starts = np.ones(8, np.bool_)
    parts = []
    for filling in (0, 255):
        state: Any = training.env.env.unwrapped
        rows = state._state.rows
        kept = rows.copy()
        rows.view(np.uint8)[:] = filling
        for name in rows.dtype.names:
            rows[name] = kept[name]
        parts.append(training._standing.capture().tensors["environments.env.rows"])
    assert rows.dtype.itemsize > sum(rows.dtype[name].itemsize for name in rows.dtype.names)
    assert torch.equal(*parts)


def test_the_first_checkpoint_comes_at_once(tmp_path: Path) -> None:
    seen: list[bool] = []
    run = RunDirectory(tmp_path / "run")
    run.claim()

    class Looks(Interrupts):
        def update(self, status: Status) -> None:
            seen.append(run.latest.exists())

    Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)).learn(run, Looks())
    assert seen[0], "at the first step"


def test_settings_can_be_changed_while_a_run_goes_on(tmp_path: Path) -> None:
    run = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "run")

    def goes_on(**changes: Any) -> Any:
        changes = {name.replace("__", "."): value for name, value in changes.items()}
        return Training(next_plan(run, {"timesteps": 2048, **changes}), parent=run)

    changed = {"algorithm__learning_rate": 0.5, "algorithm__n_epochs": 3, "algorithm__gamma": 0.5}
    model = goes_on(**changed).model
    assert (model.lr_schedule(1.0), model.n_epochs, model.gamma) == (0.5, 3, 0.5)
    level = goes_on().curriculum.level
    assert level > 2
    other = goes_on(curriculum__threshold=0.5)
    assert (other.curriculum.level, other.difference) == (level, "")
    assert goes_on(curriculum=None).curriculum is None
    with pytest.raises(RecipeError, match=r"settings: policy is decided by the run to continue"):
        goes_on(policy__net_arch=[9])
    with pytest.raises(RecipeError, match=f"^env_kwargs cannot be .*level is {level}; .* 0 to 2"):
        goes_on(env_kwargs__max_length=2)
    plain = {name: value for name, value in PPO.items() if "curriculum" not in name}
    plan = first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", {**plain, "curriculum": None})
    run = learn(Training(plan), tmp_path / "plain")
    assert goes_on(curriculum__level=2).curriculum.level == 2


def test_on_another_device_the_same_episodes_go_on(tmp_path: Path) -> None:
    run = learn(Training(first_plan("Tape-Copy-Easy-v0", "ppo", "lstm", PPO)), tmp_path / "run")
    metadata, tensors = read_archive(run.latest)
    metadata["training"]["device"] = "cuda"
    write_archive(run.latest, metadata, tensors)
    continued = Training(next_plan(run, {"timesteps": 2048}), parent=run)
    assert continued.difference == "numbers are drawn anew, no more on cuda"
    fresh = torch.Generator().manual_seed(training_seed(0, 1))
    assert torch.equal(continued.model.generator.get_state(), fresh.get_state())
    kept = tensors["training.environments.obs"].numpy().tobytes()
    assert continued.model._last_obs.tobytes() == kept  # type: ignore[union-attr]  # an array
