"""`memory-envs train`."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import gymnasium as gym
import tyro

from agents.algorithms.table import ALGORITHMS, check_algorithm, check_memory
from agents.cli.common import Count, UsageError, checked, find_model, option
from agents.training.plan import LARGEST_SEED, Plan, check_share, first_plan, next_plan
from agents.training.recipes import read_assignments
from agents.training.run_directory import RunDirectory
from memory_envs.arguments import check_integer

_OPTIONS = {"changes": "set", "env_option": "env"}  # fields that are called otherwise


@dataclass(frozen=True)
class Train:
    """Train an agent with memory.

    Settings come from a preset; what is given here goes before it. The run's folder keeps settings,
    model, logs, evaluation, learning curve and trace. Ctrl-C ends the training when the update that
    is under way is done, and all of these are kept.
    Exit codes: 0 done, 1 failed or success not reached, 2 wrong usage, 130 interrupted.
    """

    env: Annotated[str | None, tyro.conf.Positional, option("ID")] = None
    """Environment id, such as Tape-Reverse-v0; `memory-envs list` shows them."""
    env_option: Annotated[str | None, option("ID", name="env")] = None
    """The same, as `evaluate` and `trace` take it."""
    algo: Annotated[
        str | None,
        option("NAME", help=f"Algorithm: {', '.join(ALGORITHMS)}. Without it, the presets' best."),
    ] = None
    memory: Annotated[str | None, option("NAME")] = None
    """Memory cell, such as lstm, or none; for rl_ntm a controller, such as direct_access. Without
    it, the presets' best."""
    seed: int = 0
    """Seed of everything random."""
    timesteps: Annotated[Count | None, option("N")] = None
    """Environment steps, all environments together."""
    stop_at_success: Annotated[float | None, option("SHARE")] = None
    """Stop once this share of held-out episodes succeeds, and of 1,000 further ones. Where the
    environment has no word for success, it is a return of its registered reward_threshold."""
    n_envs: Annotated[Count | None, option("N")] = None
    """Environments played in parallel."""
    device: str = "auto"
    """PyTorch device: auto, cpu, cuda, ..."""
    out: Annotated[Path | None, option("FOLDER")] = None
    """Folder for the results. Without it, a new one below runs/."""
    continue_from: Annotated[Path | None, option("RUN")] = None
    """Continue this run from its newest checkpoint, with its settings, in a new folder."""
    start_from: Annotated[str | None, option("MODEL")] = None
    """Start with the parameters of this model: a file, a run's folder, or the name of one that
    comes with the package, such as rl-ntm/ForwardReverse. Everything else starts anew."""
    wandb: Annotated[bool, option("")] = False
    """Log to Weights & Biases too; offline without a key."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Change single settings of the preset: algorithm.ent_coef=0.02 env_kwargs.max_length=5."""

    name: ClassVar[str] = "train"

    def run(self) -> int:
        """Trains, evaluates, shows a trace."""
        self._check()
        plan = self._plan()
        from agents.algorithms.base import NonFiniteError
        from agents.training.run_directory import TakenError
        from agents.training.train import run_training
        from agents.training.training import CannotWriteError, StopReason, Training

        parent = None if self.continue_from is None else RunDirectory(self.continue_from)
        start = None if self.start_from is None else find_model(self.start_from)
        try:
            training = Training(plan, self.command(), parent if plan.part else None, start)
        except (OSError, TypeError, ValueError, RuntimeError, gym.error.Error) as error:
            raise UsageError(error) from error
        try:
            result = run_training(training, self.out, self.wandb, "--out")
        except TakenError as error:
            raise UsageError(error) from error
        except (NonFiniteError, CannotWriteError) as error:
            print(f"memory-envs: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
        if result.reason is StopReason.INTERRUPTED:
            path = shlex.quote(str(result.path))
            print(f"continue it: memory-envs {self.name} --continue-from {path}")
            return 130
        wished = plan.stop_at_success  # of a run that is continued, its own
        if wished is not None and result.reason is not StopReason.SUCCESS:
            print(
                f"memory-envs: success {wished:g} was not reached "
                f"in {result.model.num_timesteps:,} steps",
                file=sys.stderr,
            )
            return 1
        return 0

    def command(self) -> str:
        """Returns the command line that does the same again."""
        words = ["memory-envs", self.name]
        for field in fields(self):
            value = getattr(self, field.name)
            name = _OPTIONS.get(field.name, field.name.replace("_", "-"))
            if value is True:
                words.append(f"--{name}")
            elif value != (None if field.default is MISSING else field.default):
                values = value if isinstance(value, tuple) else (value,)
                words += [*([] if field.name == "env" else [f"--{name}"]), *map(str, values)]
        return shlex.join(words)

    def _check(self) -> None:
        """Checks what each option says by itself.

        Raises:
            UsageError: Naming the option.
        """
        if self.env is not None and self.env_option is not None:
            raise UsageError(f"{self.env} and --env {self.env_option} are two ids: give one")
        if self.algo is not None:
            checked(check_algorithm, self.algo, "--algo")
        if self.memory is not None:
            checked(check_memory, self.memory, self.algo, "--memory")
        checked(check_integer, "--seed", self.seed, 0, LARGEST_SEED)
        for name, value in (("--timesteps", self.timesteps), ("--n-envs", self.n_envs)):
            if value is not None:
                checked(check_integer, name, value, 1)
        checked(check_share, "--stop-at-success", self.stop_at_success)
        if self.out is not None and self.out.exists():
            checked(RunDirectory(self.out).check_free, "--out")
        if self.wandb and importlib.util.find_spec("wandb") is None:
            raise UsageError('--wandb needs W&B: pip install "memory-envs[wandb]"')

    def _plan(self) -> Plan:
        """Returns what to train, from the arguments and a preset or another run.

        Raises:
            UsageError: For anything that cannot be.
        """
        env = self.env or self.env_option
        given = {"timesteps": self.timesteps, "n_envs": self.n_envs}
        changes = {name: value for name, value in given.items() if value is not None}
        changes |= checked(read_assignments, self.changes, "--set")
        common: dict[str, Any] = {"device": self.device, "source": "--set"}
        common["stop_at_success"] = self.stop_at_success
        if self.continue_from is None:
            if env is None:
                raise UsageError("say what to train on: ID (`memory-envs list` shows them)")
            plan = partial(first_plan, env, self.algo, self.memory, changes, self.seed, **common)
            return checked(plan)
        algorithm = None if self.algo == type(self).algo else self.algo
        decided: dict[str, Any] = {"ID": env, "--algo": algorithm, "--memory": self.memory}
        decided |= {"--seed": self.seed or None, "--start-from": self.start_from}
        for name, value in decided.items():
            if value is not None:
                raise UsageError(f"{name} is decided by the run to continue")
        run = RunDirectory(self.continue_from)
        try:
            return checked(partial(next_plan, run, changes, **common))
        except UsageError as error:
            raise UsageError(f"--continue-from: {error}") from None


@dataclass(frozen=True)
class Fit(Train):
    """Learn a stream task from its right answers, by gradients.

    It is `train --algo supervised`: the same streams that an agent would learn by reward, the same
    networks, the same files. An environment's rows are the batch; timesteps are those of all rows.
    Exit codes: 0 done, 1 failed or success not reached, 2 wrong usage, 130 interrupted.
    """

    env: Annotated[str | None, tyro.conf.Positional, option("ID")] = None
    """Id of a stream, such as Stream-Copy-v0; `memory-envs list` shows them."""
    algo: tyro.conf.Suppress[str | None] = "supervised"
    memory: Annotated[str | None, option("NAME")] = None
    """Memory cell, such as lstm, or none. Without it, the presets' best."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Change single settings of the preset: algorithm.dropout=0.1 env_kwargs.max_length=5."""

    name: ClassVar[str] = "fit"
