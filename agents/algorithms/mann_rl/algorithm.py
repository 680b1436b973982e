"""The dance of MANN-RL: settle, buffer, train the memory (Barrett, section 3)."""

from __future__ import annotations

import math
import warnings
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from typing_extensions import Never

from agents.algorithms.base import Marked, MemoryAlgorithm, NonFiniteError
from agents.algorithms.mann_rl.action_steps import ActionSteps, grads_of_targets
from agents.algorithms.mann_rl.columns import Columns, lay_out
from agents.algorithms.mann_rl.folded import FoldedMemoryNet
from agents.algorithms.mann_rl.networks import kept_statistics
from agents.algorithms.mann_rl.policy import MannRLPolicy
from agents.algorithms.mann_rl.replay import Pairs, Replay, Step
from agents.algorithms.model import Env, check_schedule
from agents.algorithms.supervised import streams_of
from agents.networks.sb3_words import ALGORITHM_WORDS, refuse_unknown
from memory_envs.arguments import check_flag, check_integer, check_number, shown
from memory_envs.stream import StreamVectorEnv


class MannRL(MemoryAlgorithm):
    """A memory-net trained by Q-learning beside an action network that is trained on the answers.

    Streams are laid out in columns, one after the other. Each step of the columns trains the action
    network once, by the cross-entropy of its answers; the memory that enters is a mere input to it.
    After every `settle` and `history` steps the action network waits, and the memory-net takes
    `memory_iterations` steps on pairs (t, t + 1) of the last `history` steps: the Smooth L1 loss of
    ``f(m_t, in_t, out_t)`` against ``gamma * f(m_t+1, in_t+1, out_t+1) - loss_t``.

    What the paper leaves open, or its code does otherwise. The loss of a pair is that of its first
    step, loss_t, as the paper writes; the code takes that of its second, which is the first that
    ``f(m_t, in_t, out_t)`` can change: that is `next_loss`. The second memory is held fixed, as in
    the Q-learning that the paper names; the code lets the gradient through. The cross-entropy is
    that of the softmax; the code takes the softmax twice. A stream starts with zeros for a memory,
    and no pair has steps of two; in the code the memory goes on from stream to stream. The
    memory-net's RMSprop is Adam without momentum, which differs by the correction of the first
    hundred steps.

    Args:
        policy: ``"MannRLPolicy"`` or a subclass of it with the same networks.
        env: Environments of the family "stream" in which an answer is due at every step, at least
            as many as columns, better sixteen times as many: each draws a stream a rollout, the
            columns end where the shortest does, and what is longer is cut off. If they are shorter
            than `settle` and `history`, the memory-net learns nothing, of which there is a warning.
        learning_rate: Of the action network; a number, or a function of the remaining progress.
        memory_learning_rate: Of the memory-net; the same.
        columns: Streams that are read at the same time: the paper's batch size.
        history: Steps that pairs are drawn from.
        settle: Steps before these, in which the action network gets used to a new memory-net.
        memory_iterations: Steps that the memory-net takes each time; 0 leaves it as it began.
        memory_samples: Times of the history that are drawn for each of them.
        memory_clamp: The largest loss that is handed to the memory-net.
        gamma: Discount factor.
        next_loss: Whether the loss of a pair is that of t + 1, as in the paper's code, in the place
            of that of t.
        max_grad_norm: Largest norm of the action network's gradient.
        memory_max_grad_norm: Largest norm of the memory-net's gradient.
        stats_window_size: Episodes over which the logged means are taken.
        tensorboard_log: Folder of the TensorBoard log, or None.
        policy_kwargs: Arguments of the policy, see `MannRLPolicy`; the optimizers are the paper's.
        verbose: 0 for no output, 1 for information, 2 for debugging.
        seed: Seed of everything random.
        device: PyTorch device, or ``"auto"``.
        _init_setup_model: Whether to build the networks at once.
        **unknown: Nothing; the error says what SB3's other words are called here.

    Raises:
        TypeError, ValueError: If an argument is not valid; says which, and what is allowed.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MannRLPolicy": MannRLPolicy}
    policy: MannRLPolicy

    def __init__(
        self,
        policy: str | type[MannRLPolicy],
        env: Env | str | None,
        learning_rate: float | Schedule = 1e-4,
        memory_learning_rate: float | Schedule = 1e-5,
        columns: int = 16,
        history: int = 32,
        settle: int = 8,
        memory_iterations: int = 2,
        memory_samples: int = 8,
        memory_clamp: float = 10.0,
        gamma: float = 0.99,
        next_loss: bool = False,
        max_grad_norm: float = 0.01,
        memory_max_grad_norm: float = 0.001,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
        **unknown: Never,
    ) -> None:
        refuse_unknown(MannRL, unknown, ALGORITHM_WORDS)
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            ent_coef=0.0,
            max_grad_norm=max_grad_norm,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
        )
        self.memory_learning_rate = check_schedule("memory_learning_rate", memory_learning_rate)
        self.columns = check_integer("columns", columns, 2)  # batch norm knows no single column
        self.history = check_integer("history", history, 2)
        self.settle = check_integer("settle", settle, 0)
        self.memory_iterations = check_integer("memory_iterations", memory_iterations, 0)
        self.memory_samples = check_integer("memory_samples", memory_samples, 1, history - 1)
        self.memory_clamp = check_number("memory_clamp", memory_clamp, 0.0, above=True)
        self.gamma = check_number("gamma", gamma, 0.0, 1.0)
        self.next_loss = check_flag("next_loss", next_loss)
        self.memory_max_grad_norm = check_number(
            "memory_max_grad_norm", memory_max_grad_norm, 0.0, math.inf, above=True
        )
        self._replay = Replay(self.history)
        self._batch: Columns | None = None
        if self.env is not None:
            self._check_streams(self.env)
        if _init_setup_model:
            self._setup_model()

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Sets the environments to learn from; see SB3.

        Raises:
            TypeError, ValueError: If they are no streams, or not such as can be learned.
        """
        wrapped = self._wrap_env(env)
        self._check_streams(wrapped)
        super().set_env(wrapped, force_reset)

    def _check_streams(self, env: VecEnv) -> None:
        """Looks at the streams of some seeds, before anything is written.

        Raises:
            TypeError, ValueError: If they cannot be learned.
        """
        streams = streams_of(env)
        check_integer("env's number of rows", env.num_envs, self.columns)
        trial = lay_out(streams.trial(), self.columns)
        _check_due(streams, trial)
        round_of_the_dance = self.settle + self.history
        if self.memory_iterations and len(trial.targets) < round_of_the_dance:
            warnings.warn(
                f"{env.num_envs} environments fill {self.columns} columns with "
                f"{len(trial.targets)} steps or so, and the memory-net learns after settle + "
                f"history = {round_of_the_dance}: take more environments, or fewer columns",
                stacklevel=4,
            )

    def _check_optimizer_settings(self) -> None:
        for name in ("optimizer_class", "optimizer_kwargs"):
            if name in self.policy_kwargs:
                raise ValueError(
                    f"{name} is {shown(self.policy_kwargs[name])}; allowed with MannRL: nothing, "
                    "as it has Adam for the action network and RMSprop for the memory-net"
                )

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """One optimizer with a group for each network, in the order of the policy's parameters."""
        groups: list[dict[str, Any]] = [
            {"params": list(self.policy.action.parameters())},
            {
                "params": list(self.policy.memory_net.parameters()),
                "betas": (0.0, 0.99),
                "lr": self._memory_rate(1.0),
            },
        ]
        made = torch.optim.Adam(groups, lr=self.lr_schedule(1.0), fused=True)
        self._fill_optimizer(made)
        return made

    @property
    def _memory_rate(self) -> FloatSchedule:
        return FloatSchedule(self.memory_learning_rate)

    def _update_learning_rate(self, optimizers: Any) -> None:
        of_action, of_memory = self.optimizer.param_groups
        of_action["lr"] = self.lr_schedule(self._current_progress_remaining)
        of_memory["lr"] = self._memory_rate(self._current_progress_remaining)
        self.logger.record("train/learning_rate", of_action["lr"])
        self.logger.record("train/memory_learning_rate", of_memory["lr"])

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback) -> bool:
        """Begins an episode in every row, and lays their streams out; see `MemoryAlgorithm`.

        Raises:
            ValueError: If there are steps at which no answer is due.
        """
        callback.on_rollout_start()
        self._last_obs = env.reset()  # type: ignore[assignment]  # SB3 declares it as None
        self._batch = lay_out(streams_of(env).batch(), self.columns)
        _check_due(streams_of(env), self._batch)
        self.num_timesteps += self._batch.due.size
        callback.update_locals(locals())
        if not callback.on_step():
            return False
        callback.on_rollout_end()
        return True

    def rollout_batch(self) -> Columns:
        """Returns the last streams, as `losses` takes them."""
        assert self._batch is not None
        return self._batch

    def loss_weights(self) -> dict[str, float]:
        """Returns nothing: each loss weighs 1."""
        return {}

    def losses(self, batch: Columns) -> dict[str, Tensor]:
        """Returns the mean loss of the answers to whole columns, with the networks as they are.

        See `MemoryAlgorithm`. Training itself takes a step at every step of the columns.
        """
        memory = self.policy.initial_state(self.columns)
        losses = []
        with kept_statistics(self.policy):
            for inputs, targets, starts in zip(*self._encoded(batch), strict=True):
                memory = torch.where(starts[:, None], 0.0, memory).detach()
                logits, memory = self.policy.step(inputs, memory)
                losses.append(F.cross_entropy(logits, targets))
        return {"answer": torch.stack(losses).mean()}

    def _encoded(self, batch: Columns) -> tuple[Tensor, Tensor, Tensor]:
        """Returns encoded inputs ``(T, C, input_size)``, targets and starts ``(T, C)``."""
        inputs, targets, starts = (
            torch.as_tensor(part, device=self.device)
            for part in (batch.inputs, batch.targets, batch.starts)
        )
        with torch.no_grad():  # nothing is learned here
            encoded = self.policy.encoder(inputs.flatten(0, 1)).unflatten(0, targets.shape)
        return encoded, targets, starts

    def train(self) -> None:
        """Dances through the last streams.

        Raises:
            NonFiniteError: If a loss was not finite; the action network then is what it was before
                these streams, the memory-net what its last step from finite losses left.
        """
        policy, batch = self.policy, self.rollout_batch()
        self._update_learning_rate(self.optimizer)
        policy.set_training_mode(True)
        policy.memory_net.eval()
        inputs, targets, starts = self._encoded(batch)
        pulls = grads_of_targets(targets, policy.action.choices, inputs.dtype)
        steps = ActionSteps(policy.action, self.optimizer, self.max_grad_norm)
        memory, net = policy.initial_state(self.columns), FoldedMemoryNet(policy.memory_net)
        answers, memory_losses = [], []
        begins: list[bool] = np.logical_or.reduce(batch.starts, axis=1).tolist()
        of_steps = zip(inputs, targets[..., None], starts, pulls, strict=True)
        for t, (now, target, fresh, pull) in enumerate(of_steps, start=1):
            if begins[t - 1]:
                memory = torch.where(fresh[:, None], 0.0, memory)
            outputs, logs = steps.step(now, memory, pull)
            answers.append(logs)
            losses = logs.gather(1, target).neg_()[:, 0]
            self._replay.add(Step(memory, now, outputs, losses, fresh))
            # After so many steps the replay has none of the streams before these.
            if self.memory_iterations and t % (self.settle + self.history) == 0:
                memory_losses += [self._train_memory() for _ in range(self.memory_iterations)]
                net = FoldedMemoryNet(policy.memory_net)
            memory = net(memory, now, outputs)
        logs = torch.stack(answers)
        self._n_updates += len(answers)
        self._log("answer", -logs.gather(2, targets[..., None]))
        if memory_losses:
            self._log("memory", torch.stack(memory_losses))
        steps.write_back()
        self._count_answers(batch, (logs.argmax(dim=2) == targets).cpu().numpy())

    def _count_answers(self, batch: Columns, right: npt.NDArray[np.bool_]) -> None:
        """Keeps what the episodes paid, and logs the share of wrong answers."""
        returns, lengths = batch.episodes(right)
        marked = Marked((returns == lengths).tolist(), (returns / lengths).tolist())
        self._keep_episodes(returns.tolist(), lengths.tolist(), marked)
        self.logger.record("train/wrong_answers", 1.0 - float(right.mean()))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def memory_loss(self, pairs: Pairs) -> Tensor:
        """Returns the loss of the memory-net on pairs of steps (section 3)."""
        net = self.policy.memory_net
        now, following = pairs
        with torch.no_grad():
            later = net(following.memory, following.inputs, following.outputs)
            losses = following.losses if self.next_loss else now.losses
            paid = losses.clamp(0.0, self.memory_clamp)[:, None]
            expected = self.gamma * later - paid
        return F.smooth_l1_loss(net(now.memory, now.inputs, now.outputs), expected)

    def _train_memory(self) -> Tensor:
        """Takes a step with the memory-net; the action network has no gradient, and stays."""
        net = self.policy.memory_net
        pairs = self._replay.sample(self.memory_samples, self.generator)
        for step in pairs:  # where outputs are not finite, the losses are not
            self._check_finite("answer", float(step.losses.sum()))
        if pairs.now.losses.shape[0] < 2:  # streams begin nearly everywhere; batch norm needs two
            return pairs.now.losses.new_zeros(())
        net.train()
        loss = self.memory_loss(pairs)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
        torch.nn.utils.clip_grad_norm_(net.parameters(), self.memory_max_grad_norm)
        self.optimizer.step()
        net.eval()
        return loss.detach()

    def _log(self, name: str, losses: Tensor) -> None:
        """Logs the mean of a rollout's losses.

        Raises:
            NonFiniteError: If it is not finite.
        """
        mean = float(losses.mean())
        self._check_finite(name, mean)
        self.logger.record(f"train/{name}_loss", mean)

    def _check_finite(self, name: str, loss: float) -> None:
        if not math.isfinite(loss):
            raise NonFiniteError(
                f"update {self._n_updates} after {self.num_timesteps} steps: {name}_loss is "
                f"{loss}; the last checkpoint is {self.last_checkpoint or 'none'}"
            )


def _check_due(streams: StreamVectorEnv, columns: Columns) -> None:
    """Refuses streams with steps at which no answer is due."""
    if not columns.due.all():
        raise ValueError(
            f"env is {streams}; allowed with MannRL: streams in which an answer is due at every "
            "step, such as Stream-Logic-v0"
        )
