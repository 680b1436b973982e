"""`memory-envs check`."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from agents.cli.common import Count, UsageError, checked, find_model, option
from agents.cli.strangers import find_named, is_sb3_file, load_sb3
from memory_envs.arguments import check_integer


@dataclass(frozen=True)
class CheckCommand:
    """Check whether a recurrent agent is right: resets, gradients, masks, time limits, files, ...

    New agents of the model's class and settings are made in small environments whose every step is
    known. Exit codes: 0 nothing failed, 1 something did, 2 wrong usage.
    """

    model: Annotated[str | None, tyro.conf.Positional, option("MODEL")] = None
    """A model file, the folder of a run, or the name of a pretrained model. Also module:function,
    which returns a model, or takes make_env, rows and seed and returns an Adapter; and a file of
    Stable-Baselines3, see --class."""
    class_name: Annotated[str | None, option("NAME", name="class")] = None
    """Class of the model in a file of Stable-Baselines3, such as RecurrentPPO. Such a file holds
    pickles: to load it runs code from the file."""
    learn: Annotated[bool, option("")] = False
    """Train on a small task that needs memory, too."""
    seed: int = 0
    """Seed of everything random."""
    train_steps: Count = 50_000
    """The most steps of that training."""
    json: Annotated[bool, option("")] = False
    """Print one JSON object instead of text."""

    def run(self) -> int:
        """Makes the checks, and prints what they found."""
        checked(check_integer, "--seed", self.seed, 0)
        checked(check_integer, "--train-steps", self.train_steps, 1)
        if self.model is None:
            raise UsageError("say what to check: MODEL")
        model = self._model(self.model)
        from agents.evaluation.conformance import check_recurrent

        report = checked(
            lambda: check_recurrent(
                model, self.learn, self.model, seed=self.seed, train_steps=self.train_steps
            )
        )
        if self.json:
            print(json.dumps(report.to_dict(), indent=2, allow_nan=False))
        else:
            print("\n".join(report.lines()))
        return int(not report.ok)

    def _model(self, name: str) -> Any:
        """Looks up what shall be checked."""
        path = Path(name)
        if is_sb3_file(path):
            return load_sb3(path, self.class_name)
        if self.class_name is not None:
            raise UsageError(
                f"--class is {self.class_name!r}; allowed: nothing, unless MODEL is a file of "
                "Stable-Baselines3"
            )
        if path.exists() or ":" not in name:
            return find_model(name)
        function = find_named("model", name)
        if not callable(function):
            raise UsageError(f"model is {name!r}; allowed: functions")
        # One that takes nothing returns a model; another one makes adapters.
        takes = checked(inspect.signature, function).parameters
        return function if takes else function()
