"""The policy of MANN-RL: an action network that answers, and a memory-net that remembers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn
from typing_extensions import Never

from agents.algorithms.mann_rl.networks import MEMORY_NETS, ActionNetwork, MemoryNet
from agents.cells.state import where_state
from agents.networks.distributions import Categorical, DiscreteHead
from agents.networks.encoder import make_encoder
from agents.networks.inputs import count_rows, read_masks, read_observation, read_starts
from agents.networks.sb3_words import refuse_unknown
from memory_envs.arguments import check_choice, check_integer, check_or_none


class MannRLPolicy(BasePolicy):
    """The two networks as an SB3 policy; its state is the memory, ``(B, memory_size)``.

    Args:
        observation_space: `Discrete`, whose symbols are one-hots, `MultiDiscrete` or `Box`.
        action_space: `Discrete`, the answers.
        memory_size: Numbers in the memory.
        embedding_size: Width of a layer before both networks; None for none. Inputs and answers are
            then of the same symbols.
        hidden_layers: Hidden layers of the action network.
        memory_net: What the memory-net is told, ``"input_output"`` or ``"input"``.
        **unknown: Nothing; the error says which arguments there are.

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    revision: ClassVar[int] = 1  # grows when the same tensors come to mean something else

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        memory_size: int = 48,
        embedding_size: int | None = None,
        hidden_layers: int = 1,
        memory_net: str = "input_output",
        **unknown: Never,
    ) -> None:
        refuse_unknown(MannRLPolicy, unknown, {})
        super().__init__(observation_space, action_space)
        if not isinstance(action_space, spaces.Discrete):
            raise ValueError(f"action space is {action_space}; allowed: Discrete")
        self.memory_size = check_integer("memory_size", memory_size, 1)
        check_or_none(check_integer, "embedding_size", embedding_size, 1)
        check_integer("hidden_layers", hidden_layers, 0)
        sees_output = check_choice("memory_net", memory_net, MEMORY_NETS) == "input_output"
        self.encoder: Any = make_encoder(observation_space, None, nn.Tanh())
        inputs, choices = self.encoder.output_size, int(action_space.n)
        if embedding_size is not None and sees_output and inputs != choices:
            raise ValueError(
                f"embedding_size is {embedding_size}; allowed with inputs of {inputs} numbers and "
                f"{choices} answers, which one layer cannot take: None"
            )
        self.action_head = DiscreteHead(action_space)
        self.action = ActionNetwork(inputs, memory_size, choices, embedding_size, hidden_layers)
        outputs = choices if sees_output else 0
        self.memory_net = MemoryNet(inputs, outputs, memory_size, embedding_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Returns the memory in which `batch_size` episodes start: zeros."""
        return torch.zeros(batch_size, self.memory_size, device=self.device)

    def step(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Answers, and goes on to the next memory.

        Args:
            inputs: Encoded inputs, ``(B, input_size)``.
            memory: ``(B, memory_size)``.

        Returns:
            Logits ``(B, choices)`` and the next memory.
        """
        logits = self.action(inputs, memory)
        return logits, self.memory_net(memory, inputs, logits.softmax(dim=1))

    @torch.no_grad()
    def predict(  # type: ignore[override]  # a state of its own kind
        self,
        observation: npt.NDArray[Any] | dict[str, npt.NDArray[Any]],
        state: Any = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: npt.NDArray[np.bool_] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[npt.NDArray[Any], Tensor]:
        """Chooses answers and carries the memory; see `MemoryPolicy.predict`.

        The memory-net sees how probable each answer is, and not which one was given.
        """
        self.set_training_mode(False)
        obs, vectorized = read_observation(self, observation)
        rows = count_rows(obs)
        starts = read_starts(episode_start, rows, self.device)
        masks = read_masks(self.action_head, action_masks, rows, self.device)
        initial = self.initial_state(rows)
        before = initial if state is None else where_state(starts, initial, state)
        logits, after = self.step(self.encoder(obs), before)
        distribution = self.action_head(logits, masks)
        chosen = distribution.mode() if deterministic else distribution.sample(generator)
        actions = self.action_head.to_env(chosen)
        return actions if vectorized else actions[0], after

    @torch.no_grad()
    def trace(
        self, observation: Any, before: Any, after: Any, action_masks: Any = None
    ) -> dict[str, Tensor]:
        """Returns what there was to see in a step that `predict` took; see `trace.watcher`."""
        obs, _ = read_observation(self, observation)
        rows = count_rows(obs)
        memory = self.initial_state(rows) if before is None else before
        logits, _ = self.step(self.encoder(obs), memory)
        masks = read_masks(self.action_head, action_masks, rows, self.device)
        distribution = self.action_head(logits, masks)
        assert isinstance(distribution, Categorical)
        return {"probabilities": distribution.probs(), "output": after}

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        raise NotImplementedError("predict carries the state")

    def save(self, path: str) -> None:
        """Not offered: SB3 pickles here. Save the algorithm instead."""
        raise NotImplementedError("a policy is saved with its algorithm: model.save(path)")
