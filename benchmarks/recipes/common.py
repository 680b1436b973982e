"""What the recipes have in common: most networks of others read vectors and choose one of many."""

from typing import Any

import gymnasium as gym
from gymnasium import spaces

from agents.benchmark.trial import Trial
from memory_envs.wrappers import FlatActions, OneHotObservations


def flatten(trial: Trial) -> None:
    """Makes observations vectors and actions single numbers, in trainings and evaluations."""
    if not isinstance(trial.make().observation_space, spaces.Box):
        trial.wrap(OneHotObservations)
    trial.wrap(FlatActions)


class Seeded(gym.Wrapper[Any, Any, Any, Any]):
    """Begins with a seed of its own, for libraries that hand over none, or one of theirs.

    Args:
        env: The environment.
        seed: The seed of its first reset; whatever is handed over is not heeded.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self._seed: int | None = seed

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Resets the environment."""
        seed, self._seed = self._seed, None
        return self.env.reset(seed=seed, options=options)
