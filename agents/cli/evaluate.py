"""`memory-envs evaluate`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from agents.cli.common import (
    Count,
    EnvChoice,
    Player,
    UsageError,
    checked,
    find_env,
    find_player,
    option,
)
from agents.cli.strangers import find_modules_here, find_named, is_sb3_file, load_sb3, make_named
from memory_envs.arguments import check_integer
from memory_envs.scoring.policy import REFERENCES


@dataclass(frozen=True)
class Evaluate:
    """Play fresh episodes and sum them up.

    The score is (return - random) / (optimal - random): 0 for random play, 1 for optimal play, both
    measured on the same seeds.
    """

    model: Annotated[str | None, tyro.conf.Positional, option("MODEL")] = None
    """A model file, the folder of a run, or a policy: random or oracle. Also module:function, which
    returns a policy or a model; and a file of Stable-Baselines3, see --class."""
    pretrained: Annotated[str | None, option("NAME")] = None
    """In place of MODEL: one that comes with the package, such as rl-ntm/Copy."""
    env: Annotated[str | None, option("ID")] = None
    """Environment id, or module:function, which makes a wrapped environment. Without it, where the
    model was trained."""
    class_name: Annotated[str | None, option("NAME", name="class")] = None
    """Class of the model in a file of Stable-Baselines3, such as PPO, RecurrentPPO or module:Class.
    Such a file holds pickles: to load it runs code from the file."""
    episodes: Count = 1000
    """How many episodes."""
    seed: int = 7
    """Episode k plays an environment seeded SEED + k."""
    stochastic: Annotated[bool, option("")] = False
    """Sample the actions, rather than take the most probable ones."""
    changes: Annotated[tuple[str, ...], option("NAME=VALUE ...", name="set")] = ()
    """Arguments of the environment, in place of the model's: min_length=40 max_length=40."""
    json: Annotated[bool, option("")] = False
    """Print one JSON object instead of text."""

    def run(self) -> int:
        """Evaluates."""
        checked(check_integer, "--episodes", self.episodes, 1)
        checked(check_integer, "--seed", self.seed, 0)
        player = self._player()
        from memory_envs.scoring.evaluate import evaluate
        from memory_envs.scoring.makers import from_predict
        from memory_envs.scoring.policy import CannotPlayError

        policy = player.policy
        if hasattr(policy, "predict"):
            policy = from_predict(policy, deterministic=not self.stochastic)
        try:
            evaluation = evaluate(
                policy,
                player.env,
                self.episodes,
                self.seed,
                env_kwargs=player.env_kwargs,
                name=player.name,
            )
        except CannotPlayError as error:
            raise UsageError(error) from error
        if self.json:
            print(json.dumps(evaluation.to_dict(), indent=2, allow_nan=False))
        else:
            print("\n".join(evaluation.lines()))
        return 0

    def _player(self) -> Player:
        """Looks up who shall play, and where: ours, or a stranger."""
        env, name = self._env(), self.model
        path = Path(name or "")
        stranger = name is not None and (is_sb3_file(path) or (":" in name and not path.exists()))
        if self.class_name is not None and (name is None or not is_sb3_file(path)):
            raise UsageError(
                f"--class is {self.class_name!r}; allowed: nothing, unless MODEL is a file of "
                "Stable-Baselines3"
            )
        if name is None or not stranger or self.pretrained is not None:
            return find_player(name, env, self.pretrained, self.changes)
        if env is None:
            raise UsageError(f"say where {name} shall play: --env ID")
        ours = find_player(REFERENCES[0], env, None, self.changes)  # who plays in the same place
        sb3 = is_sb3_file(path)
        policy = load_sb3(path, self.class_name) if sb3 else make_named("model", name)
        return replace(ours, name=name, policy=policy)

    def _env(self) -> EnvChoice | None:
        """Returns the id, or the function that ``module:function`` is and no id."""
        if self.env is None or ":" not in self.env:
            return self.env
        find_modules_here()
        try:
            return find_env(self.env)
        except UsageError as error:
            try:
                function = find_named("--env", self.env)
            except UsageError:
                raise error from None
            if not callable(function):
                raise
            made: EnvChoice = function
            return made
