"""A user's own cell, encoder and policy: passed as classes, saved, loaded, refused in time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.torch_layers import FlattenExtractor

import agents
from agents import MemoryA2C, MemoryPolicy, MemoryPPO, ModelFileError, Reinforce
from agents.cells.lstm import LSTM
from agents.saving.spaces_json import encode
from tests.agents.saving import own_classes
from tests.agents.saving.own_classes import Average, BoldPolicy, Extractor, Scaled
from tests.agents.toy_envs import RandomEnv, sync

ROOT = Path(__file__).parents[3]
BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
SMALL: dict[str, Any] = {"memory": "gru", "memory_kwargs": {"hidden_size": 4}, "encoder_size": 4}
KWARGS: dict[str, dict[str, Any]] = {
    "cell": {"memory": Average, "memory_kwargs": {"decay": 0.25}},
    "encoder": {**SMALL, "encoder": Scaled, "encoder_kwargs": {"factor": 3.0}},
    "extractor": {
        **SMALL,
        "features_extractor_class": Extractor,
        "features_extractor_kwargs": {"features_dim": 5},
    },
    "sb3": {**SMALL, "features_extractor_class": FlattenExtractor},
    "policy": SMALL,
}
CLASSES = {"cell": Average, "encoder": Scaled, "extractor": Extractor, "policy": BoldPolicy}


def make_model(kind: str, algorithm: Any = MemoryPPO, **arguments: Any) -> Any:
    env = sync(lambda: RandomEnv(BOX, spaces.Discrete(3)), 2)
    if algorithm is MemoryPPO:
        arguments = {"n_steps": 8, "batch_size": 8, "n_epochs": 2, **arguments}
    policy = BoldPolicy if kind == "policy" else "MemoryPolicy"
    return algorithm(policy, env, policy_kwargs=KWARGS[kind], seed=0, **arguments)


def play(model: Any) -> np.ndarray[Any, Any]:
    """Values of a policy after three observations, which depend on every part of it."""
    obs, state = np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 1, 3), None
    for step in obs:
        before = state
        _, state = model.predict(step, state)
    seen = model.policy.trace(obs[-1], before, state)
    return np.array([*seen["value"].tolist(), *seen["probabilities"].flatten().tolist()])


def test_it_gets_its_own_arguments() -> None:
    assert make_model("cell").policy.network.memory.decay == 0.25
    assert make_model("encoder").policy.network.encoder.factor == 3.0
    assert make_model("extractor").policy.network.encoder.output_size == 5


@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
@pytest.mark.parametrize("kind", KWARGS)
def test_it_is_trained_saved_and_loaded(kind: str, algorithm: Any, tmp_path: Path) -> None:
    model = make_model(kind, algorithm)
    before = play(model)
    model.learn(32)
    after = play(model)
    assert np.abs(after - before).max() > 0, "nothing was learned"
    model.save(tmp_path / "model.zip")
    loaded = agents.load(tmp_path / "model.zip")
    assert np.array_equal(play(loaded), after)
    assert type(loaded.policy) is type(model.policy)


def run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_fresh_process_is_told_what_to_register(kind: str, tmp_path: Path) -> None:
    make_model(kind).save(tmp_path / "model.zip")
    name = CLASSES[kind].__name__
    load = (
        "import sys, agents; model = agents.load(sys.argv[1]); print(type(model.policy).__name__)"
    )
    told = run(load, tmp_path / "model.zip")
    assert told.returncode != 0
    last = told.stderr.strip().splitlines()[-1]
    assert last.startswith("agents.saving.archive.ModelFileError: ")
    assert f"the class {name!r} is not registered; import it from {own_classes.__name__}" in last
    assert f"call agents.register({name}) first" in last
    assert own_classes.__name__ not in [line.strip() for line in told.stdout.splitlines()]
    known = f"import agents\nfrom {own_classes.__name__} import {name}\nagents.register({name})\n"
    done = run(known + load, tmp_path / "model.zip")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("BoldPolicy" if kind == "policy" else "MemoryPolicy")


def test_what_sb3_ships_needs_no_word_in_a_fresh_process(tmp_path: Path) -> None:
    make_model("sb3").save(tmp_path / "model.zip")
    done = run("import sys, agents; agents.load(sys.argv[1])", tmp_path / "model.zip")
    assert done.returncode == 0, done.stderr


def test_a_model_that_could_not_be_saved_is_refused_at_construction() -> None:
    env = sync(lambda: RandomEnv(BOX, spaces.Discrete(3)), 2)
    kwargs = {"encoder": Scaled, "encoder_kwargs": {"factor": np.float32}}
    with pytest.raises(TypeError, match=r"encoder_kwargs.*factor.*allowed: numbers"):
        MemoryPPO("MemoryPolicy", env, policy_kwargs=kwargs)


def test_two_classes_of_one_name_are_refused() -> None:
    agents.register(Average)
    other = type("Average", (Average,), {"__module__": "elsewhere"})
    with pytest.raises(ValueError, match=r"elsewhere\.Average, but .*allowed: one class of a name"):
        agents.register(other)
    nested = type("Average", (Average,), {"__module__": Average.__module__})
    nested.__qualname__ = "make_cell.<locals>.Average"
    with pytest.raises(ValueError, match=r"<locals>\.Average, but .*allowed: one class of a name"):
        agents.register(nested)
    again = type("Average", (Average,), {"__module__": Average.__module__})
    assert agents.register(again) is again, "defined anew, as in a notebook"
    agents.register(Average)


def test_a_class_is_not_stored_under_the_name_of_another() -> None:
    agents.register(Average)
    assert encode(Average, "memory") == {"$class": ["Average", own_classes.__name__]}
    other = type("Average", (Average,), {"__module__": "elsewhere"})
    with pytest.raises(TypeError, match=r"memory is .*which a model file cannot hold"):
        encode(other, "memory")


def test_a_registered_cell_is_known_by_its_name() -> None:
    agents.register(Average)
    env = sync(lambda: RandomEnv(BOX, spaces.Discrete(3)), 2)
    model = MemoryPPO("MemoryPolicy", env, policy_kwargs={"memory": "Average"})
    assert isinstance(model.policy.network.memory, Average)


def test_a_registered_encoder_is_not_offered_as_a_cell() -> None:
    agents.register(Scaled)
    with pytest.raises(ValueError, match="memory is 'Scaled'; allowed: none, lstm") as error:
        agents.MemoryNetwork(BOX, "Scaled")
    assert "Scaled" not in str(error.value).split("allowed")[1]


def test_a_registered_class_of_another_kind_is_no_policy(tmp_path: Path) -> None:
    model = make_model("policy")
    model.save(tmp_path / "model.zip")
    original = own_classes.BoldPolicy
    try:
        stranger = type("BoldPolicy", (), {"__module__": original.__module__})
        agents.register(stranger)
        with pytest.raises(ModelFileError, match="allowed: a subclass of MemoryPolicy"):
            agents.load(tmp_path / "model.zip")
    finally:
        agents.register(original)


def test_a_cell_of_ours_passed_as_a_class_loads_everywhere(tmp_path: Path) -> None:
    env = sync(lambda: RandomEnv(BOX, spaces.Discrete(3)), 2)
    MemoryPPO("MemoryPolicy", env, policy_kwargs={"memory": LSTM}).save(tmp_path / "model.zip")
    done = run("import sys, agents; agents.load(sys.argv[1])", tmp_path / "model.zip")
    assert done.returncode == 0, done.stderr


def test_a_model_is_saved_though_its_class_was_defined_anew(tmp_path: Path) -> None:
    model = make_model("cell")
    again = type("Average", (Average,), {"__module__": Average.__module__})
    again.__qualname__ = Average.__qualname__
    try:
        agents.register(again)
        model.save(tmp_path / "model.zip")
    finally:
        agents.register(Average)
    assert np.array_equal(play(agents.load(tmp_path / "model.zip")), play(model))


def test_a_policy_may_not_take_the_name_of_ours() -> None:
    env = sync(lambda: RandomEnv(BOX, spaces.Discrete(3)), 2)
    double = type("MemoryPolicy", (MemoryPolicy,), {"__module__": "mine"})
    with pytest.raises(ValueError, match=r"mine\.MemoryPolicy; allowed: a class of another name"):
        MemoryPPO(double, env)


class Forgetful(MemoryA2C):
    """Keeps no attribute for an argument of its own."""

    def __init__(
        self, policy: Any, env: Any, extra: int = 1, _init_setup_model: bool = True
    ) -> None:
        super().__init__(policy, env, _init_setup_model=_init_setup_model)


def test_an_argument_without_its_attribute_is_refused_at_construction() -> None:
    env = sync(lambda: RandomEnv(BOX, spaces.Discrete(3)), 2)
    with pytest.raises(TypeError, match="Forgetful takes extra, but keeps no attribute"):
        Forgetful("MemoryPolicy", env)


@pytest.mark.parametrize("space", [spaces.MultiBinary(5), spaces.MultiBinary((5,))])
def test_bits_are_the_same_space_when_they_are_loaded(
    space: spaces.MultiBinary, tmp_path: Path
) -> None:
    env = sync(lambda: RandomEnv(space, spaces.Discrete(3)), 2)
    MemoryPPO("MemoryPolicy", env).save(tmp_path / "model.zip")
    assert agents.load(tmp_path / "model.zip", env).observation_space == space
