"""An environment all of whose rows play the same episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from gymnasium.vector import VectorEnv

from agents.environments.make_env import make_vec_env
from agents.environments.vec_env import GymnasiumVecEnv, Obs


class OneEpisodeVecEnv(GymnasiumVecEnv):
    """Starts the same episode in all rows at every reset, so that only actions tell rows apart.

    Args:
        env: A vector environment; its rows must draw all that is random from their own seeds.
        seed: Seed of every row.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], seed: int) -> None:
        super().__init__(env)
        self.one_seed = seed

    def reset(self) -> Obs:
        """Starts the episode; seeds set before are not used."""
        self._seeds = [self.one_seed] * self.num_envs
        return super().reset()


# Makes the environment for a number of rows.
MakeEnv: TypeAlias = Callable[[int], OneEpisodeVecEnv]


def one_episode_env(env_id: str, rows: int, seed: int = 0, **env_kwargs: Any) -> OneEpisodeVecEnv:
    """Makes an environment all of whose rows play the same episode.

    Args:
        env_id: A registered id.
        rows: B.
        seed: Seed of the episode.
        **env_kwargs: Arguments of the environment; choose them so that episodes are short.
    """
    return OneEpisodeVecEnv(make_vec_env(env_id, rows, **env_kwargs).env, seed)
