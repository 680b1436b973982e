"""An SB3 algorithm that plays rollouts, has losses on them, and descends on these."""

from __future__ import annotations

import math
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import FloatSchedule, safe_mean
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from typing_extensions import Unpack

from agents.cells.state import State
from agents.networks.policy import MemoryPolicy
from agents.saving.model_file import (
    check_saveable,
    load_model,
    model_path,
    restore_from_file,
    save_model,
)

Self = TypeVar("Self", bound="MemoryAlgorithm")


class NonFiniteError(RuntimeError):
    """A loss, a gradient or an action's probability is not finite.

    The gradient step in question was not taken; earlier ones of the same update were.
    """


class Drawable(Protocol):
    """A distribution of the actions of B rows, as a sampler sees it."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Returns random actions, ``(B, ...)``."""
        ...

    def mode(self) -> Tensor:
        """Returns the most probable actions, ``(B, ...)``."""
        ...


# Chooses the actions of a step of a rollout.
Sampler: TypeAlias = Callable[[Drawable], Tensor]


class CommonArguments(TypedDict):
    """The arguments that all constructors hand on; `MemoryAlgorithm` says what they mean."""

    learning_rate: float | Schedule
    ent_coef: float | Schedule
    max_grad_norm: float
    stats_window_size: int
    tensorboard_log: str | None
    policy_kwargs: dict[str, Any] | None
    verbose: int
    seed: int | None
    device: torch.device | str


class MemoryAlgorithm(BaseAlgorithm):
    """What the algorithms with memory are to their user; SB3's habits hold.

    A subclass plays rollouts (`collect_rollouts`, `rollout_batch`) and says what its losses are
    (`losses`). `train` takes one gradient step on `total_loss` of them, unless it is overridden.

    Args:
        policy: The policy's name or class.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment, or an id.
        **common: ``learning_rate``: a number, or a function of the remaining progress (from 1 to
            0). ``ent_coef``: weight of the entropy bonus; a number or a schedule.
            ``max_grad_norm``: largest norm of the gradient; longer ones are scaled down.
            ``stats_window_size``: episodes over which the logged means are taken.
            ``tensorboard_log``: folder of the TensorBoard log, or None. ``policy_kwargs``:
            arguments of the policy, and ``optimizer_class`` and ``optimizer_kwargs``.
            ``verbose``: 0 for no output, 1 for information, 2 for debugging. ``seed``: seed of
            everything random. ``device``: PyTorch device, or ``"auto"``.

    Attributes:
        gamma: Discount factor, which a subclass sets.
        sampler: Chooses the actions of a rollout from their distribution; draws them at random
            with the algorithm's generator unless another one is set.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MemoryPolicy": MemoryPolicy}
    env: VecEnv | None
    gamma: float

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        **common: Unpack[CommonArguments],
    ) -> None:
        if not common["max_grad_norm"] > 0.0:  # a negative one would turn the gradient round
            raise ValueError(
                f"max_grad_norm is {common['max_grad_norm']}; allowed: numbers above 0"
            )
        super().__init__(
            policy,
            env,
            learning_rate=common["learning_rate"],
            policy_kwargs=dict(common["policy_kwargs"] or {}),
            stats_window_size=common["stats_window_size"],
            tensorboard_log=common["tensorboard_log"],
            verbose=common["verbose"],
            device=common["device"],
            support_multi_env=True,
            seed=common["seed"],
            supported_action_spaces=(spaces.Discrete, spaces.MultiDiscrete, spaces.Box),
        )
        self.ent_coef = common["ent_coef"]
        self.max_grad_norm = common["max_grad_norm"]
        self.stats_window_size = common["stats_window_size"]
        self.last_checkpoint: str | None = None
        # What the memory holds between two rollouts; None where each rollout starts anew.
        self._memory_state: State | None = None
        self.generator = torch.Generator(self.device)
        self.predict_generator = torch.Generator(self.device)
        self.sampler: Sampler = self._draw

    # Construction

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        self.ent_coef = FloatSchedule(self.ent_coef)
        self.set_random_seed(self.seed)
        self.policy = self._make_policy().to(self.device)
        check_saveable(self)

    def _make_policy(self) -> BasePolicy:
        kwargs = {k: v for k, v in self.policy_kwargs.items() if not k.startswith("optimizer_")}
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
        return made

    def optimizer_settings(self) -> tuple[Any, dict[str, Any]]:
        """Returns the optimizer's class, and its arguments other than the learning rate."""
        default, kwargs = self._default_optimizer()
        make = self.policy_kwargs.get("optimizer_class", default)
        given = self.policy_kwargs.get("optimizer_kwargs")
        if given is None:
            given = kwargs if make is default else {}
        return make, dict(given)

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

    def _draw(self, distribution: Drawable) -> Tensor:
        return distribution.sample(self.generator)

    # Learning

    @abstractmethod
    def collect_rollouts(self, env: VecEnv, callback: BaseCallback) -> bool:
        """Plays a rollout of the current policy; `rollout_batch` then holds it.

        Args:
            env: The environments.
            callback: Called after each step, and at both ends of the rollout.

        Returns:
            Whether the rollout is complete; False if the callback stopped it.
        """

    @abstractmethod
    def rollout_batch(self) -> Any:
        """Returns the last rollout, whole, as `losses` takes it."""

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Returns the losses on a batch by name, scalars with gradients.

        Nothing else happens: no statistics, no log, no optimizer. The same parameters and the same
        batch give the same losses.

        Args:
            batch: What `rollout_batch` returns, or a part of it.
        """

    def loss_weights(self) -> dict[str, float]:
        """Returns the weights of losses in `total_loss`; a loss that is not named weighs 1."""
        assert isinstance(self.ent_coef, FloatSchedule)
        return {"entropy": self.ent_coef(self._current_progress_remaining)}

    def total_loss(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the sum of the losses, each times its weight: what a gradient step descends on.

        Args:
            losses: What `losses` returns.
        """
        weights = self.loss_weights()
        # Going back through a loss of no weight takes time.
        weighed = {k: loss for k, loss in losses.items() if weights.get(k, 1.0) != 0.0}
        return torch.stack([weights.get(k, 1.0) * loss for k, loss in weighed.items()]).sum()

    def rollout(self) -> Any:
        """Plays a rollout as `learn` does first, from new episodes, and returns its batch."""
        _, callback = self._setup_learn(1)
        assert self.env is not None
        self.collect_rollouts(self.env, callback)
        return self.rollout_batch()

    def learn(
        self: Self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Trains for `total_timesteps` environment steps; the arguments are SB3's."""
        total_timesteps, callback = self._setup_learn(
            total_timesteps,
            callback,
            reset_num_timesteps,
            tb_log_name or type(self).__name__,
            progress_bar,
        )
        assert self.env is not None
        callback.on_training_start(locals(), globals())
        iteration = 0
        while self.num_timesteps < total_timesteps:
            if not self.collect_rollouts(self.env, callback):
                break
            iteration += 1
            self._update_current_progress_remaining(self.num_timesteps, total_timesteps)
            if log_interval and iteration % log_interval == 0:
                self._log_progress(iteration)
            self.train()
        callback.on_training_end()
        return self

    def train(self) -> None:
        """Takes one gradient step on the whole rollout."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.optimizer)
        batch = self.rollout_batch()
        losses = self.losses(batch)
        self._optimize(self.total_loss(losses))
        self._n_updates += 1
        for name, loss in losses.items():
            self.logger.record(f"train/{name}_loss", float(loss.detach()))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self._trained(batch)

    def _trained(self, batch: Any) -> None:
        """Called by `train` after its gradient step."""

    def _clipped_parts(self) -> list[tuple[nn.Module, float]]:
        """The parts of the policy whose gradients are clipped apart, and their largest norms."""
        return [(self.policy, self.max_grad_norm)]

    def _optimize(self, loss: Tensor) -> None:
        """Takes one gradient step.

        Raises:
            NonFiniteError: If the loss or the gradient is not finite.
        """
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
        norms = [
            float(torch.nn.utils.clip_grad_norm_(part.parameters(), largest))
            for part, largest in self._clipped_parts()
        ]
        if not math.isfinite(sum(norms) + float(loss.detach())):
            self.optimizer.zero_grad()
            raise NonFiniteError(
                f"update {self._n_updates + 1} after {self.num_timesteps} steps: the loss is "
                f"{float(loss.detach())} and the gradient norm {sum(norms)}; the parameters were "
                f"left as they are; the last checkpoint is {self.last_checkpoint or 'none'}"
            )
        self.optimizer.step()

    def _log_progress(self, iteration: int) -> None:
        """Logs what SB3 logs after each rollout, by SB3's names."""
        assert self.ep_info_buffer is not None
        assert self.ep_success_buffer is not None
        seconds = max((time.time_ns() - self.start_time) / 1e9, sys.float_info.epsilon)
        steps = self.num_timesteps - self._num_timesteps_at_start
        self.logger.record("time/iterations", iteration, exclude="tensorboard")
        if self.ep_info_buffer:
            for name, key in (("ep_rew_mean", "r"), ("ep_len_mean", "l")):
                mean = safe_mean([info[key] for info in self.ep_info_buffer])
                self.logger.record(f"rollout/{name}", mean)
        self.logger.record("time/fps", int(steps / seconds))
        self.logger.record("time/time_elapsed", int(seconds), exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        if self.ep_success_buffer:
            self.logger.record("rollout/success_rate", safe_mean(self.ep_success_buffer))
        self.logger.dump(step=self.num_timesteps)

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
            load_path_or_dict: What `get_parameters` returns, or the path of a model file.
            exact_match: For a dict: whether all parameters must be there.
            device: For a dict: not used; tensors are copied to where the model is.

        Raises:
            agents.ModelFileError: If the file does not fit; the model stays as it is.
        """
        if isinstance(load_path_or_dict, dict):
            super().set_parameters(load_path_or_dict, exact_match, device)
        else:
            restore_from_file(self, load_path_or_dict, self._policy_state())

    def save(  # type: ignore[override]  # nothing else to exclude
        self, path: str | Path, optimizer: bool = True
    ) -> None:
        """Saves to one file without pickle; ``.zip`` is added to a name without a suffix.

        Args:
            path: The file.
            optimizer: Whether the optimizer's state is saved too; to predict it is not needed.

        Raises:
            TypeError: If a setting cannot be stored; nothing is written.
        """
        self.last_checkpoint = str(save_model(self, path, optimizer))

    @classmethod
    def load(  # type: ignore[override]  # no custom_objects: no object comes from the file
        cls: type[Self],
        path: str | Path,
        env: GymEnv | None = None,
        device: torch.device | str = "auto",
        **overrides: Any,
    ) -> Self:
        """Loads what `save` wrote.

        Args:
            path: The file.
            env: Environments to go on training with, or None if the model shall only predict.
            device: PyTorch device, or ``"auto"``.
            **overrides: Constructor arguments that replace those of the file.

        Raises:
            agents.ModelFileError: If the file is not a valid model of this class.
        """
        model = load_model(cls, path, env, device, overrides, cls._policy_state)
        model.last_checkpoint = str(model_path(path))
        return model
