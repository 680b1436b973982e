"""`memory-envs evaluate`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

import tyro

from agents.cli.common import Count, UsageError, checked, find_player, option
from memory_envs.arguments import check_integer


@dataclass(frozen=True)
class Evaluate:
    """Play fresh episodes and sum them up.

    The score is (return - random) / (optimal - random): 0 for random play, 1 for optimal play, both
    measured on the same seeds.
    """

    model: Annotated[str | None, tyro.conf.Positional, option("MODEL")] = None
    """A model file, the folder of a run, or a policy: random or oracle."""
    pretrained: Annotated[str | None, option("NAME")] = None
    """In place of MODEL: one that comes with the package, such as rl-ntm/Copy."""
    env: Annotated[str | None, option("ID")] = None
    """Environment id. Without it, where the model was trained."""
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
        player = find_player(self.model, self.env, self.pretrained, self.changes)
        from memory_envs.scoring.evaluate import evaluate
        from memory_envs.scoring.makers import from_predict
        from memory_envs.scoring.policy import CannotPlayError

        policy = player.policy
        if hasattr(policy, "predict"):
            policy = from_predict(policy, deterministic=not self.stochastic)
        try:
            evaluation = evaluate(
                policy,
                player.env_id,
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
