"""What a policy can read of an observation.

Stable-Baselines3 knows no `Tuple`, which becomes a `Dict` with the keys "0", "1", ... Texts in
either, such as MiniGrid's mission, are left out, as no network reads them.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium import spaces


class Readable:
    """What of the observations of a space can be read.

    Args:
        observation_space: What an environment gives.

    Attributes:
        space: What a policy sees of it.
        has_parts: Whether that is a `Dict`.
    """

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        # Where each part that is shown lies in what the environment gives.
        self._keys: dict[str, Any] = {}
        parts: Any = observation_space
        if isinstance(parts, spaces.Dict):
            self._keys = {key: key for key, part in parts.items() if not _is_text(part)}
        elif isinstance(parts, spaces.Tuple):
            self._keys = {str(i): i for i, part in enumerate(parts) if not _is_text(part)}
        self.has_parts = isinstance(parts, spaces.Dict | spaces.Tuple)
        self.space: spaces.Space[Any] = parts
        if self.has_parts:
            self.space = spaces.Dict({name: parts[key] for name, key in self._keys.items()})

    def __call__(self, obs: Any) -> Any:
        """Returns what can be read of an observation, of one row or of all."""
        if not self.has_parts:
            return obs
        return {name: obs[key] for name, key in self._keys.items()}


class ReadableObservation(gym.ObservationWrapper[Any, Any, Any]):
    """An environment that shows what a policy can read of its observations.

    Args:
        env: Any environment.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._readable = Readable(env.observation_space)
        self.observation_space = self._readable.space

    def observation(self, observation: Any) -> Any:
        """Returns what can be read of an observation."""
        return self._readable(observation)


def readable_env(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """Returns the environment as it is if a policy can read all of it, else wrapped."""
    space = env.observation_space
    return env if Readable(space).space == space else ReadableObservation(env)


def _is_text(space: spaces.Space[Any]) -> bool:
    """Says whether a space holds texts; MiniGrid's missions have a space of their own."""
    return space.dtype is not None and space.dtype.kind == "U"
