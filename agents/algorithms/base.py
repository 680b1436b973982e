"""An SB3 algorithm with a memory policy: construction, seeds, prediction, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import FloatSchedule
from torch import Tensor

from agents.algorithms.buffer import MemoryRolloutBuffer
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


class MemoryAlgorithm(OnPolicyAlgorithm):
    """What the on-policy algorithms with memory are to their user; SB3's habits hold.

    Args:
        policy: ``"MemoryPolicy"`` or a subclass of it.
        env: An SB3 `VecEnv` (see `agents.make_vec_env`), a Gymnasium environment, or an id.
        learning_rate: A number, or a function of the remaining progress (from 1 to 0).
        n_steps: Steps per environment in a rollout.
        bptt: Steps over which gradients flow back, a divisor of `n_steps`; None for all.
        gamma: Discount factor.
        gae_lambda: Factor between bias and variance of the advantages.
        ent_coef: Weight of the entropy bonus; a number or a schedule.
        vf_coef: Weight of the value loss.
        max_grad_norm: Largest norm of the gradient; longer ones are scaled down.
        stats_window_size: Episodes over which the logged means are taken.
        tensorboard_log: Folder of the TensorBoard log, or None.
        policy_kwargs: Arguments of the policy, see `MemoryPolicy`.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: Seed of everything random: parameters, actions, shuffling, environments.
        device: PyTorch device, or ``"auto"``.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MemoryPolicy": MemoryPolicy}
    policy: MemoryPolicy  # type: ignore[assignment]  # SB3 names its own class; ours replaces it
    rollout_buffer: MemoryRolloutBuffer  # type: ignore[assignment]  # likewise
    ent_coef: float | Schedule  # type: ignore[assignment]  # a number only in SB3

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: GymEnv | str | None,
        *,
        learning_rate: float | Schedule,
        n_steps: int,
        bptt: int | None,
        gamma: float,
        gae_lambda: float,
        ent_coef: float | Schedule,
        vf_coef: float,
        max_grad_norm: float,
        stats_window_size: int,
        tensorboard_log: str | None,
        policy_kwargs: dict[str, Any] | None,
        verbose: int,
        seed: int | None,
        device: torch.device | str,
    ) -> None:
        if n_steps < 1:
            raise ValueError(f"n_steps is {n_steps}; allowed: integers from 1 on")
        if bptt is not None and (bptt < 1 or n_steps % bptt):
            raise ValueError(f"bptt is {bptt}; allowed: None or a divisor of n_steps={n_steps}")
        super().__init__(
            policy=policy,  # type: ignore[arg-type]  # SB3 names its own policy class
            env=env,  # type: ignore[arg-type]  # None is what SB3's own load passes
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=gamma,
            gae_lambda=gae_lambda,
            ent_coef=ent_coef,  # type: ignore[arg-type]  # made a schedule in _setup_model
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=dict(policy_kwargs or {}),
            verbose=verbose,
            seed=seed,
            device=device,
            supported_action_spaces=(spaces.Discrete, spaces.MultiDiscrete, spaces.Box),
            _init_setup_model=False,
        )
        self.bptt = bptt
        self.stats_window_size = stats_window_size
        self.last_checkpoint: str | None = None
        self.generator = torch.Generator(self.device)
        self.predict_generator = torch.Generator(self.device)
        self._memory_state: State | None = None

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        self.ent_coef = FloatSchedule(self.ent_coef)
        self.set_random_seed(self.seed)
        self.policy = self._make_policy(self.lr_schedule).to(self.device)
        check_saveable(self)
        self.rollout_buffer = MemoryRolloutBuffer(
            self.n_steps, self.bptt, self.gamma, self.gae_lambda
        )

    def _make_policy(self, lr_schedule: Schedule, optimizer: bool = True) -> MemoryPolicy:
        """Builds the policy; without its optimizer if only the shapes are asked for."""
        kwargs = dict(self.policy_kwargs)
        if not optimizer:
            kwargs.update(optimizer_class=torch.optim.SGD, optimizer_kwargs={})
        policy = self.policy_class(self.observation_space, self.action_space, lr_schedule, **kwargs)
        allowed = next(iter(self.policy_aliases.values()))
        if not isinstance(policy, allowed):
            raise TypeError(
                f"policy is {self.policy_class}; allowed: {allowed.__name__}, its subclasses"
            )
        return policy  # type: ignore[return-value]  # RL-NTM's is of another kind

    def _policy_state(self) -> dict[str, Tensor]:
        """The tensors of a new policy, without their numbers, for which no memory is taken."""
        with torch.device("meta"):
            return self._make_policy(lambda _: 0.0, optimizer=False).state_dict()

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
        return super().learn(
            total_timesteps=total_timesteps,
            callback=callback,
            log_interval=log_interval,
            tb_log_name=tb_log_name or type(self).__name__,
            reset_num_timesteps=reset_num_timesteps,
            progress_bar=progress_bar,
        )

    def predict(
        self,
        observation: npt.NDArray[Any] | dict[str, npt.NDArray[Any]],
        state: State | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[Any], State]:
        """Chooses actions and carries the memory state; see `MemoryPolicy.predict`."""
        return self.policy.predict(
            observation, state, episode_start, deterministic, action_masks, self.predict_generator
        )

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
