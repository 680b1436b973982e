"""Nine tasks that need memory, on which `MemoryPPO` and `RecurrentPPO` are tried untouched.

Both get the same environments: eight Python objects in SB3's `DummyVecEnv`, the same wrappers, the
same seeds. Where RecurrentPPO cannot read `MultiDiscrete` observations it gets them as a vector of
one-hots, which is what SB3 makes of `Discrete` ones itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv

from agents import MemoryPPO

Algorithm: TypeAlias = Literal["MemoryPPO", "RecurrentPPO"]
Model: TypeAlias = MemoryPPO | RecurrentPPO
Environment: TypeAlias = gym.Env[Any, Any]

ALGORITHMS: tuple[Algorithm, ...] = ("MemoryPPO", "RecurrentPPO")
ROWS = 8


class Entries(gym.ObservationWrapper[Any, Any, Any]):
    """Shows only some entries of a vector.

    Args:
        env: With vectors as observations.
        shown: Indices of the entries that stay.
    """

    def __init__(self, env: Environment, shown: list[int]) -> None:
        super().__init__(env)
        space = env.observation_space
        assert isinstance(space, spaces.Box)
        self._shown = shown
        self.observation_space = spaces.Box(space.low[shown], space.high[shown], dtype=np.float32)

    def observation(self, observation: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the entries that are shown."""
        return observation[self._shown]


def _position_and_angle(env: Environment) -> Environment:
    return Entries(env, [0, 2])


def _angle(env: Environment) -> Environment:
    return Entries(env, [0, 1])


def _image(env: Environment) -> Environment:
    from minigrid.wrappers import ImgObsWrapper

    seen: Environment = ImgObsWrapper(env)  # type: ignore[no-untyped-call]  # MiniGrid's
    return FlattenObservation(seen)


class Task(NamedTuple):
    """One task of the panel.

    Attributes:
        name: Of the task in tables and on the command line.
        env_id: What is registered with Gymnasium once `module` is imported.
        module: Registers the id.
        steps: Environment steps that a model is trained for.
        why: What the memory is needed for.
        wrap: Applied for both algorithms.
        one_hot: Whether RecurrentPPO needs its observations flattened.
    """

    name: str
    env_id: str
    module: str
    steps: int
    why: str
    wrap: Callable[[Environment], Environment] | None = None
    one_hot: bool = False


PANEL: tuple[Task, ...] = (
    Task(
        "CartPole without velocities",
        "CartPole-v1",
        "gymnasium",
        100_000,
        "control: differences of what was seen",
        wrap=_position_and_angle,
    ),
    Task(
        "RepeatPreviousEasy",
        "popgym-RepeatPreviousEasy-v0",
        "popgym",
        100_000,
        "recall of the symbol four steps ago, over and over",
    ),
    Task(
        "Tape-Reverse-Easy",
        "Tape-Reverse-Easy-v0",
        "memory_envs",
        60_000,
        "where on the tape one is, and in which phase; short episodes",
        one_hot=True,
    ),
    Task(
        "Pendulum without velocity",
        "Pendulum-v1",
        "gymnasium",
        100_000,
        "control with continuous actions and returns of about -1,000",
        wrap=_angle,
    ),
    Task(
        "CountRecallEasy",
        "popgym-CountRecallEasy-v0",
        "popgym",
        60_000,
        "counting, one of 27 actions",
        one_hot=True,
    ),
    Task(
        "NoisyPositionOnlyCartPoleEasy",
        "popgym-NoisyPositionOnlyCartPoleEasy-v0",
        "popgym",
        60_000,
        "control under noise: a filter over many steps",
    ),
    Task(
        "Tape-Copy-Easy",
        "Tape-Copy-Easy-v0",
        "memory_envs",
        40_000,
        "none: the control",
        one_hot=True,
    ),
    Task(
        "ConcentrationEasy",
        "popgym-ConcentrationEasy-v0",
        "popgym",
        40_000,
        "52 cards seen once each, one of 52 actions",
        one_hot=True,
    ),
    Task(
        "MiniGrid-MemoryS7",
        "MiniGrid-MemoryS7-v0",
        "minigrid",
        150_000,
        "navigation: a cue at the start, the reward at the end",
        wrap=_image,
    ),
)


def make_env(task: Task, algorithm: Algorithm, seed: int) -> VecEnv:
    """Makes the rows of environments that a model of `algorithm` is trained on."""

    def wrap(env: Environment) -> Environment:
        if task.wrap is not None:
            env = task.wrap(env)
        if task.one_hot and algorithm == "RecurrentPPO":
            env = FlattenObservation(env)
        return env

    with warnings.catch_warnings():
        # POPGym and MiniGrid declare spaces in ways that Gymnasium warns of.
        warnings.simplefilter("ignore")
        __import__(task.module)
        return make_vec_env(task.env_id, ROWS, seed=seed, wrapper_class=wrap)


class WholeSequences(RecurrentActorCriticPolicy):
    """RecurrentPPO's policy, which loops over time only where an episode starts inside a sequence.

    RecurrentPPO cuts its minibatches at every start, but loops all the same as soon as one sequence
    begins with one. The numbers are the same but for rounding, in a fifth of the time, so it serves
    for learning curves; speed is measured with the original.
    """

    @staticmethod
    def _process_sequence(  # type: ignore[override]  # sb3-contrib declares its state as a tensor
        features: torch.Tensor,
        lstm_states: tuple[torch.Tensor, torch.Tensor],
        episode_starts: torch.Tensor,
        lstm: torch.nn.LSTM,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        rows = lstm_states[0].shape[1]
        starts = episode_starts.reshape(rows, -1)
        assert not starts[:, 1:].any()
        steps = features.reshape(rows, -1, lstm.input_size).swapaxes(0, 1)
        kept = (1.0 - starts[:, 0]).view(1, rows, 1)
        output, state = lstm(steps, (kept * lstm_states[0], kept * lstm_states[1]))
        return output.transpose(0, 1).flatten(0, 1), state


def make_model(algorithm: Algorithm, env: VecEnv, seed: int, original: bool = False) -> Model:
    """Makes a model with no argument but policy and environment (and seed and device).

    Args:
        algorithm: Its name.
        env: From `make_env`.
        seed: Of everything random.
        original: Whether RecurrentPPO has its own time loop, see `WholeSequences`.
    """
    if algorithm == "MemoryPPO":
        return MemoryPPO("MemoryPolicy", env, seed=seed, device="cpu")
    policy = "MlpLstmPolicy" if original else WholeSequences
    return RecurrentPPO(policy, env, seed=seed, device="cpu")
