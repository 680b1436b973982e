"""The callbacks of a training run, and what it shows."""

import io
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from agents import RLNTM, MemoryPPO, make_vec_env
from agents.algorithms.curriculum import CurriculumCallback, make_curriculum_callback
from agents.algorithms.progress import (
    HeldOut,
    LineDisplay,
    LiveDisplay,
    ProgressCallback,
    Status,
    make_display,
)
from agents.training.callbacks import (
    CheckpointCallback,
    EvaluationCallback,
    StopCallback,
)
from agents.training.run_directory import HELD_OUT_SEEDS, TRAINING_SEEDS, training_seed
from memory_envs import Curriculum
from memory_envs.scoring.opening import open_rows
from memory_envs.scoring.play import EpisodeResults

ENV = "Tape-Copy-Easy-v0"


def model_on(env: Any, seed: int = 0) -> MemoryPPO:
    return MemoryPPO(
        "MemoryPolicy",
        env,
        n_steps=16,
        batch_size=64,
        n_epochs=1,
        policy_kwargs={"memory": "none", "net_arch": [8]},
        seed=seed,
    )


def attach(callback: BaseCallback, steps: int = 0) -> dict[str, Any]:
    """Give a callback a stand-in for a model; returns what it logs."""
    logger = Logger(None, [])
    callback.model = SimpleNamespace(logger=logger, num_timesteps=steps)  # type: ignore[assignment]
    callback.num_timesteps = steps
    return logger.name_to_value


def test_the_curriculum_counts_a_rollout_as_one_update() -> None:
    curriculum = Curriculum(5, level=1, threshold=0.5, refractory=2, decay=0.5)
    callback = CurriculumCallback(curriculum)
    logged = attach(callback)
    callback.locals = {
        "dones": np.array([True, False, True]),
        "infos": [{"success": np.True_}, {}, {"success": np.False_}],
    }
    callback.on_step()  # errors 0 and 1
    callback.locals = {"dones": np.array([True]), "infos": [{"success": np.True_}]}
    callback.on_step()
    callback.on_step()
    callback.on_rollout_end()  # their mean is 1/4
    assert curriculum.running_error == pytest.approx(0.5 * 1.0 + 0.5 * 0.25)
    assert (curriculum.level, logged["curriculum/level"]) == (1, 1)
    assert curriculum.updates_since_advance == 1
    callback.on_step()
    callback.on_rollout_end()  # 0.3125 < 0.5, and the second update
    assert logged["curriculum/level"] == curriculum.level == 2
    assert logged["curriculum/error"] == 1.0


def test_the_curriculum_can_count_missed_symbols() -> None:
    curriculum = Curriculum(5, decay=0.5)
    callback = CurriculumCallback(curriculum, "symbols")
    attach(callback)
    infos = [{"symbols_correct": 3, "target_size": 4}, {"symbols_correct": 1, "target_size": 2}]
    callback.locals = {"dones": np.array([True, True]), "infos": infos}
    callback.on_step()  # errors 1/4 and 1/2
    callback.on_rollout_end()
    assert curriculum.running_error == pytest.approx(0.5 * 1.0 + 0.5 * 0.375)
    with pytest.raises(ValueError, match="error is 'symbol'; allowed: episodes, symbols"):
        CurriculumCallback(curriculum, "symbol")


def test_the_curriculum_moves_a_training_on() -> None:
    curriculum = Curriculum(5, level=0, threshold=1.0, refractory=0, p_any=0.0, p_below=0.0)
    env = make_vec_env(ENV, 8, curriculum=curriculum)
    model_on(env).learn(20 * 128, callback=CurriculumCallback(curriculum))
    assert curriculum.level > 0
    while not curriculum.finished:
        curriculum.record([0.0])
        curriculum.update()
    env.reset()
    assert [info["complexity"] for info in env.reset_infos] == [5] * 8


@pytest.mark.parametrize(
    ("settings", "env_kwargs", "level"),
    [
        ({}, {}, 5),
        ({}, {"max_length": 3}, 3),
        ({"max_level": 4}, {}, 4),
        ({"max_level": 2}, {"max_length": 3}, 2),
    ],
)
def test_a_curriculum_ends_where_its_environment_does_or_where_it_is_told_to(
    settings: dict[str, Any], env_kwargs: dict[str, Any], level: int
) -> None:
    callback = make_curriculum_callback(settings, ENV, env_kwargs)
    assert (callback.curriculum.max_level, callback.error) == (level, "episodes")


class Successes(EvaluationCallback):
    """Finds what it is told to find."""

    def __init__(self, found: list[float], **kwargs: Any) -> None:
        super().__init__(open_rows(ENV, 1), every=10, episodes=100, **kwargs)
        self.found = found
        self.asked: list[int] = []

    def evaluate(self, episodes: int) -> EpisodeResults:
        self.asked.append(episodes)
        ones = round(self.found.pop(0) * episodes)
        successes = np.arange(episodes) < ones
        return EpisodeResults(successes.astype(float), np.ones(episodes, np.int64), successes)


def test_training_stops_only_when_a_larger_evaluation_confirms() -> None:
    callback = Successes([0.5, 0.96, 0.94, 0.95, 0.95], stop_at=0.95, confirming_episodes=1000)
    logged = attach(callback)
    callback.on_training_start({}, {})
    stopped = []
    for steps in (0, 5, 10, 20):
        callback.model.num_timesteps = callback.num_timesteps = steps
        callback.on_rollout_start()
        stopped.append(not callback.on_step())
    assert callback.asked == [100, 100, 1000, 100, 1000]  # none at step 5: not due
    assert stopped == [False, False, False, True]
    assert callback.stopped
    assert logged == {}, "an evaluation is written down at once"


def test_without_a_goal_nothing_stops() -> None:
    callback = Successes([1.0, 1.0])
    attach(callback)
    callback.on_training_start({}, {})
    callback.on_rollout_start()
    assert callback.on_step()
    assert callback.asked == [100]


def test_evaluations_meet_new_episodes_that_were_never_trained_on() -> None:
    rows = open_rows(ENV, 8)
    met: list[int] = []
    original = rows.begin

    def note(seeds: Sequence[int]) -> Any:
        met.extend(seeds)
        return original(seeds)

    rows.begin = note  # type: ignore[method-assign]
    callback = EvaluationCallback(rows, every=1, episodes=8)
    callback.init_callback(model_on(make_vec_env(ENV, 8)))
    for _ in range(3):
        callback.evaluate(8)
    assert len(set(met)) == 24
    assert min(met) >= HELD_OUT_SEEDS > 2**32
    assert max(met) < TRAINING_SEEDS <= training_seed(0)


def test_runs_and_their_continuations_train_on_different_episodes() -> None:
    first_rows = [training_seed(seed, part) for seed in (0, 1, 2**32 - 1) for part in (0, 1)]
    assert len(set(first_rows)) == 6
    assert min(np.diff(sorted(first_rows))) >= 2**20, "rows of two runs would overlap"
    assert max(first_rows) < 2**63


def test_evaluating_changes_nothing_in_the_training() -> None:
    def weights(*callbacks: BaseCallback) -> list[torch.Tensor]:
        model = model_on(make_vec_env(ENV, 8), seed=4)
        model.learn(4 * 128, callback=list(callbacks))
        return list(model.policy.parameters())

    evaluation = EvaluationCallback(open_rows(ENV, 8), every=1, episodes=8)
    with_it, without = weights(evaluation), weights()
    assert evaluation.last is not None
    assert all(torch.equal(a, b) for a, b in zip(with_it, without, strict=True))


def test_what_is_evaluated_last_is_what_is_kept() -> None:
    rows = open_rows(ENV, 8)
    kept: list[torch.Tensor] = []

    class Stop(EvaluationCallback):
        def evaluate(self, episodes: int) -> EpisodeResults:
            if self.num_timesteps >= 256:
                kept[:] = [p.clone() for p in self.model.policy.parameters()]
                return EpisodeResults(np.ones(1), np.ones(1, np.int64), np.ones(1, np.bool_))
            return super().evaluate(episodes)

    model = model_on(make_vec_env(ENV, 8))
    model.learn(10_000, callback=Stop(rows, every=1, episodes=8, stop_at=1.0))
    assert model.num_timesteps == 256 + 8
    same = zip(kept, model.policy.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_an_event_ends_the_training_when_the_update_is_done() -> None:
    event = threading.Event()
    event.set()
    model = model_on(make_vec_env(ENV, 8))
    model.learn(10_000, callback=StopCallback(event))
    assert (model.num_timesteps, model._n_updates) == (8, 0)
    event.clear()

    class Later(BaseCallback):
        def _on_step(self) -> bool:
            if self.num_timesteps == 40:
                event.set()
            return True

    stop = StopCallback(event)
    model.learn(10_000, callback=[stop, Later()])
    assert (model.num_timesteps, model._n_updates) == (128 + 8, 1)
    assert stop.stopping


def test_checkpoints_come_every_so_often() -> None:
    saved: list[str] = []
    model = model_on(make_vec_env(ENV, 8))
    seldom = 1e9  # seconds: a rollout may take long
    model.learn(7 * 128, callback=CheckpointCallback(200, saved.append, seconds=seldom))
    kept = ["model-256", "model-latest", "model-512", "model-latest", "model-768", "model-latest"]
    assert saved == ["model-latest", *kept], "the first at once"
    saved.clear()
    even = CheckpointCallback(256, saved.append, seconds=seldom)
    model_on(make_vec_env(ENV, 8)).learn(4 * 128, callback=even)
    assert saved == ["model-latest", "model-256", "model-latest"], "as soon as it is due"
    saved.clear()
    often = CheckpointCallback(200, saved.append, seconds=0)
    model_on(make_vec_env(ENV, 8)).learn(3 * 128, callback=often)
    assert saved == ["model-latest", "model-latest", "model-256", "model-latest"]
    saved.clear()
    last = CheckpointCallback(10_000, saved.append, ends=lambda: len(saved) > 0, seconds=seldom)
    model_on(make_vec_env(ENV, 8)).learn(3 * 128, callback=last)
    assert saved == ["model-latest"] * 3, "the training's end is kept"


def test_a_killed_run_has_lost_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[str] = []
    now = [0.0]
    monkeypatch.setattr("agents.training.callbacks.time.monotonic", lambda: now[0])
    callback = CheckpointCallback(10**9, saved.append)
    attach(callback)
    callback.on_training_start({}, {})
    counts = []
    for second in range(25):
        now[0] = float(second)
        callback.on_rollout_start()
        counts.append(len(saved))
    assert [counts.index(number) for number in (1, 2, 3)] == [0, 10, 20]


def test_the_display_gets_the_numbers() -> None:
    console = Console(file=io.StringIO())
    display = LineDisplay(console)
    curriculum = Curriculum(5, level=2, refractory=10_000)
    evaluation = EvaluationCallback(open_rows(ENV, 8), every=10_000, episodes=8)
    model = model_on(make_vec_env(ENV, 8, curriculum=curriculum))
    progress = ProgressCallback(display, 256, curriculum, evaluation.held_out)
    status = progress.status
    model.learn(256, callback=[evaluation, progress])
    assert (status.steps, status.level, status.max_level) == (256, 2, 5)
    assert evaluation.last is not None
    assert status.held_out is not None
    assert status.held_out.success == evaluation.last.success
    assert status.held_out.mean_return == pytest.approx(evaluation.last.returns.mean())
    assert status.held_out.random_return is not None
    assert status.held_out.optimal_return is not None
    assert 0.0 <= status.held_out.random_return < 1.0 < status.held_out.optimal_return
    assert status.episode_return is not None
    assert status.success is not None


def test_without_a_terminal_there_are_lines() -> None:
    target, now = io.StringIO(), [0.0]
    console = Console(file=target, width=40)
    display = LineDisplay(console, clock=lambda: now[0])
    status = Status(total=10_000, steps=1_000, success=0.25, episode_return=1.5, held_out=HeldOut())
    with display:
        display.say("hello")
        for second in range(40):
            now[0] = float(second)
            status.steps = 1_000 * second
            display.update(status)
    lines = target.getvalue().splitlines()
    assert lines[0] == "hello"
    assert [line.split("  ")[0] for line in lines[1:]] == [
        f"steps {second},000 of 10,000" for second in (1, 3, 7, 15, 25, 35, 39)
    ]
    numbers = "return 1.500  success 0.250  held-out return -  held-out success -"
    assert f"steps/s 1,000  {numbers}" in lines[4]
    assert lines[4].endswith("elapsed 0:15")
    assert "\x1b" not in target.getvalue()
    assert isinstance(make_display(console, ""), LineDisplay)


def test_learning_says_how_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    model_on(make_vec_env(ENV, 8)).learn(256, progress_bar=True)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "MemoryPPO learns for 256 steps in 8 environments"
    for words in ("steps 256 of 256", "return ", "success ", "elapsed 0:0"):
        assert words in last
    assert "held-out" not in last
    paper = RLNTM.paper("Tape-Copy-Easy-v0", n_envs=4, seed=0)
    paper.learn(50, progress_bar=True)
    assert "level 1 of 5" in capsys.readouterr().out
    model_on(make_vec_env(ENV, 8)).learn(256)
    assert capsys.readouterr().out == ""


def test_at_a_terminal_the_display_is_redrawn() -> None:
    target = io.StringIO()
    console = Console(file=target, force_terminal=True, width=120)
    display = make_display(console, "a title")
    assert isinstance(display, LiveDisplay)
    held_out = HeldOut(2.5, 0.125, 0.25, 9.5)
    with display:
        display.update(Status(100, 50, level=3, max_level=7, held_out=held_out))
    shown = target.getvalue()
    around = ("2.500", "random 0.250", "optimum 9.500")
    for words in ("a title", "50 of 100", "3 of 7", "0.125", "50%", "\x1b[", *around):
        assert words in shown
