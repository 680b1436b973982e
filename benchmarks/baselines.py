"""The agents of the leaderboards: one PPO for all, so that it is memories that are compared.

    memory-envs benchmark quick --agent benchmarks.baselines:lstm

Rows, rollouts, minibatches, epochs, rates and discount are the same for this project's agents, for
Stable-Baselines3's and for sb3-contrib's. So no one has what the presets of `memory-envs train`
have beside: a curriculum, rates that go down, and sizes by task. Our memories have their defaults,
in a network that is the same for all. What is left to each library: its network, and how the loss
of the maze's large values is scaled, by `normalize_value` in ours and by a weight in theirs.
"""

from functools import partial
from typing import Any

from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents.benchmark.own import OwnAgent
from agents.benchmark.stable_baselines import SB3Agent
from agents.benchmark.trial import Trial
from memory_envs.spec import environment_spec

ROWS = 64
_PPO: dict[str, Any] = {
    "learning_rate": 0.001,
    "n_steps": 64,
    "batch_size": 512,
    "n_epochs": 4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "ent_coef": 0.01,
}
_POLICY = {"encoder_size": 64, "net_arch": [64], "critic_memory": "shared"}
# Half an episode of the maze, and the walk to a goal that is known, which takes five steps. Returns
# are of some hundreds there.
_MAZE = {"n_steps": 125, "batch_size": 1000, "gamma": 0.92}
_MAZE_VALUE_WEIGHT = 0.005


def _is_maze(trial: Trial) -> bool:
    return environment_spec(trial.env).id.startswith("Maze")


def _own(memory: str, trial: Trial) -> Any:
    """Trains recurrent PPO of this project."""
    maze = _is_maze(trial)
    ppo = _PPO | (_MAZE if maze else {}) | {"normalize_value": maze}
    settings = {"n_envs": ROWS, "curriculum": None, "algorithm": ppo, "policy": _POLICY}
    words = f"{__name__}:{memory.replace('-', '_')}"
    return OwnAgent("ppo", memory, settings, words)(trial)


def _sb3(kind: type[OnPolicyAlgorithm], settings: dict[str, Any], trial: Trial) -> Any:
    """Trains a PPO of Stable-Baselines3's kind."""
    maze = {**_MAZE, "vf_coef": _MAZE_VALUE_WEIGHT} if _is_maze(trial) else {}
    return SB3Agent(kind, {"n_envs": ROWS, **_PPO, **maze, **settings})(trial)


none = partial(_own, "none")
lstm = partial(_own, "lstm")
gru = partial(_own, "gru")
gated_delta = partial(_own, "gated-delta")
mnm_p = partial(_own, "mnm-p")
recurrent_ppo = partial(_sb3, RecurrentPPO, {"policy_kwargs": {"lstm_hidden_size": 128}})
frame_stacking = partial(_sb3, PPO, {"stack": 4})
