"""Vector environments: rows from a registered id by the fastest way, and what wraps them."""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

if TYPE_CHECKING:
    AnyVectorWrapper = VectorWrapper[Any, Any, Any]
else:
    AnyVectorWrapper = VectorWrapper  # before Gymnasium 1.3 it takes no types


def make_rows(env_id: str, num_envs: int, **env_kwargs: Any) -> VectorEnv[Any, Any, Any]:
    """Makes a vector environment in SAME_STEP mode.

    The environment's own vector version is used where it can reset in the same step, otherwise one
    Python object per row.

    Args:
        env_id: A registered id; ``module:id`` imports the module first.
        num_envs: Number of rows.
        **env_kwargs: Arguments of the environment; and `wrappers`, a list of Gymnasium's or one's
            own for one environment, with which there is one Python object per row.

    Raises:
        gymnasium.error.Error: If there is no such id.
    """
    env = _make_native(env_id, num_envs, env_kwargs)
    if env is not None:
        return env
    return gym.make_vec(
        env_id,
        num_envs=num_envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        # The checker judges environments under development, at every step.
        **{"disable_env_checker": True, **env_kwargs},
    )


def _make_native(
    env_id: str, num_envs: int, env_kwargs: dict[str, Any]
) -> VectorEnv[Any, Any, Any] | None:
    """Returns the environment's own vector version; None where it cannot reset in the same step."""
    try:
        env = gym.make_vec(
            env_id,
            num_envs=num_envs,
            vectorization_mode="vector_entry_point",
            autoreset_mode=AutoresetMode.SAME_STEP,
            **env_kwargs,
        )
    except gym.error.Error:  # there is no vector version
        return None
    except TypeError as error:
        if "autoreset_mode" not in str(error):
            raise
        return None
    if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
        env.close()
        return None
    return env
