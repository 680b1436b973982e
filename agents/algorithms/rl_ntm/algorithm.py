"""RL-NTM (Zaremba & Sutskever 2015): REINFORCE for moves, backpropagation for symbols."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback, Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from typing_extensions import Never

from agents.algorithms.base import MemoryAlgorithm
from agents.algorithms.curriculum import CurriculumCallback
from agents.algorithms.model import Env
from agents.algorithms.rl_ntm.backend import PLAIN, Backend
from agents.algorithms.rl_ntm.controller import Scores
from agents.algorithms.rl_ntm.episodes import Recorder
from agents.algorithms.rl_ntm.fast import FAST
from agents.algorithms.rl_ntm.interfaces import (
    InterfaceError,
    check_rules,
    check_targets,
    no_tape,
)
from agents.algorithms.rl_ntm.objective import (
    REWARDS,
    Played,
    desired_log_probs,
    reinforce_loss,
    rewards,
    rewards_to_go,
)
from agents.algorithms.rl_ntm.paper import paper_setup
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.algorithms.rl_ntm.unroll import Seen
from agents.environments.make_env import make_vec_env
from agents.environments.vec_env import GymnasiumVecEnv
from agents.networks.sb3_words import ALGORITHM_WORDS, refuse_unknown
from memory_envs import Curriculum
from memory_envs.arguments import check_choice, check_flag, check_integer, check_number

Self = TypeVar("Self", bound="RLNTM")


class Episodes(NamedTuple):
    """A batch of `RLNTM`: B whole episodes.

    Attributes:
        played: What happened in them.
        scores: The controller's scores of all steps. Their gradients are those by the parameters
            that played; they can be asked for once, unless the graph is retained.
        seen: What the controller saw.
    """

    played: Played
    scores: Scores
    seen: Seen

    def row(self, row: int) -> Episodes:
        """Returns one of the episodes."""
        one, steps = slice(row, row + 1), self.played.running.nonzero()[:, 1] == row
        return Episodes(
            self.played.row(row),
            Scores(*(part[:, one] for part in self.scores)),
            Seen(*(part[steps] for part in self.seen)),
        )


class RLNTM(MemoryAlgorithm):
    """RL-NTM on an environment of the tape family.

    Each update plays one whole episode per environment. Objective, baselines and clipping are by
    default the paper's (section 9). Optimiser, learning rate and inverse temperature are not:
    `paper` has those of the paper. docs/design.md says what differs from the paper nevertheless.

    Args:
        policy: ``"RLNTMPolicy"`` or a subclass of it.
        env: An id of the tape family, or vector environments of it that were made with
            ``forced_emission=True`` and ``on_error="continue"``.
        learning_rate: A number, or a function of the remaining progress (from 1 to 0).
        n_envs: Episodes per update, where `env` is an id.
        reward: What moves are paid: "log_prob", the paper's, or "prefix_prob"; see
            `agents.algorithms.rl_ntm.objective.rewards`.
        gamma: Discount factor; the paper has none.
        causality: Whether a move is judged by what came after it alone.
        online_baseline: Whether a running mean per time step is subtracted from the rewards-to-go.
        offline_baseline: Whether `OfflineBaseline` predicts what is left.
        normalize_advantage: Whether advantages are scaled to standard deviation 1.
        ent_coef: Weight of the entropy of the moves; a number or a schedule.
        max_grad_norm: Largest norm of the controller's gradient.
        max_grad_norm_baseline: Largest norm of the offline baseline's gradient.
        stats_window_size: Episodes over which the logged means are taken.
        tensorboard_log: Folder of the TensorBoard log, or None.
        policy_kwargs: Arguments of the policy, see `RLNTMPolicy`; and ``optimizer_class`` and
            ``optimizer_kwargs``, by default Adam's.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        _init_setup_model: Whether to build the networks at once.
        **unknown: Nothing; the error says what SB3's other words are called here.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"RLNTMPolicy": RLNTMPolicy}
    policy: RLNTMPolicy
    cpu_backend: ClassVar[Backend] = FAST  # on other devices it is PLAIN

    def __init__(
        self,
        policy: str | type[RLNTMPolicy],
        env: Env | str | None,
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
        **unknown: Never,
    ) -> None:
        refuse_unknown(RLNTM, unknown, ALGORITHM_WORDS)
        check_integer("n_envs", n_envs, 1)
        if isinstance(env, str):
            try:
                env = make_vec_env(env, n_envs, forced_emission=True, on_error="continue")
            except TypeError as error:
                raise no_tape(f"{env} has no forced emission") from error
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            ent_coef=ent_coef,
            max_grad_norm=max_grad_norm,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
        )
        self.reward = check_choice("reward", reward, REWARDS)
        self.gamma = check_number("gamma", gamma, 0.0, 1.0)
        self.causality = check_flag("causality", causality)
        self.online_baseline = check_flag("online_baseline", online_baseline)
        self.offline_baseline = check_flag("offline_baseline", offline_baseline)
        self.normalize_advantage = check_flag("normalize_advantage", normalize_advantage)
        self.max_grad_norm_baseline = check_number(
            "max_grad_norm_baseline", max_grad_norm_baseline, 0.0, math.inf, above=True
        )
        self._advance: CurriculumCallback | None = None
        self._episodes: Episodes | None = None
        if self.env is not None:
            if not isinstance(self.env, GymnasiumVecEnv):
                raise InterfaceError(f"env is {self.env}; allowed: an id, or make_vec_env(id, ...)")
            check_rules(self.env)
        if _init_setup_model:
            self._setup_model()

    @classmethod
    def paper(cls: type[Self], env: Env | str, **overrides: Any) -> Self:
        """Returns an agent as in the paper's section 9, with the preset `rl_ntm-paper`.

        Args:
            env: An id of the tape family, or environments as for the constructor. For an id they
                are made with the curriculum of Table 3, and `learn` advances it: by one length
                when less than 20 % of the symbols are wrong, at most every 100 updates.
            **overrides: Arguments of the constructor in place of the paper's; `policy_kwargs` is
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

    def _default_optimizer(self) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
        return torch.optim.Adam, {}

    @property
    def _backend(self) -> Backend:
        return self.cpu_backend if self.device.type == "cpu" else PLAIN

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback) -> bool:
        """Plays one episode in every row; see `MemoryAlgorithm.collect_rollouts`."""
        assert isinstance(env, GymnasiumVecEnv)
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        obs: Any = env.reset()
        check_targets(env)
        recorder = Recorder(env, self.policy.interfaces, self.device)
        backend = self._backend
        unroll = backend.unroll(self.policy.controller, env.num_envs, recorder.max_steps)
        while len(recorder.rows):
            seen = torch.as_tensor(obs[recorder.rows], device=self.device)
            scores = unroll.step(self.policy.symbols_seen(seen), recorder.rows)
            moves = self.sampler(backend.moves(self.policy, scores, recorder.masks()))
            unroll.move(moves)
            actions = recorder.actions(moves, scores.symbols.argmax(dim=1))
            obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += len(recorder.rows)
            counted = recorder.end(dones)  # what a row does after its episode is not looked at
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            ended = counted.nonzero()[0]
            self._update_info_buffer([infos[row] for row in ended], counted[ended])
        self._last_obs = obs
        self._episodes = Episodes(recorder.played(), *unroll.finish())
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def rollout_batch(self) -> Episodes:
        """Returns the episodes that were played last."""
        if self._episodes is None:
            raise RuntimeError("no episode has been played; collect a rollout first")
        return self._episodes

    def _returns(self, batch: Episodes) -> Tensor:
        """The rewards-to-go of the moves, ``(T, B)``, without gradient."""
        log_probs = desired_log_probs(batch.scores, batch.played)
        paid = rewards(log_probs, batch.played, self.reward)
        return rewards_to_go(paid, self.gamma, self.causality)

    def losses(self, batch: Episodes) -> dict[str, Tensor]:
        """Returns the losses, sums over the steps of an episode and means over episodes.

        ``symbols`` and ``moves`` are the two parts of the hybrid objective, ``baseline`` is the
        squared error of the offline baseline (where there is one), ``entropy`` that of the moves.
        See `MemoryAlgorithm`.
        """
        policy, (played, scores, seen) = self.policy, batch
        running, episodes = played.running, played.running.shape[1]
        log_probs = desired_log_probs(scores, played)
        advantages = self._returns(batch)
        losses = {"symbols": -log_probs.sum() / episodes}
        if self.online_baseline:
            advantages = advantages - policy.time_baseline(len(advantages))
        if self.offline_baseline:
            predicted = policy.baseline(
                played.source, seen, played.remaining(), running, self._backend.lstm
            )
            losses["baseline"] = ((advantages - predicted).square() * running).sum() / episodes
            advantages = advantages - predicted.detach()
        if self.normalize_advantage:
            advantages = advantages / (advantages[running].std() + 1e-8)
        distribution = policy.moves(scores, played.masks)
        losses["moves"] = reinforce_loss(distribution, played, advantages) / episodes
        losses["entropy"] = -(distribution.entropy() * running).sum() / episodes
        return losses

    def _trained(self, batch: Episodes) -> None:
        if self.online_baseline:
            returns = self._returns(batch)
            self.policy.time_baseline.update(returns, batch.played.running.to(returns.dtype))

    def _clipped_parts(self) -> list[tuple[nn.Module, float]]:
        policy = self.policy
        return [
            (policy.controller, self.max_grad_norm),
            (policy.baseline, self.max_grad_norm_baseline),
        ]
