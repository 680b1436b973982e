"""An SB3 algorithm with memory as its user holds it: made, asked for actions, saved and loaded."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, TypeAlias, TypedDict, TypeVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import FloatSchedule, get_system_info
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from typing_extensions import Unpack

from agents.cells.state import State
from agents.environments.make_env import make_vec_env
from agents.environments.readable import readable_env
from agents.environments.vec_env import GymnasiumVecEnv
from agents.networks.policy import MemoryPolicy
from agents.saving.archive import ModelSource
from agents.saving.model_file import check_saveable, model_source, save_model
from agents.saving.model_loading import load_model, restore_from_file
from agents.saving.model_tensors import fill_optimizer
from memory_envs.arguments import (
    argument_names,
    check_choice,
    check_instance,
    check_integer,
    check_number,
    check_or_none,
    shown,
)

Self = TypeVar("Self", bound="MemoryModel")

# What `policy_kwargs` holds for the algorithm, as in SB3.
_OF_OPTIMIZER = ("optimizer_class", "optimizer_kwargs")
# SB3 seeds NumPy's old generator, which takes no larger one.
_LARGEST_SEED = 2**32 - 1

# What an algorithm plays in.
Env: TypeAlias = GymEnv | gym.vector.VectorEnv[Any, Any, Any]
_ENVS = "an id, a Gymnasium environment or vector environment, an SB3 VecEnv"


class CommonArguments(TypedDict):
    """The arguments that all constructors hand on; `MemoryModel` says what they mean."""

    learning_rate: float | Schedule
    ent_coef: float | Schedule
    max_grad_norm: float
    stats_window_size: int
    tensorboard_log: str | None
    policy_kwargs: dict[str, Any] | None
    verbose: int
    seed: int | None
    device: torch.device | str


def check_schedule(name: str, value: Any, above: bool = False) -> float | Schedule:
    """Returns a number, or a function of the remaining progress (from 1 to 0).

    Args:
        name: The argument.
        value: What was given. A number may be 0 unless `above`; what a function starts with always
            may, as one that ends with 0 may be stored in a file as that number.
        above: Whether a number must be above 0.

    Raises:
        TypeError: If it is neither.
        ValueError: If it, or what the function starts with, is not allowed.
    """
    if not callable(value):
        return check_number(name, value, 0.0, above=above)
    check_number(f"{name}(1.0)", value(1.0), 0.0)
    schedule: Schedule = value
    return schedule


def check_device(device: torch.device | str) -> torch.device | str:
    """Returns the device if there is one of that name here; SB3 would take the CPU in its place.

    Raises:
        ValueError: If there is none.
    """
    if device == "auto":
        return device
    try:
        torch.empty(0, device=device)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        here = ["auto", "cpu"] + [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device is {shown(device)}; allowed: {', '.join(here)} ({reason})"
        ) from error
    return device


class MemoryModel(BaseAlgorithm):
    """What the algorithms with memory share but for learning; SB3's habits hold.

    Args:
        policy: The policy's name or class.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment or vector
            environment, or an id.
        **common: ``learning_rate``: a number, or a function of the remaining progress (from 1 to
            0). ``ent_coef``: weight of the entropy bonus; a number or a schedule.
            ``max_grad_norm``: largest norm of the gradient; longer ones are scaled down.
            ``stats_window_size``: episodes over which the logged means are taken.
            ``tensorboard_log``: folder of the TensorBoard log, or None. ``policy_kwargs``:
            arguments of the policy, and ``optimizer_class`` and ``optimizer_kwargs``.
            ``verbose``: 0 for no output, 1 for information, 2 for debugging. ``seed``: seed of
            everything random. ``device``: PyTorch device, or ``"auto"``.

    Raises:
        TypeError, ValueError: If an argument is not valid; says which, and what is allowed.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MemoryPolicy": MemoryPolicy}
    env: VecEnv | None

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: Env | str | None,
        **common: Unpack[CommonArguments],
    ) -> None:
        policy_kwargs = common["policy_kwargs"]
        check_instance("policy_kwargs", policy_kwargs, (dict, NoneType), "a dict, or None")
        log = common["tensorboard_log"]
        check_instance("tensorboard_log", log, (str, os.PathLike, NoneType), "a folder, or None")
        super().__init__(
            policy,
            # Here, as SB3 would make a scalar environment of an id, and ask it for pictures.
            env if env is None else self._wrap_env(env, common["verbose"]),
            learning_rate=check_schedule("learning_rate", common["learning_rate"]),
            policy_kwargs=dict(policy_kwargs or {}),
            stats_window_size=check_integer("stats_window_size", common["stats_window_size"], 1),
            tensorboard_log=log,
            verbose=check_integer("verbose", common["verbose"], 0, 2),
            device=check_device(common["device"]),
            support_multi_env=True,
            seed=check_or_none(check_integer, "seed", common["seed"], 0, _LARGEST_SEED),
            supported_action_spaces=(spaces.Discrete, spaces.MultiDiscrete, spaces.Box),
        )
        self.ent_coef = check_schedule("ent_coef", common["ent_coef"])
        # A negative norm would turn the gradient round.
        self.max_grad_norm = check_number(
            "max_grad_norm", common["max_grad_norm"], 0.0, math.inf, above=True
        )
        self.stats_window_size = self._stats_window_size
        self.last_checkpoint: str | None = None
        # What a file holds for the optimizer, until it is made.
        self.optimizer_tensors: Mapping[str, Tensor] = {}
        self.generator = torch.Generator(self.device)
        self.predict_generator = torch.Generator(self.device)

    # Construction

    @staticmethod
    def _wrap_env(env: Any, verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        """Makes an SB3 `VecEnv` of whatever an agent can play in.

        Raises:
            TypeError: For anything else.
        """
        if isinstance(env, str):
            env = make_vec_env(env)
        elif isinstance(env, gym.vector.VectorEnv):
            env = GymnasiumVecEnv(env)
        elif isinstance(env, gym.Env):
            env = readable_env(env)
        check_instance("env", env, (gym.Env, VecEnv), _ENVS)
        return BaseAlgorithm._wrap_env(env, verbose, monitor_wrapper)

    def _get_policy_from_name(self, policy_name: str) -> type[BasePolicy]:
        return self.policy_aliases[check_choice("policy", policy_name, self.policy_aliases)]

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        super()._update_current_progress_remaining(num_timesteps, total_timesteps)
        # The last rollout may go beyond the total: no schedule is asked for what comes after 0.
        self._current_progress_remaining = max(0.0, self._current_progress_remaining)

    def _setup_model(self) -> None:
        if not hasattr(self, "observation_space"):  # a model file says what it is without any
            raise TypeError(f"env is None; allowed: {_ENVS}")
        self._setup_lr_schedule()
        self.ent_coef = FloatSchedule(self.ent_coef)
        self.set_random_seed(self.seed)
        self.policy = self._make_policy().to(self.device)
        self._check_optimizer_settings()
        check_saveable(self)

    def _make_policy(self) -> BasePolicy:
        kwargs = {k: v for k, v in self.policy_kwargs.items() if k not in _OF_OPTIMIZER}
        make: Any = self.policy_class  # SB3's own classes take other arguments
        allowed = next(iter(self.policy_aliases.values()))
        if not (isinstance(make, type) and issubclass(make, allowed)):
            raise TypeError(f"policy is {make}; allowed: {allowed.__name__}, its subclasses")
        return make(self.observation_space, self.action_space, **kwargs)

    def _policy_state(self) -> dict[str, Tensor]:
        """The tensors of a new policy, without their numbers, for which no memory is taken."""
        with torch.device("meta"):
            return self._make_policy().state_dict()

    def _default_optimizer(self) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
        """The optimizer's class and its arguments where `policy_kwargs` names none."""
        # Epsilon as in SB3. Fused is one call instead of one per parameter.
        return torch.optim.Adam, {"eps": 1e-5, "fused": True}

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer of the policy's parameters.

        It is made when it is first asked for: to predict none is needed, and PyTorch takes seconds
        to import what one needs.
        """
        make, kwargs = self.optimizer_settings()
        made: torch.optim.Optimizer = make(
            self.policy.parameters(), lr=self.lr_schedule(1.0), **kwargs
        )
        self._fill_optimizer(made)
        return made

    def _fill_optimizer(self, made: torch.optim.Optimizer) -> None:
        """Gives a new optimizer what a file holds for it."""
        if self.optimizer_tensors:
            fill_optimizer(made, self.optimizer_tensors)
            self.optimizer_tensors = {}

    def optimizer_settings(self) -> tuple[Any, dict[str, Any]]:
        """Returns the optimizer's class, and its arguments other than the learning rate."""
        default, kwargs = self._default_optimizer()
        make = self.policy_kwargs.get("optimizer_class", default)
        given = self.policy_kwargs.get("optimizer_kwargs")
        if given is None:
            given = kwargs if make is default else {}
        return make, dict(given)

    def _check_optimizer_settings(self) -> None:
        """Looks at their names only: to make an optimizer takes seconds.

        Raises:
            TypeError, ValueError: If they are not those of a class of optimizers.
        """
        make, kwargs = self.optimizer_settings()
        if not (isinstance(make, type) and issubclass(make, torch.optim.Optimizer)):
            raise TypeError(f"optimizer_class is {shown(make)}; allowed: classes of torch.optim")
        if inspect.signature(make.step).parameters["closure"].default is inspect.Parameter.empty:
            raise ValueError(
                f"optimizer_class is {make.__name__}; allowed: classes whose step needs no closure"
            )
        allowed = [name for name in argument_names(make) if name not in ("params", "lr")]
        for name in kwargs:
            if name == "lr":
                raise ValueError(
                    f"optimizer_kwargs['lr'] is {shown(kwargs[name])}; allowed: nothing, as "
                    "learning_rate of the algorithm says it"
                )
            check_choice(f"argument of optimizer {make.__name__}", name, allowed)

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seeds what SB3 seeds, and the generators of sampling and shuffling."""
        super().set_random_seed(seed)
        if seed is None:
            self.generator.seed()
            self.predict_generator.seed()
        else:
            self.generator.manual_seed(seed)
            # Its own stream, so that evaluations leave the training as it would have been.
            self.predict_generator.manual_seed(seed + 1)

    # Prediction

    def predict(
        self,
        observation: npt.NDArray[Any] | dict[str, npt.NDArray[Any]],
        state: State | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[Any], State]:
        """Chooses actions and carries the memory state; see `MemoryPolicy.predict`."""
        policy: Any = self.policy  # SB3's own take no masks and no generator
        chosen: tuple[npt.NDArray[Any], State] = policy.predict(
            observation, state, episode_start, deterministic, action_masks, self.predict_generator
        )
        return chosen

    # Files

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", "optimizer"], []

    def set_parameters(
        self,
        load_path_or_dict: Any,
        exact_match: bool = True,
        device: torch.device | str = "auto",
    ) -> None:
        """Sets parameters and the optimizer's state, from a dict as in SB3 or from a model file.

        Args:
            load_path_or_dict: What `get_parameters` returns, or a model file or its path.
            exact_match: For a dict: whether all parameters must be there.
            device: For a dict: not used; tensors are copied to where the model is.

        Raises:
            agents.ModelFileError: If the file does not fit; the model stays as it is.
        """
        if isinstance(load_path_or_dict, dict):
            super().set_parameters(load_path_or_dict, exact_match, device)
        else:
            restore_from_file(self, load_path_or_dict, self._policy_state())

    def save(
        self,
        path: ModelSource,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """Saves to one file without pickle: settings, parameters, the optimizer's state, counters.

        Args:
            path: The file, or its path; ``.zip`` is added to a name without a suffix.
            exclude: ``["optimizer"]`` leaves out the optimizer's state; to predict it is not
                needed.
            include: Nothing: environments, buffers and loggers could only be pickled.

        Raises:
            TypeError: If a setting cannot be stored; nothing is written.
            ValueError: If a tensor is not finite, or what is to be left out or added is not
                allowed; nothing is written.
        """
        left_out = list(exclude or ())
        if set(left_out) - {"optimizer"}:
            raise ValueError(f"exclude is {shown(left_out)}; allowed: None, or ['optimizer']")
        if include:
            raise ValueError(
                f"include is {shown(list(include))}; allowed: None, as a model file holds no pickle"
            )
        saved = save_model(self, path, optimizer="optimizer" not in left_out)
        if isinstance(saved, Path):
            self.last_checkpoint = str(saved)

    @classmethod
    def load(
        cls: type[Self],
        path: ModelSource,
        env: Env | None = None,
        device: torch.device | str = "auto",
        custom_objects: Mapping[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        **overrides: Any,
    ) -> Self:
        """Loads what `save` wrote.

        Args:
            path: The file, or its path.
            env: Environments to go on training with, or None if the model shall only predict.
            device: PyTorch device, or ``"auto"``.
            custom_objects: The same as `overrides`, as SB3's callers have it. A ``lr_schedule`` in
                it means nothing, as in SB3: `learning_rate` does.
            print_system_info: Whether to print what SB3 knows of the machine.
            force_reset: Means nothing: a file holds no episode, so that training starts with new
                ones.
            **overrides: Constructor arguments that replace those of the file.

        Raises:
            agents.ModelFileError: If the file is not a valid model of this class.
            TypeError, ValueError: If a replaced argument is not valid, or does not fit the file.
        """
        if print_system_info:
            get_system_info()
        replaced = {**(custom_objects or {}), **overrides}
        replaced.pop("lr_schedule", None)
        model = load_model(cls, path, env, device, replaced, cls._policy_state)
        source = model_source(path)
        model.last_checkpoint = str(source) if isinstance(source, Path) else None
        return model
