"""Makes environments for SB3 from a registered id."""

from __future__ import annotations

from typing import Any

from agents.environments.vec_env import GymnasiumVecEnv
from memory_envs.arguments import check_integer, check_or_none, shown
from memory_envs.vectorised import make_rows

# Words of SB3's function of the same name, and what to write in their place.
_SB3_WORDS = {
    "env_kwargs": "the environment's arguments themselves: make_vec_env(id, n_envs, max_length=5)",
    "wrapper_class": "wrappers=[...], a list of wrappers",
    "monitor_dir": "SB3's VecMonitor(make_vec_env(...), filename)",
    "vec_env_cls": 'gym.make_vec(id, n_envs, vectorization_mode="async"), which agents take',
}


def make_vec_env(
    env_id: str, n_envs: int = 1, seed: int | None = None, **env_kwargs: Any
) -> GymnasiumVecEnv:
    """Makes `n_envs` environments behind SB3's `VecEnv` interface.

    The environment's own vector version is used where it can reset in the same step, otherwise one
    Python object per row. Of a `Tuple` or `Dict` observation it shows what a policy can read, see
    `agents.environments.readable`.

    Args:
        env_id: A registered id; ``module:id`` imports the module first.
        n_envs: Number of rows.
        seed: Row i is seeded with ``seed + i``.
        **env_kwargs: Arguments of the environment; and `wrappers`, a list of Gymnasium's or one's
            own for one environment, with which there is one Python object per row.

    Raises:
        TypeError, ValueError: If an argument is not valid; says what is allowed.
        gymnasium.error.Error: If there is no such id.
    """
    check_or_none(check_integer, "seed", seed, 0)
    for word, ours in _SB3_WORDS.items():
        if word in env_kwargs:
            raise TypeError(f"{word} is {shown(env_kwargs[word])}; allowed: {ours}")
    vec_env = GymnasiumVecEnv(make_rows(env_id, check_integer("n_envs", n_envs, 1), **env_kwargs))
    if seed is not None:
        vec_env.seed(seed)
    return vec_env
