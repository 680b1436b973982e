"""The presets of streams have the settings that the papers' tables list."""

import re
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3.common.utils import LinearSchedule
from torch import nn

from agents import MannRL, Supervised, make_vec_env
from agents.algorithms.mann_rl.policy import MannRLPolicy
from agents.training.presets import find_preset
from agents.training.recipes import make_model
from memory_envs import ENVIRONMENTS

# Barrett, tables 1 to 3: history, settle, memory train iterations, memory learning rate, memory
# size; and the hidden layers and the width of the embedding that sections 4.1 to 4.3 describe.
TABLES = {
    "Stream-Logic-v0": (32, 8, 2, 1e-5, 48, 1, None),
    "Stream-Tagging-v0": (16, 8, 2, 1e-5, 175, 1, None),
    "Stream-Sentences-v0": (10, 6, 1, 1e-7, 1024, 2, 96),
}


def _layers(module: nn.Module) -> str:
    return " ".join(type(layer).__name__ for layer in module.children())


@pytest.mark.parametrize("env_id", TABLES)
def test_mann_rl_has_the_settings_of_its_paper(env_id: str) -> None:
    history, settle, iterations, rate, size, hidden, embedding = TABLES[env_id]
    preset = find_preset(env_id)
    assert (preset.algorithm, preset.memory) == ("mann_rl", "input_output")
    assert preset.recipe.env_kwargs == {}
    # What is memorised is asked for again; the others are asked what they have not seen.
    asked = {} if env_id == "Stream-Sentences-v0" else {"split": "dev"}
    assert preset.recipe.evaluation_kwargs == asked
    model = make_model(preset.recipe, "mann_rl", preset.memory, make_vec_env(env_id, 128), seed=0)
    assert isinstance(model, MannRL)
    policy: MannRLPolicy = model.policy
    assert (model.history, model.settle, model.memory_iterations) == (history, settle, iterations)
    assert (model.columns, model.memory_samples, model.memory_clamp) == (16, 8, 10.0)
    assert (model.gamma, model.max_grad_norm, model.memory_max_grad_norm) == (0.99, 0.01, 0.001)
    of_action, of_memory = model.optimizer.param_groups
    assert (of_action["lr"], of_action["betas"]) == (1e-4, (0.9, 0.999))
    # RMSprop: no momentum, and PyTorch's smoothing.
    assert (of_memory["lr"], of_memory["betas"]) == (rate, (0.0, 0.99))
    for group, part in ((of_action, policy.action), (of_memory, policy.memory_net)):
        assert list(map(id, group["params"])) == list(map(id, part.parameters()))
    assert policy.memory_size == size
    assert _layers(policy.action.layers) == "Linear BatchNorm1d ReLU " * hidden + "Linear"
    widths = {layer.in_features for layer in policy.action.layers if isinstance(layer, nn.Linear)}
    for part in (policy.action, policy.memory_net):
        found = "" if embedding is None else "Linear BatchNorm1d ReLU"
        assert _layers(part.embedding) == found
    if embedding is not None:
        assert widths == {embedding + size}
        assert policy.memory_net.linear.in_features == 2 * embedding + size


def test_the_memory_net_s_learning_rate_is_its_own() -> None:
    """A schedule of the action network's leaves it alone, and it may have one."""
    env = make_vec_env("Stream-Logic-v0", 128)
    for memory_rate, now in ((1e-5, 1e-5), (LinearSchedule(1.0, 0.0, 1.0), 0.5)):
        rates: dict[str, Any] = {
            "learning_rate": lambda left: 0.5 * left,
            "memory_learning_rate": memory_rate,
        }
        model = MannRL("MannRLPolicy", env, **rates)
        model.rollout()
        model._current_progress_remaining = 0.5
        model.train()
        assert [group["lr"] for group in model.optimizer.param_groups] == [0.25, now]


def test_the_memory_net_s_schedule_is_kept(tmp_path: Path) -> None:
    env = make_vec_env("Stream-Logic-v0", 128)
    schedule = LinearSchedule(0.5, 0.0, 1.0)
    model = MannRL("MannRLPolicy", env, memory_learning_rate=schedule)
    model.save(tmp_path / "model.zip")
    loaded = MannRL.load(tmp_path / "model.zip", env)
    loaded.rollout()
    loaded._current_progress_remaining = 0.5
    loaded.train()
    assert loaded.optimizer.param_groups[1]["lr"] == 0.25


# Munkhdalai et al., table 2 and appendix A.
SIZES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "salu": {},
    "mnm-g": {"num_heads": 1, "linear_values": False},
    "mnm-p": {"num_heads": 1, "linear_values": False},
}


@pytest.mark.parametrize("memory", SIZES)
def test_supervised_has_the_settings_of_its_paper(memory: str) -> None:
    env_id = "Stream-DictionaryInference-4x1-v0"
    assert Supervised("MemoryPolicy", env_id).learning_rate == 1e-3
    recipe = find_preset(env_id, "supervised", memory).recipe
    assert recipe.n_envs == 32
    model = make_model(recipe, "supervised", memory, make_vec_env(env_id, 2), seed=0)
    assert isinstance(model, Supervised)
    (group,) = model.optimizer.param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (1e-3, (0.9, 0.999), 1e-8)
    cell: Any = model.policy.network.memory
    assert (cell.input_size, cell.output_size) == (100, 100)
    for name, value in SIZES[memory].items():
        assert getattr(cell, name) == value
    if memory.startswith("mnm"):
        assert cell.initial_memory.shape == (3, 100, 100)


@pytest.mark.parametrize(
    "env_id",
    [name for name in ENVIRONMENTS if re.search("Dictionary|DoubleCopy|PrioritySort", name)],
)
def test_the_look_up_table_holds_every_step_of_a_stream(env_id: str) -> None:
    steps = make_vec_env(env_id, 1).env.rules.settings.steps  # type: ignore[attr-defined]
    recipe = find_preset(env_id, "supervised", "salu").recipe
    sizes = recipe.policy["memory_kwargs"]
    assert (sizes["memory_size"], sizes["key_size"], sizes["value_size"]) == (steps, 100, 100)
