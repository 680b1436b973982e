"""The policy with memory: the networks with memory and the heads of actor and critic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import methodcaller
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn
from typing_extensions import Never

from agents.cells import MemoryCell
from agents.cells.state import State
from agents.networks.distributions import Categorical, Distribution, make_action_head
from agents.networks.encoder import Observation
from agents.networks.inputs import count_rows, read_masks, read_observation, read_starts
from agents.networks.memory_network import MemoryNetwork
from agents.networks.mlp import NetArch, check_activation, make_mlp, read_net_arch
from agents.networks.sb3_encoder import FeaturesExtractorEncoder
from agents.networks.sb3_words import POLICY_WORDS, refuse_unknown
from agents.networks.value_head import NoValue, ValueHead
from memory_envs.arguments import check_choice, check_flag, check_number, shown


class Evaluation(NamedTuple):
    """What the losses need, each ``(T, B)``.

    Attributes:
        values: Of the critic.
        log_probs: Of the actions that were taken.
        entropy: Of the distributions over actions.
        losses: The cell's own losses by name, weighted; see `MemoryNetwork.own_losses`.
    """

    values: Tensor
    log_probs: Tensor
    entropy: Tensor
    losses: dict[str, Tensor]


CRITIC_MEMORIES = ("own", "shared", "detached", "none")


class ActorCriticState(NamedTuple):
    """The memory states of an actor, and of a critic with a memory of its own."""

    actor: State
    critic: State


class MemoryPolicy(BasePolicy):
    """An actor and a critic, each with a memory of its own or both with one.

    Args:
        observation_space: `Discrete`, `MultiDiscrete`, `Box`, `MultiBinary` or a `Dict` of these.
        action_space: `Discrete`, `MultiDiscrete` or `Box`.
        memory: The memory cell, see `MemoryNetwork`.
        memory_kwargs: Arguments of the cell.
        encoder: An encoder of your own, see `MemoryNetwork`.
        encoder_kwargs: Its arguments.
        encoder_size: Width of a layer before the memory (for each key of a `Dict`); None for none,
            so that the memory sees numbers as they are, and symbols as one-hots.
        net_arch: Widths of the hidden layers of the actor's and of the critic's head, or
            ``dict(pi=[...], vf=[...])``.
        activation_fn: Class of the activation of encoder and heads.
        ortho_init: Whether the heads' weights start orthogonal, else as `torch.nn.Linear` has them.
        log_std_init: Logarithm of the first standard deviation of `Box` actions.
        critic_memory: ``"own"`` gives the critic an encoder and a memory of its own, of the same
            kind, beside the actor's, which it may only read. With the next two there are only
            the actor's: ``"shared"`` lets the value loss train them, ``"detached"`` does not (as
            in sb3-contrib's shared LSTM). With ``"none"`` there is no critic.
        features_extractor_class: In place of `encoder`, a `BaseFeaturesExtractor` as SB3 takes it.
        features_extractor_kwargs: Its arguments.
        **unknown: Nothing; the error says what SB3's other words are called here.

    Raises:
        ValueError: If a space, a name or a size is not valid.
        TypeError: If a class is of another kind, or an argument unknown.
    """

    revision: ClassVar[int] = 3  # grows when the same tensors come to mean something else

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        memory: str | type[MemoryCell[Any]] = "lstm",
        memory_kwargs: Mapping[str, Any] | None = None,
        encoder: type[nn.Module] | None = None,
        encoder_kwargs: Mapping[str, Any] | None = None,
        encoder_size: int | None = None,
        net_arch: NetArch = (64, 64),
        activation_fn: type[nn.Module] = nn.Tanh,
        ortho_init: bool = True,
        log_std_init: float = 0.0,
        critic_memory: str = "own",
        features_extractor_class: type[BaseFeaturesExtractor] | None = None,
        features_extractor_kwargs: Mapping[str, Any] | None = None,
        **unknown: Never,
    ) -> None:
        refuse_unknown(MemoryPolicy, unknown, POLICY_WORDS)
        super().__init__(observation_space, action_space)
        if features_extractor_class is not None:
            if encoder is not None:
                raise ValueError(
                    f"encoder is {encoder!r} and features_extractor_class is "
                    f"{features_extractor_class!r}; allowed: one of the two"
                )
            encoder = FeaturesExtractorEncoder
            encoder_kwargs = {
                "features_extractor_class": features_extractor_class,
                "features_extractor_kwargs": dict(features_extractor_kwargs or {}),
            }
        elif features_extractor_kwargs:
            raise ValueError(
                f"features_extractor_kwargs is {shown(features_extractor_kwargs)}; allowed: "
                "nothing without features_extractor_class"
            )
        of_actor, of_critic = read_net_arch(net_arch)
        check_choice("critic_memory", critic_memory, CRITIC_MEMORIES)
        check_number("log_std_init", log_std_init, -20.0, 20.0)
        make_network = partial(
            MemoryNetwork,
            observation_space,
            memory,
            memory_kwargs,
            encoder,
            encoder_kwargs,
            encoder_size,
            check_activation(activation_fn),
        )
        self.network = make_network()
        self.critic_network = make_network() if critic_memory == "own" else None
        self.action_head = make_action_head(action_space, log_std_init)
        features = self.network.output_size
        self.actor = make_mlp(
            features, of_actor, self.action_head.input_size, activation_fn, gain=0.01
        )
        judged = features if self.critic_network is None else 2 * features
        has_critic = critic_memory != "none"
        self.critic = ValueHead(judged, of_critic, activation_fn) if has_critic else NoValue()
        if not check_flag("ortho_init", ortho_init):
            for layer in (*self.actor.modules(), *self.critic.modules()):
                if isinstance(layer, nn.Linear):
                    layer.reset_parameters()
        self.critic_memory = critic_memory

    def initial_state(self, batch_size: int) -> State:
        """Returns the memory state in which `batch_size` episodes start."""
        state = self.network.initial_state(batch_size)
        if self.critic_network is None:
            return state
        return ActorCriticState(state, self.critic_network.initial_state(batch_size))

    def features(
        self, obs: Observation, state: Any, starts: Tensor | None
    ) -> tuple[Tensor, Tensor, State]:
        """Takes one step of the memories.

        Args:
            obs: ``(B, ...)``.
            state: Memory state before the step.
            starts: ``(B,)`` bool, True where an episode starts with this observation; None where
                none does.

        Returns:
            What the actor sees, ``(B, features)``; what the critic sees, twice as wide with a
            memory of its own; and the memory state after the step.
        """
        if self.critic_network is None:
            features, state = self.network(obs, state, starts)
            return features, self._judged(features, None), state
        actor, actor_state = self.network(obs, state.actor, starts)
        critic, critic_state = self.critic_network(obs, state.critic, starts)
        return actor, self._judged(actor, critic), ActorCriticState(actor_state, critic_state)

    def _judged(self, actor: Tensor, critic: Tensor | None) -> Tensor:
        """What the critic's head sees of the actor's features and of the critic's own."""
        if critic is not None:
            return torch.cat([actor.detach(), critic], dim=-1)
        return actor.detach() if self.critic_memory == "detached" else actor

    def forward(
        self,
        obs: Observation,
        state: State,
        episode_starts: Tensor,
        deterministic: bool = False,
        masks: Tensor | None = None,
        sampler: Callable[[Distribution], Tensor] = methodcaller("sample"),
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """Chooses actions for one step of B environments.

        Args:
            obs: ``(B, ...)``.
            state: Memory state before the step; `initial_state` at first.
            episode_starts: ``(B,)`` bool, True where an episode starts with this observation.
            deterministic: Whether to take the most probable actions instead of sampling.
            masks: ``(B, choices)`` bool, True where a choice is allowed.
            sampler: Takes the distribution of the actions and returns actions ``(B, ...)``; draws
                them with PyTorch's default generator unless another one is given.

        Returns:
            Actions ``(B, ...)``, values ``(B,)``, log-probabilities ``(B,)``, and the memory state
            after the step.
        """
        features, judged, state = self.features(obs, state, episode_starts)
        distribution = self.action_head(self.actor(features), masks)
        actions = distribution.mode() if deterministic else sampler(distribution)
        return actions, self.critic(judged), distribution.log_prob(actions), state

    @torch.no_grad()
    def predict_values(self, obs: Observation, state: State, starts: Tensor) -> Tensor:
        """Returns the values ``(B,)`` of observations seen after `state`."""
        values: Tensor = self.critic(self.features(obs, state, starts)[1])
        return values

    def evaluate_actions(
        self,
        obs: Observation,
        actions: Tensor,
        state: Any,
        starts: Tensor,
        masks: Tensor | None = None,
    ) -> Evaluation:
        """Unrolls the memory over ``(T, B)`` steps and judges the given actions.

        Args:
            obs: ``(T, B, ...)``.
            actions: ``(T, B, ...)``.
            state: Memory state before the first step.
            starts: ``(T, B)`` bool.
            masks: ``(T, B, choices)`` bool.
        """
        own, critic = self.critic_network, None
        unrolled = self.network.unroll(obs, state if own is None else state.actor, starts)
        losses = self.network.own_losses(unrolled)
        if own is not None:
            of_critic = own.unroll(obs, state.critic, starts)
            critic = of_critic.outs
            for name, loss in own.own_losses(of_critic).items():
                losses[f"critic_{name}"] = loss
        judged = self._judged(unrolled.outs, critic)
        distribution: Distribution = self.action_head(self.actor(unrolled.outs), masks)
        return Evaluation(
            values=self.critic(judged),
            log_probs=distribution.log_prob(actions),
            entropy=distribution.entropy(),
            losses=losses,
        )

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        raise NotImplementedError("predict carries the state")

    # SB3 declares states as tuples of arrays; to SB3 they are opaque, and ours stay tensors.
    @torch.no_grad()
    def predict(
        self,
        observation: npt.NDArray[Any] | dict[str, npt.NDArray[Any]],
        state: State | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: npt.NDArray[np.bool_] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[npt.NDArray[Any], State]:
        """Chooses actions and carries the memory state.

        Args:
            observation: One observation, or a batch of B.
            state: What the last call returned, or None at the first.
            episode_start: ``(B,)`` bool, True where an episode starts with this observation.
            deterministic: Whether to take the most probable action instead of sampling.
            action_masks: ``(choices,)`` or ``(B, choices)`` bool, True where a choice is allowed.
            generator: Source of randomness; PyTorch's default generator if None.

        Returns:
            The action or actions, and the memory state after them.

        Raises:
            ValueError: If an observation is not of the policy's space, or `episode_start` or
                `action_masks` does not fit the observations.
        """
        self.set_training_mode(False)
        obs, vectorized = read_observation(self, observation)
        rows = count_rows(obs)
        starts = read_starts(episode_start, rows, self.device)
        masks = read_masks(self.action_head, action_masks, rows, self.device)
        before = self.initial_state(rows) if state is None else state
        features, _, state = self.features(obs, before, starts)
        distribution: Distribution = self.action_head(self.actor(features), masks)
        chosen = distribution.mode() if deterministic else distribution.sample(generator)
        actions = self.action_head.to_env(chosen)
        return actions if vectorized else actions[0], state

    @torch.no_grad()
    def trace(
        self, observation: Any, before: State | None, after: State, action_masks: Any = None
    ) -> dict[str, Tensor]:
        """What there was to see in a step that `predict` took; see `trace.watcher`.

        Args:
            observation: A batch of B.
            before: The memory state before the step, or None at the start.
            after: The memory state after it.
            action_masks: ``(B, choices)`` bool, or None.
        """
        obs, _ = read_observation(self, observation)
        rows = count_rows(obs)
        state: Any = self.initial_state(rows) if before is None else before
        own = self.critic_network
        features, _, seen = self.network.trace(obs, state if own is None else state.actor)
        judged = features
        if own is not None:
            critic, _ = own(obs, state.critic, None)
            judged = torch.cat([features, critic], dim=-1)
        if self.critic_memory != "none":
            seen["value"] = self.critic(judged)
        masks = read_masks(self.action_head, action_masks, rows, self.device)
        distribution: Distribution = self.action_head(self.actor(features), masks)
        if isinstance(distribution, Categorical):
            seen["probabilities"] = distribution.probs()
        return seen

    def save(self, path: str) -> None:
        """Not offered: SB3 pickles here. Save the algorithm instead."""
        raise NotImplementedError("a policy is saved with its algorithm: model.save(path)")

    @classmethod
    def load(cls, path: str, device: torch.device | str = "auto") -> Any:
        """Not offered: SB3 unpickles here. Load the algorithm instead."""
        raise NotImplementedError("a policy is loaded with its algorithm: agents.load(path).policy")
