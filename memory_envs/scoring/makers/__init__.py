"""Makes policies of models, one file for each library they come from.

None of them imports its library before it is given a model of it. Those that can choose take the
most probable actions, unless they are told to sample.
"""

from memory_envs.scoring.makers.functions import from_function
from memory_envs.scoring.makers.jax import from_jax
from memory_envs.scoring.makers.predict import from_predict
from memory_envs.scoring.makers.rllib import from_rllib
from memory_envs.scoring.makers.tianshou import from_tianshou
from memory_envs.scoring.makers.torchrl import from_torchrl

__all__ = [
    "from_function",
    "from_jax",
    "from_predict",
    "from_rllib",
    "from_tianshou",
    "from_torchrl",
]
