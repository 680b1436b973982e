"""Supervised learning of streams: the answers that are due, by gradients through whole streams."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.vec_env import VecEnv, VecMonitor
from torch import Tensor
from typing_extensions import Never

from agents.algorithms.base import Marked, MemoryAlgorithm
from agents.algorithms.model import Env
from agents.algorithms.packing import Packed, pack
from agents.environments.vec_env import GymnasiumVecEnv
from agents.networks.distributions import Categorical
from agents.networks.policy import MemoryPolicy
from agents.networks.sb3_words import ALGORITHM_WORDS, refuse_unknown
from memory_envs.arguments import check_number
from memory_envs.stream import StreamVectorEnv


class Streams(NamedTuple):
    """Whole streams of B rows in C columns of T steps; see `agents.algorithms.packing`.

    Attributes:
        inputs: Of shape ``(T, C, ...)``.
        targets: Of shape ``(N, ...)``, the N answers that are due.
        due: Of shape ``(T, C)`` bool, where they are due.
        starts: Of shape ``(T, C)`` bool, where a stream begins.
        rows: Of shape ``(T, C)``, whose stream it is; -1 where none is.
    """

    inputs: Tensor
    targets: Tensor
    due: Tensor
    starts: Tensor
    rows: Tensor


class Supervised(MemoryAlgorithm):
    """Learns what to answer from the right answers of the stream environments.

    Each update begins an episode in every environment, takes their streams whole, and takes one
    gradient step on the mean cross-entropy of the answers that are due (of each part, such as a
    bit, where an answer has several), and on the memory's own losses, such as the meta objective of
    `MNM`. What it learned can be played, evaluated and traced like any other agent. Streams that
    are shorter than others share columns, so that few steps are spent on nothing.

    Args:
        policy: ``"MemoryPolicy"`` or a subclass of it; there is no critic.
        env: Environments of the family "stream": an id, or what `agents.make_vec_env` makes of one.
            Their number is the batch size.
        learning_rate: A number, or a function of the remaining progress (from 1 to 0).
        max_grad_norm: Largest norm of the gradient; longer ones are scaled down.
        dropout: Share of the numbers before the head that are left out in training.
        stats_window_size: Episodes over which the logged means are taken.
        tensorboard_log: Folder of the TensorBoard log, or None.
        policy_kwargs: Arguments of the policy, see `MemoryPolicy`.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        _init_setup_model: Whether to build the networks at once.
        **unknown: Nothing; the error says what SB3's other words are called here.

    Raises:
        TypeError, ValueError: If an argument is not valid; says which, and what is allowed.
    """

    policy: MemoryPolicy
    gamma = 1.0

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: Env | str | None,
        learning_rate: float | Schedule = 1e-3,
        max_grad_norm: float = 10.0,
        dropout: float = 0.0,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
        **unknown: Never,
    ) -> None:
        refuse_unknown(Supervised, unknown, ALGORITHM_WORDS)
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            ent_coef=0.0,
            max_grad_norm=max_grad_norm,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs={"critic_memory": "none", **(policy_kwargs or {})},
            verbose=verbose,
            seed=seed,
            device=device,
        )
        self.dropout = check_number("dropout", dropout, 0.0, 1.0)
        if self.env is not None:
            streams_of(self.env)
        self._batch: Streams | None = None
        if _init_setup_model:
            self._setup_model()

    def _default_optimizer(self) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
        # Here with PyTorch's epsilon, as in the papers.
        return torch.optim.Adam, {"fused": True}

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Sets the environments to learn from; see SB3.

        Raises:
            TypeError: If they are no streams.
        """
        wrapped = self._wrap_env(env)
        streams_of(wrapped)
        super().set_env(wrapped, force_reset)

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback) -> bool:
        """Begins an episode in every row, and takes their streams; see `MemoryAlgorithm`."""
        callback.on_rollout_start()
        self._last_obs = env.reset()  # type: ignore[assignment]  # SB3 declares it as None
        drawn = streams_of(env).batch()
        self._batch = as_streams(pack(drawn), self.device)
        self.num_timesteps += int(drawn.sizes.sum())
        callback.update_locals(locals())
        if not callback.on_step():
            return False
        callback.on_rollout_end()
        return True

    def rollout_batch(self) -> Streams:
        """Returns the last streams, as `losses` takes them."""
        assert self._batch is not None
        return self._batch

    def losses(self, batch: Streams) -> dict[str, Tensor]:
        """Returns the mean losses of the answers, and of the memory over all steps.

        See `MemoryAlgorithm`.
        """
        return self._losses(batch, *answer(self.policy, batch))

    def loss_weights(self) -> dict[str, float]:
        """Returns nothing: each loss weighs 1."""
        return {}

    def _losses(
        self, batch: Streams, answers: Categorical, own: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        parts = batch.targets[0].numel()
        losses = {"answer": -answers.log_prob(batch.targets).mean() / parts}
        counted = batch.rows >= 0
        return {**losses, **{name: loss[counted].mean() for name, loss in own.items()}}

    def train(self) -> None:
        """Takes one gradient step on the last streams."""
        self.policy.set_training_mode(True)
        batch = self.rollout_batch()
        answers, own = answer(self.policy, batch, self.dropout)
        self._take_step(self._losses(batch, answers, own))
        self._count_answers(batch, answers)

    def _count_answers(self, batch: Streams, answers: Categorical) -> None:
        """Keeps what the episodes would have paid, and logs the share of wrong answers."""
        given = answers.mode()
        right = (given == batch.targets).float().reshape(len(given), -1).mean(dim=1)
        asked = batch.rows[batch.due]
        lengths = batch.rows[batch.rows >= 0].bincount()

        def per_row(numbers: Tensor) -> Tensor:
            return asked.bincount(numbers.double(), minlength=len(lengths))

        returns, shares = per_row(right), per_row(right.floor()) / per_row(torch.ones_like(right))
        marked = Marked((shares == 1.0).tolist(), shares.tolist())
        self._keep_episodes(returns.tolist(), lengths.tolist(), marked)
        self.logger.record("train/wrong_answers", float((right < 1.0).float().mean()))


def as_streams(packed: Packed, device: torch.device) -> Streams:
    """Returns packed streams as tensors."""
    inputs, targets, due, starts, rows = packed
    tensors = (torch.as_tensor(x, device=device) for x in (inputs, targets[due], due, starts, rows))
    return Streams(*tensors)


def answer(
    policy: MemoryPolicy, batch: Streams, dropout: float = 0.0
) -> tuple[Categorical, dict[str, Tensor]]:
    """Returns the distributions of the N answers, and the memory's own losses ``(T, C)``.

    Args:
        policy: The policy.
        batch: The streams.
        dropout: Share of the numbers before the head that are left out.
    """
    network = policy.network
    state = network.initial_state(batch.starts.shape[1])
    unrolled = network.unroll(batch.inputs, state, batch.starts)
    features = torch.nn.functional.dropout(unrolled.outs[batch.due], dropout)
    answers = policy.action_head(policy.actor(features))
    assert isinstance(answers, Categorical)
    return answers, network.own_losses(unrolled)


def streams_of(env: VecEnv) -> StreamVectorEnv:
    """Returns the stream environments behind an SB3 `VecEnv`.

    Raises:
        TypeError: If it has no such, or there are wrappers: streams are taken from behind them, and
            would be learned as they are, not as they are shown when the model plays.
    """
    inner = env
    while isinstance(inner, VecMonitor):  # which changes nothing that is seen
        inner = inner.venv
    base = inner.env if isinstance(inner, GymnasiumVecEnv) else inner
    if not isinstance(base, StreamVectorEnv):
        shown = base if inner is not base else type(base).__name__
        raise TypeError(
            f"env is {shown}; allowed: ids of the family stream, such as Stream-Copy-v0, and what "
            "agents.make_vec_env makes of them without wrappers"
        )
    return base
