"""A task that needs memory is learned with it, and cannot be learned without."""

from __future__ import annotations

from typing import Any

import pytest
from stable_baselines3.common.evaluation import evaluate_policy

from agents import GymnasiumVecEnv, MemoryA2C, MemoryPPO, Reinforce
from agents.cells import CELLS
from tests.agents.toy_envs import RecallVectorEnv

LENGTH = 8
# A memory-net squashes all that it keeps at each step, so that gradients fade within a few. MNM-g
# learns the longer task, too, but takes a minute.
SHORTER = {"memory-net": 4, "mnm-g": 4}
SIZES: dict[str, dict[str, Any]] = {
    "none": {},
    "lstm": {"hidden_size": 32},
    "gru": {"hidden_size": 32},
    "memory-net": {"memory_size": 32},
    "mingru": {"hidden_size": 32},
    "lru": {"hidden_size": 32, "state_size": 16},
    "ffm": {"hidden_size": 32, "memory_size": 8, "context_size": 2},
    "ntm": {"hidden_size": 32, "memory_size": 6, "word_size": 6},
    "fwp": {"hidden_size": 32},
    "delta": {"hidden_size": 32},
    "gated-delta": {"hidden_size": 32},
    "titans": {"hidden_size": 32},
    "dnc": {"hidden_size": 32, "memory_size": 6, "word_size": 6},
    "mnm-g": {"hidden_size": 32, "memory_width": 8},
    "mnm-p": {"hidden_size": 32, "memory_width": 8},
    "salu": {"hidden_size": 32, "memory_size": LENGTH, "key_size": 6, "value_size": 6},
    "plastic": {"hidden_size": 32},
    "framestack": {"stack_size": LENGTH},
    "gtrxl": {"hidden_size": 32, "num_layers": 1, "memory_size": LENGTH},
}
SETTINGS: dict[Any, dict[str, Any]] = {
    MemoryPPO: {"learning_rate": 3e-3, "n_steps": 2 * LENGTH, "batch_size": 128, "n_epochs": 4},
    MemoryA2C: {
        "learning_rate": 5e-3,
        "n_steps": LENGTH,
        "gae_lambda": 0.95,
        "ent_coef": 0.01,
        "use_rms_prop": False,
        "normalize_advantage": True,
    },
    Reinforce: {"learning_rate": 1e-2},
}


def _success(algorithm: Any, memory: str, timesteps: int) -> float:
    """Success on 300 fresh episodes, of the first model that solves the task or else the last.

    At these learning rates a single update can undo what was learned, so the model is looked at
    all the way.
    """
    length = SHORTER.get(memory, LENGTH)
    model = algorithm(
        "MemoryPolicy",
        GymnasiumVecEnv(RecallVectorEnv(32, length)),
        policy_kwargs={
            "memory": memory,
            "memory_kwargs": SIZES[memory],
            "encoder_size": 16,
            "net_arch": [32],
        },
        seed=0,
        **SETTINGS[algorithm],
    )
    env = GymnasiumVecEnv(RecallVectorEnv(100, length))
    success: Any = 0.0  # `evaluate_policy` gives lists only if asked for them
    while model.num_timesteps < timesteps and success < 0.95:
        model.learn(1_000, reset_num_timesteps=False)
        env.seed(1)
        success, _ = evaluate_policy(model, env, n_eval_episodes=300)
    return float(success)


def test_every_cell_is_tried() -> None:
    assert set(SIZES) == set(CELLS)


@pytest.mark.parametrize("memory", sorted(set(SIZES) - {"none"}))
def test_ppo_solves_recall_with_memory(memory: str) -> None:
    assert _success(MemoryPPO, memory, 30_000) >= 0.95


@pytest.mark.parametrize("algorithm", [MemoryA2C, Reinforce])
def test_the_others_solve_it_too(algorithm: Any) -> None:
    assert _success(algorithm, "lstm", 40_000) >= 0.95


@pytest.mark.parametrize("algorithm", SETTINGS)
def test_without_memory_it_stays_at_chance(algorithm: Any) -> None:
    # One half is the ceiling; 300 episodes scatter by 0.03.
    assert _success(algorithm, "none", 10_000) <= 0.6
