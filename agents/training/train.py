"""`agents.train`: a preset, trained with everything that belongs to it, in one call.

The command `memory-envs train` is a shell around the same functions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import torch
from rich.console import Console

from agents.algorithms.base import MemoryAlgorithm
from agents.algorithms.progress import make_display
from agents.evaluation.trace import Trace, trace_text
from agents.training.plan import first_plan, next_plan
from agents.training.run_directory import RunDirectory, claim_new
from agents.training.training import StopReason, Training, cannot_write
from memory_envs.arguments import check_instance
from memory_envs.scoring.result import EvaluationResult

_RUNS = Path("runs")


@dataclass(frozen=True)
class TrainingResult:
    """What a training left behind.

    Attributes:
        model: The trained model.
        path: The run's folder; see `agents.training.run_directory`.
        evaluation: How the model plays 1,000 fresh episodes.
        trace: One episode, step by step.
        reason: Why the training ended.
    """

    model: MemoryAlgorithm
    path: Path
    evaluation: EvaluationResult
    trace: Trace
    reason: StopReason


def train(
    env: str,
    algorithm: str | None = None,
    memory: str | None = None,
    *,
    seed: int = 0,
    timesteps: int | None = None,
    n_envs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    stop_at_success: float | None = None,
    device: str = "auto",
    out: str | Path | None = None,
) -> TrainingResult:
    """Trains with the preset that serves an environment best, as `memory-envs train` does.

    The curriculum is the preset's. How it goes is printed, as are the results; Ctrl-C ends the
    training when the update that is under way is done, and keeps what was learned.

    Args:
        env: A registered id; ``module:id`` imports the module first.
        algorithm: Such as ``"ppo"``; None leaves the choice to the presets.
        memory: Such as ``"lstm"``, or ``"none"``; None leaves the choice to the presets.
        seed: Seed of everything random.
        timesteps: Environment steps, all rows together; None for the preset's.
        n_envs: Environments played in parallel; None for the preset's.
        settings: Single settings in place of the preset's, by dotted names:
            ``{"algorithm.ent_coef": 0.02, "curriculum": None}``.
        stop_at_success: Share of held-out episodes that must succeed for the training to end early;
            `memory_envs.spec.episode_success` says which do.
        device: PyTorch device, or ``"auto"``.
        out: A new or an empty folder for the results; None for a new one below ``runs/``.

    Returns:
        The model, its folder and how well it plays.

    Raises:
        TypeError, ValueError: Naming the argument, its value and what is allowed; before any file
            is written.
        agents.NonFiniteError: If a loss is not finite; the checkpoints stay.
        OSError: If a file cannot be written; those that were stay as they are.
    """
    check_instance("settings", settings, (Mapping, NoneType), "a dict, or None")
    own = {"timesteps": timesteps, "n_envs": n_envs}
    given = {name: value for name, value in own.items() if value is not None}
    plan = first_plan(
        env, algorithm, memory, {**given, **(settings or {})}, seed, device, stop_at_success
    )
    chosen = {"algorithm": algorithm, "memory": memory, "seed": seed, **given, "settings": settings}
    call = _call("train", env, chosen, stop_at_success, device, out)
    return run_training(Training(plan, call), out)


def continue_training(
    run: str | Path,
    *,
    timesteps: int | None = None,
    settings: Mapping[str, Any] | None = None,
    stop_at_success: float | None = None,
    device: str = "auto",
    out: str | Path | None = None,
) -> TrainingResult:
    """Goes on with a run from its newest checkpoint, in a new folder.

    With the environments of `memory_envs` the result is, bit for bit, that of a run that never
    stopped. Others begin new episodes.

    Args:
        run: The folder of the run.
        timesteps: Environment steps, those of `run` counted; None for as many as it was to do.
        settings: Single settings in place of those of `run`, but for the policy's; see `train`.
        stop_at_success: See `train`; None for that of `run`.
        device: PyTorch device, or ``"auto"``.
        out: See `train`.

    Raises:
        agents.training.plan.FinishedError: If nothing is left to do.
        TypeError, ValueError, agents.NonFiniteError, OSError: See `train`.
    """
    parent = RunDirectory(Path(run))
    given = {} if timesteps is None else {"timesteps": timesteps}
    plan = next_plan(parent, {**given, **(settings or {})}, device, stop_at_success)
    chosen = {**given, "settings": settings}
    call = _call("continue_training", str(run), chosen, stop_at_success, device, out)
    return run_training(Training(plan, call, parent if plan.part else None), out)


def _call(
    function: str,
    subject: str,
    chosen: Mapping[str, Any],
    stop_at_success: float | None,
    device: str,
    out: str | Path | None,
) -> str:
    """Returns the call that does the same again, without what is left to the defaults."""
    words = {
        **{**chosen, "stop_at_success": stop_at_success},
        **{"device": None if device == "auto" else device, "out": out and str(out)},
    }
    shown = "".join(f", {name}={value!r}" for name, value in words.items() if value is not None)
    return f"agents.{function}({subject!r}{shown})"


def run_training(
    training: Training, out: str | Path | None, wandb: bool = False, name: str = "out"
) -> TrainingResult:
    """Makes the folder, trains and evaluates, and says what happens.

    Args:
        training: What `Training` made of a plan.
        out: See `train`.
        wandb: Whether to log to Weights & Biases, too.
        name: What errors call `out`.

    Raises:
        agents.training.run_directory.TakenError: If `out` is not free.
        agents.NonFiniteError, OSError: See `train`.
    """
    plan, console = training.plan, Console()
    with cannot_write(RunDirectory(_RUNS if out is None else Path(out))) as run:
        if out is None:
            run = claim_new(_RUNS, plan.env, plan.algorithm, plan.memory, plan.seed)
        else:
            run.claim(name)
    display = make_display(console, plan.title)
    display.say(f"training {plan.title}")
    display.say(f"settings: {plan.preset}")
    display.say(f"results:  {run.path}")
    if training.difference:
        display.say(training.difference)
    with _one_thread():
        with display:
            reason = training.learn(run, display, wandb)
        display.say("")
        display.say(f"{reason.value}; evaluating on fresh episodes")
        evaluation, trace = training.finish()
    for line in [*evaluation.lines(), "", *trace_text(trace).splitlines()]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"results: {run.path}", highlight=False, soft_wrap=True)
    return TrainingResult(training.model, run.path, evaluation, trace, reason)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Lets PyTorch use one thread, unless the user chose a number.

    The networks are small: a second thread gains little, and rounding, which decides how a training
    goes, would depend on the number of cores.
    """
    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
