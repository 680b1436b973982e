"""`memory-envs train`."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import gymnasium as gym
from rich.console import Console

from agents.algorithms.table import ALGORITHMS
from agents.cli.common import (
    UsageError,
    check_algorithm,
    check_env,
    check_memory,
    checked,
    find_model,
    option,
)
from agents.cli.evaluate import evaluation_lines
from agents.training.presets import find_preset
from agents.training.recipes import RecipeError, change, read_recipe
from agents.training.run_directory import RunDirectory, new_run_path
from memory_envs.arguments import check_integer

if TYPE_CHECKING:  # imported when it runs: `memory-envs --help` needs no torch
    from agents.training.training import Plan, StopReason, Training

_LARGEST_SEED = 2**32 - 1  # of NumPy's and PyTorch's global generators, which SB3 seeds


@dataclass(frozen=True)
class Train:
    """Train an agent with memory.

    Settings come from a preset; what is given here goes before it. The run's folder keeps settings,
    model, logs, evaluation, learning curve and trace. Ctrl-C ends the training and keeps the model.
    Exit codes: 0 done, 1 failed or success not reached, 2 wrong usage, 130 interrupted.
    """

    env: Annotated[str | None, option("ID")] = None
    """Environment id, such as Tape-Reverse-v0; `memory-envs list` shows them."""
    algo: Annotated[
        str | None,
        option("NAME", help=f"Algorithm: {', '.join(ALGORITHMS)}. Without it, the presets' best."),
    ] = None
    memory: Annotated[str | None, option("NAME")] = None
    """Memory cell, such as lstm, or none; for rl_ntm a controller, such as direct_access. Without
    it, the presets' best."""
    seed: int = 0
    """Seed of everything random."""
    timesteps: Annotated[int | None, option("N")] = None
    """Environment steps, all environments together."""
    stop_at_success: Annotated[float | None, option("SHARE")] = None
    """Stop once this share of held-out episodes succeeds, and of 1,000 further ones."""
    n_envs: Annotated[int | None, option("N")] = None
    """Environments played in parallel."""
    device: str = "auto"
    """PyTorch device: auto, cpu, cuda, ..."""
    out: Annotated[Path | None, option("FOLDER")] = None
    """Folder for the results. Without it, a new one below runs/."""
    continue_from: Annotated[Path | None, option("RUN")] = None
    """Continue this run, with its settings, model and curriculum, in a new folder."""
    start_from: Annotated[str | None, option("MODEL")] = None
    """Start with the parameters of this model: a file, a run's folder, or the name of one that
    comes with the package, such as rl-ntm/ForwardReverse. Everything else starts anew."""
    wandb: Annotated[bool, option("")] = False
    """Log to Weights & Biases too; offline without a key."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Change single settings of the preset: algorithm.ent_coef=0.02 env_kwargs.max_length=5."""

    def run(self) -> int:
        """Trains, evaluates, shows a trace."""
        plan = self._plan()
        import torch

        from agents.algorithms.base import NonFiniteError
        from agents.training.progress import make_display
        from agents.training.training import StopReason, Training

        if "OMP_NUM_THREADS" not in os.environ:
            # These networks are small: a second thread gains little, and rounding, which decides
            # how a training goes, would depend on the number of cores.
            torch.set_num_threads(1)
        default = new_run_path(Path("runs"), plan.env, plan.algorithm, plan.memory, plan.seed)
        run = RunDirectory(self.out or default)
        if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
            raise UsageError(f"--out {run.path} exists and is not an empty folder")
        parent = None if self.continue_from is None else RunDirectory(self.continue_from)
        start = None if self.start_from is None else find_model(self.start_from)
        console = Console()
        title = f"{plan.env}  {plan.algorithm}/{plan.memory}  seed {plan.seed}"
        display = make_display(console, title)
        display.say(f"training {title}")
        display.say(f"settings: {plan.preset}")
        display.say(f"results:  {run.path}")
        try:
            training = Training(plan, run, self.command(), parent, start)
        except (TypeError, ValueError, RuntimeError, gym.error.Error) as error:
            raise UsageError(error) from error
        try:
            with display:
                reason = training.learn(display, self.wandb)
        except NonFiniteError as error:
            print(f"memory-envs: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
        if reason is StopReason.INTERRUPTED:
            _explain_interruption(console, run)
            return 130
        return self._finish(console, training, reason)

    def command(self) -> str:
        """Returns the command line that does the same again."""
        words = ["memory-envs", "train"]
        for field in fields(self):
            value = getattr(self, field.name)
            name = "set" if field.name == "changes" else field.name.replace("_", "-")
            if value is True:
                words.append(f"--{name}")
            elif value != (None if field.default is MISSING else field.default):
                values = value if isinstance(value, tuple) else (value,)
                words += [f"--{name}", *map(str, values)]
        return shlex.join(words)

    def _plan(self) -> Plan:
        """Returns what to train, from the arguments and a preset or another run.

        Raises:
            UsageError: For anything that cannot be.
        """
        checked(check_integer, "--seed", self.seed, 0, _LARGEST_SEED)
        if self.stop_at_success is not None and not 0.0 < self.stop_at_success <= 1.0:
            given = f"--stop-at-success is {self.stop_at_success}"
            raise UsageError(f"{given}; allowed: numbers above 0, up to 1")
        if self.wandb and importlib.util.find_spec("wandb") is None:
            raise UsageError('--wandb needs W&B: pip install "memory-envs[wandb]"')
        try:
            return self._first_plan() if self.continue_from is None else self._next_plan()
        except RecipeError as error:
            raise UsageError(error) from error

    def _first_plan(self) -> Plan:
        from agents.training.training import Plan

        if self.env is None:
            raise UsageError("say what to train on: --env ID (`memory-envs list` shows them)")
        env = check_env(self.env)
        algorithm = None if self.algo is None else check_algorithm(self.algo)
        memory = None if self.memory is None else check_memory(self.memory, algorithm)
        preset = find_preset(env, algorithm, memory)
        assignments = self._assignments()
        recipe = change(preset.recipe, assignments, preset.algorithm)
        return Plan(
            env,
            preset.algorithm,
            preset.memory,
            recipe,
            preset.source + (f", and {' '.join(assignments)}" if assignments else ""),
            self.seed,
            self.device,
            self.stop_at_success,
        )

    def _next_plan(self) -> Plan:
        from agents.training.training import Plan

        assert self.continue_from is not None
        decided = {"env": self.env, "algo": self.algo, "memory": self.memory}
        decided["start-from"] = self.start_from
        for name, value in decided.items():
            if value is not None:
                raise UsageError(f"--{name} is decided by the run to continue")
        if not self.continue_from.is_dir():
            raise UsageError(f"--continue-from {self.continue_from} is no folder of a run")
        try:
            settings = RunDirectory(self.continue_from).read_settings()
            recipe = read_recipe(
                settings["recipe"], check_algorithm(settings["algorithm"]), "settings.json"
            )
            return Plan(
                check_env(settings["env"]),
                settings["algorithm"],
                check_memory(settings["memory"], settings["algorithm"]),
                change(recipe, self._assignments(), settings["algorithm"]),
                f"those of {self.continue_from}",
                settings["seed"],
                self.device,
                self.stop_at_success or settings["stop_at_success"],
                settings["part"] + 1,
            )
        except (KeyError, ValueError) as error:
            raise UsageError(f"{self.continue_from} cannot be continued: {error}") from error

    def _assignments(self) -> list[str]:
        """Returns what is changed in the recipe."""
        own = {"timesteps": self.timesteps, "n_envs": self.n_envs}
        given = [f"{name}={value}" for name, value in own.items() if value is not None]
        return [*given, *self.changes]

    def _finish(self, console: Console, training: Training, reason: StopReason) -> int:
        """Shows what came out."""
        from agents.evaluation.trace import trace_text
        from agents.training.training import StopReason

        evaluation, trace = training.finish()
        console.print()
        for line in [*evaluation_lines(evaluation), "", *trace_text(trace).splitlines()]:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        console.print(f"results: {training.run.path}", highlight=False, soft_wrap=True)
        wished = training.plan.stop_at_success  # of a run that is continued, its own
        if wished is not None and reason is not StopReason.SUCCESS:
            print(
                f"memory-envs: success {wished:g} was not reached "
                f"in {training.model.num_timesteps:,} steps",
                file=sys.stderr,
            )
            return 1
        return 0


def _explain_interruption(console: Console, run: RunDirectory) -> None:
    for line in (
        f"interrupted; the model is kept: {run.model}",
        f"evaluate it:    memory-envs evaluate {shlex.quote(str(run.path))}",
        f"continue it:    memory-envs train --continue-from {shlex.quote(str(run.path))}",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
