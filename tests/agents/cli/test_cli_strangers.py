"""`memory-envs evaluate` plays agents and environments that are not ours, when told to."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stable_baselines3 import DQN

from agents.cli.main import main

Capture = pytest.CaptureFixture[str]

MODULE = """
import gymnasium as gym
import numpy as np
import memory_envs
from memory_envs.wrappers import FlatActions, OneHotObservations

number = 3

def make_env():
    return FlatActions(OneHotObservations(gym.make("Tape-Copy-Easy-v0")))

def copier():
    def policy(turn, state):
        symbols = turn.observations[:, 0]
        return np.stack([np.full_like(symbols, 2), np.ones_like(symbols), symbols], 1), state
    return policy
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "my_agent.py").write_text(MODULE)
    yield "my_agent"
    sys.modules.pop("my_agent", None)


def test_a_function_of_one_s_own_module_makes_the_policy(module: str, capsys: Capture) -> None:
    command = f"evaluate {module}:copier --env Tape-Copy-Easy-v0 --episodes 20 --json"
    assert main([*command.split(), "--set", "min_length=3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["score"]) == (f"{module}:copier", 1.0)
    assert found["return_mean"] > 4.0


def test_a_file_of_sb3_is_loaded_only_when_its_class_is_named(
    module: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.path.insert(0, ".")
    env = __import__(module).make_env()
    DQN("MlpPolicy", env, buffer_size=10, seed=0).save("dqn")
    command = f"evaluate dqn.zip --env {module}:make_env --episodes 20".split()
    with monkeypatch.context() as patch:
        patch.setattr(DQN, "load", lambda *_, **__: pytest.fail("its pickles were read"))
        assert main(command) == 2
    assert "to load it runs code from the file" in capsys.readouterr().err
    for name in ("DQN", "stable_baselines3:DQN"):
        assert main([*command, "--class", name, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["env"], found["deterministic"]) == ("Tape-Copy-Easy-v0", True)
        assert found["score"] < 1.0
    assert main([*command, "--class", "PPO"]) == 2
    assert "dqn.zip cannot be loaded as PPO" in capsys.readouterr().err
    assert main([*command, "--class", "DQX"]) == 2
    assert "--class is 'DQX'; allowed: A2C" in capsys.readouterr().err
    assert main(["evaluate", "dqn.zip", "--class", "DQN", "--env", "Tape-Copy-Easy-v0"]) == 2
    assert "policy DQN has observation_space Box" in capsys.readouterr().err
    assert main(["evaluate", "dqn.zip", "--class", "DQN"]) == 2
    assert "say where dqn.zip shall play: --env ID" in capsys.readouterr().err


def test_a_wrapped_environment_is_played(module: str, capsys: Capture) -> None:
    command = f"evaluate oracle --env {module}:make_env --episodes 5"
    assert main(command.split()) == 0
    assert "score    1.000" in capsys.readouterr().out
    assert main([*command.split(), "--set", "max_length=3"]) == 2
    assert "--set is for environments with an id" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("my_agent:copy --env Tape-Copy-v0", "my_agent has no 'copy'; allowed: "),
        ("my_agent:number --env Tape-Copy-v0", "a int; allowed: functions"),
        ("nowhere:copier --env Tape-Copy-v0", "there is no module 'nowhere'"),
        ("my_agent:copier", "say where my_agent:copier shall play: --env ID"),
        ("oracle --env my_agent:make", "env is 'my_agent:make'; allowed: registered ids"),
        ("oracle --env Tape-Copy-v0 --class PPO", "--class is 'PPO'; allowed: nothing, unless"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    arguments: str, message: str, module: str, capsys: Capture
) -> None:
    assert main(["evaluate", *arguments.split()]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert message in error
