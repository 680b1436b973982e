"""RL-NTM (Zaremba & Sutskever 2015): REINFORCE for moves, backpropagation for symbols."""

from __future__ import annotations

import math
from typing import Any, ClassVar, TypeVar

import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.algorithms.base import MemoryAlgorithm
from agents.algorithms.curriculum import CurriculumCallback
from agents.algorithms.on_policy import NonFiniteError
from agents.algorithms.rl_ntm.episodes import Recorder
from agents.algorithms.rl_ntm.fast.unroll import FastUnroll
from agents.algorithms.rl_ntm.interfaces import InterfaceError, check_rules, check_targets
from agents.algorithms.rl_ntm.losses import compute_losses
from agents.algorithms.rl_ntm.objective import REWARDS
from agents.algorithms.rl_ntm.paper import paper_setup
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.algorithms.rl_ntm.unroll import PlainUnroll
from agents.environments.make_env import make_vec_env
from agents.environments.vec_env import GymnasiumVecEnv
from memory_envs import Curriculum

Self = TypeVar("Self", bound="RLNTM")


class RLNTM(MemoryAlgorithm):
    """RL-NTM on an environment of the tape family.

    Each update plays one whole episode per environment. Objective, baselines and clipping are by
    default the paper's (section 9). Optimiser, learning rate and inverse temperature are not:
    `paper` has those of the paper. docs/design.md says what differs from the paper nevertheless.

    Args:
        policy: ``"RLNTMPolicy"`` or a subclass of it.
        env: an id of the tape family, or a `GymnasiumVecEnv` made with ``forced_emission=True``
            and ``on_error="continue"``.
        learning_rate: a number, or a function of the remaining progress (from 1 to 0).
        n_envs: episodes per update, where `env` is an id.
        reward: what moves are paid: "log_prob", the paper's, or "prefix_prob"; see
            `agents.algorithms.rl_ntm.objective.rewards`.
        gamma: discount factor; the paper has none.
        causality: whether a move is judged by what came after it alone.
        online_baseline: whether a running mean per time step is subtracted from the rewards-to-go.
        offline_baseline: whether `OfflineBaseline` predicts what is left.
        normalize_advantage: whether advantages are scaled to standard deviation 1.
        ent_coef: weight of the entropy of the moves; a number or a schedule.
        max_grad_norm: largest norm of the controller's gradient.
        max_grad_norm_baseline: of the offline baseline's.
        stats_window_size: episodes over which the logged means are taken.
        tensorboard_log: folder of the TensorBoard log, or None.
        policy_kwargs: arguments of the policy, see `RLNTMPolicy`.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: of everything random.
        device: PyTorch device, or ``"auto"``.
        _init_setup_model: whether to build the networks at once.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"RLNTMPolicy": RLNTMPolicy}
    policy: RLNTMPolicy  # type: ignore[assignment]  # its own kind
    unroll_class: ClassVar[type[FastUnroll | PlainUnroll]] = FastUnroll

    def __init__(
        self,
        policy: str | type[RLNTMPolicy],
        env: GymEnv | str | None,
        learning_rate: float | Schedule = 3e-3,
        n_envs: int = 200,
        reward: str = "log_prob",
        gamma: float = 1.0,
        causality: bool = True,
        online_baseline: bool = True,
        offline_baseline: bool = True,
        normalize_advantage: bool = False,
        ent_coef: float | Schedule = 0.0,
        max_grad_norm: float = 5.0,
        max_grad_norm_baseline: float = 2.0,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        if reward not in REWARDS:
            raise ValueError(f"reward is {reward!r}; allowed: {', '.join(REWARDS)}")
        if not 0.0 <= gamma <= 1.0:
            raise ValueError(f"gamma is {gamma!r}; allowed: numbers from 0 to 1")
        for name, norm in (
            ("max_grad_norm", max_grad_norm),
            ("max_grad_norm_baseline", max_grad_norm_baseline),
        ):
            if norm <= 0.0:  # a negative one would turn the gradient round
                raise ValueError(f"{name} is {norm!r}; allowed: numbers above 0")
        if isinstance(env, str):
            env = make_vec_env(env, n_envs, forced_emission=True, on_error="continue")
        super().__init__(
            policy,  # type: ignore[arg-type]  # its own kind
            env,
            learning_rate=learning_rate,
            n_steps=1,
            bptt=None,
            gamma=gamma,
            gae_lambda=1.0,
            ent_coef=ent_coef,
            vf_coef=1.0,
            max_grad_norm=max_grad_norm,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
        )
        self.reward = reward
        self.causality = causality
        self.online_baseline = online_baseline
        self.offline_baseline = offline_baseline
        self.normalize_advantage = normalize_advantage
        self.max_grad_norm_baseline = max_grad_norm_baseline
        self._advance: CurriculumCallback | None = None
        if self.env is not None:
            if not isinstance(self.env, GymnasiumVecEnv):
                raise InterfaceError(f"env is {self.env}; allowed: an id, or make_vec_env(id, ...)")
            check_rules(self.env)
        if _init_setup_model:
            self._setup_model()

    @classmethod
    def paper(cls: type[Self], env: GymEnv | str, **overrides: Any) -> Self:
        """An agent as in the paper's section 9, with the settings of the preset `rl_ntm-paper`.

        Args:
            env: an id of the tape family, or environments as for the constructor. For an id they
                are made with the curriculum of Table 3, and `learn` advances it: by one length
                when less than 20 % of the symbols are wrong, at most every 100 updates.
            **overrides: arguments of the constructor in place of the paper's; `policy_kwargs` is
                added to the paper's, such as ``{"controller": "lstm"}``.
        """
        setup = paper_setup(env, overrides)
        model = cls("RLNTMPolicy", setup.env, **setup.arguments)
        model._advance = setup.advance
        return model

    @property
    def curriculum(self) -> Curriculum | None:
        """The one that `paper` made and `learn` advances; no model file holds it."""
        return None if self._advance is None else self._advance.curriculum

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        """Adds what advances the curriculum to what the user gave."""
        given = super()._init_callback(callback, progress_bar)
        if self._advance is None:
            return given
        both = CallbackList([self._advance, given])
        both.init_callback(self)
        return both

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Plays one episode in every row; see `MemoryOnPolicyAlgorithm.collect_rollouts`."""
        assert isinstance(env, GymnasiumVecEnv)
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        obs: Any = env.reset()
        check_targets(env)
        episodes = Recorder(env, self.policy.interfaces, self.device)
        kind = self.unroll_class if self.device.type == "cpu" else PlainUnroll
        unroll = kind(self.policy.controller, env.num_envs, episodes.max_steps)
        while len(episodes.rows):
            seen = torch.as_tensor(obs[episodes.rows], device=self.device)
            scores = unroll.step(self.policy.symbols_seen(seen), episodes.rows)
            moves = self.policy.sample(scores, episodes.masks(), self.generator)
            unroll.move(moves)
            actions = episodes.actions(moves, scores.symbols.argmax(dim=1))
            obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += len(episodes.rows)
            dones = episodes.end(dones)  # what a row does after its episode is not looked at
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            ended = dones.nonzero()[0]
            self._update_info_buffer([infos[row] for row in ended], dones[ended])
        self._last_obs = obs
        self._episodes = (episodes.played(), *unroll.finish())
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Takes one gradient step on the episodes just played."""
        self._update_learning_rate(self.policy.optimizer)
        played, scores, seen = self._episodes
        weights = torch.full_like(scores.symbols[0, :, 0], 1.0 / played.moves.shape[1])
        losses = compute_losses(self, played, scores, seen, weights)
        assert isinstance(self.ent_coef, FloatSchedule)
        entropy_weight = self.ent_coef(self._current_progress_remaining)
        self._optimize(
            losses.symbols + losses.moves + losses.baseline + entropy_weight * losses.entropy
        )
        self._n_updates += 1
        self.logger.record("train/log_prob", -float(losses.symbols.detach()))
        self.logger.record("train/baseline_loss", float(losses.baseline.detach()))
        self.logger.record("train/entropy_loss", float(losses.entropy.detach()))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _optimize(self, loss: Tensor) -> None:
        """Takes one gradient step, the norms of controller and baseline clipped apart.

        Raises:
            NonFiniteError: if the loss or a gradient is not finite.
        """
        policy = self.policy
        policy.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
        norm = torch.nn.utils.clip_grad_norm_(policy.controller.parameters(), self.max_grad_norm)
        norm = norm + torch.nn.utils.clip_grad_norm_(
            policy.baseline.parameters(), self.max_grad_norm_baseline
        )
        if not math.isfinite(float(norm + loss.detach())):
            policy.optimizer.zero_grad()
            raise NonFiniteError(
                f"update {self._n_updates + 1} after {self.num_timesteps} steps: the loss is "
                f"{float(loss.detach())}, the gradients' norms add up to {float(norm)}; the "
                "parameters were left as they are; the last checkpoint is "
                f"{self.last_checkpoint or 'none'}"
            )
        policy.optimizer.step()
