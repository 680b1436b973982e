"""Encoder, memory cell and unroll in one module: what every trainer and every policy builds on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from agents.cells import MemoryCell, make_cell
from agents.cells.base import Unrolled
from agents.cells.state import State, where_state
from agents.cells.unroll import unroll
from agents.networks.encoder import Observation, make_encoder, map_observation
from agents.networks.mlp import check_activation
from agents.networks.sentence_encoder import SentenceEncoder
from agents.saving.registry import register
from memory_envs.arguments import check_instance, check_integer, check_or_none

register(SentenceEncoder)  # everybody has it: files that need it load without a word


class MemoryNetwork(nn.Module):
    """From observations to features that remember.

    The features are the encoded observation beside the memory's output, so that the memory need not
    carry what is in view. There are no heads, no optimiser and nothing of Stable-Baselines3. Plain
    PyTorch trains it::

        network = MemoryNetwork(spaces.Discrete(4), memory="lstm")
        readout = torch.nn.Linear(network.output_size, 4)
        unrolled = network.unroll(obs, network.initial_state(rows), starts)
        loss = cross_entropy(readout(unrolled.outs[-1]), targets)
        loss = loss + sum(own.mean() for own in network.own_losses(unrolled).values())

    Args:
        observation_space: `Discrete`, `MultiDiscrete`, `Box`, `MultiBinary` or a `Dict` of these;
            with an encoder of your own, what that takes.
        memory: Name of a cell in `agents.cells.CELLS` or of a registered one, or a subclass of
            `MemoryCell`.
        memory_kwargs: Arguments of the cell beside its input size.
        encoder: A module class that is called with the observation space and `encoder_kwargs`, has
            an `output_size`, and maps ``(N, ...)`` observations to ``(N, output_size)``; None for
            the one of `make_encoder`.
        encoder_kwargs: Arguments of `encoder` beside the space.
        encoder_size: Width of a layer before the memory (for each key of a `Dict`), None for none,
            see `make_encoder`; without `encoder`.
        activation_fn: Class of the encoder's activation, without `encoder`.

    Attributes:
        output_size: Width of the features.

    Raises:
        ValueError: If a space, a name or a size is not valid.
        TypeError: If a class is of another kind.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        memory: str | type[MemoryCell[Any]] = "lstm",
        memory_kwargs: Mapping[str, Any] | None = None,
        encoder: type[nn.Module] | None = None,
        encoder_kwargs: Mapping[str, Any] | None = None,
        encoder_size: int | None = None,
        activation_fn: type[nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__()
        given = {"memory_kwargs": memory_kwargs, "encoder_kwargs": encoder_kwargs}
        for name, value in given.items():
            check_or_none(check_instance, name, value, Mapping, "dicts of arguments")
        if encoder is None:
            if encoder_kwargs:
                words = f"encoder_kwargs is {dict(encoder_kwargs)!r}"
                raise ValueError(f"{words}; allowed: nothing without encoder")
            if encoder_size is not None:
                check_integer("encoder_size", encoder_size, 1)
            activation = check_activation(activation_fn)()
            made: Any = make_encoder(observation_space, encoder_size, activation)
        else:
            made = _own_encoder(encoder, observation_space, dict(encoder_kwargs or {}))
        self.encoder: nn.Module = made
        self.memory = make_cell(memory, made.output_size, **dict(memory_kwargs or {}))
        self.output_size: int = made.output_size + self.memory.output_size

    def initial_state(self, batch_size: int) -> State:
        """Returns the memory state in which `batch_size` episodes start."""
        return self.memory.initial_state(batch_size)

    def forward(
        self, obs: Observation, state: State, starts: Tensor | None
    ) -> tuple[Tensor, State]:
        """Takes one step.

        Args:
            obs: ``(B, ...)``.
            state: The memory state before the step.
            starts: ``(B,)`` bool, True where an episode starts with this observation; None where
                none does.

        Returns:
            The features ``(B, output_size)`` and the memory state after the step.
        """
        encoded = self.encoder(obs)
        if starts is not None and starts.any():
            state = where_state(starts, self.initial_state(len(starts)), state)
        remembered, state = self.memory(encoded, state)
        return torch.cat([encoded, remembered], dim=-1), state

    def unroll(self, obs: Observation, state: State, starts: Tensor) -> Unrolled:
        """Takes T steps.

        Args:
            obs: ``(T, B, ...)``.
            state: The memory state before the first step.
            starts: ``(T, B)`` bool, see `forward`.

        Returns:
            The features ``(T, B, output_size)``, the state after the last step, and the cell's own
            losses, see `own_losses`.
        """
        encoded = self.encoder(map_observation(lambda x: x.flatten(0, 1), obs))
        encoded = encoded.unflatten(0, starts.shape)
        remembered = unroll(self.memory, encoded, state, starts)
        return remembered._replace(outs=torch.cat([encoded, remembered.outs], dim=-1))

    def own_losses(self, unrolled: Unrolled) -> dict[str, Tensor]:
        """Returns the cell's own losses of each step, ``(T, B)``, multiplied by their weights.

        Their names are those of the cell's `loss_weights` after ``memory_``.
        """
        return {
            f"memory_{name}": self.memory.loss_weights[name] * loss
            for name, loss in unrolled.losses.items()
        }

    def trace(self, obs: Observation, state: State) -> tuple[Tensor, State, dict[str, Tensor]]:
        """Takes one step within episodes, and returns what the cell has to show besides.

        To that is added what the cell gives out, ``output``, ``(B, memory.output_size)``.
        """
        encoded = self.encoder(obs)
        remembered, state, seen = self.memory.trace(encoded, state)
        return torch.cat([encoded, remembered], dim=-1), state, seen | {"output": remembered}


def _own_encoder(encoder: Any, space: spaces.Space[Any], encoder_kwargs: dict[str, Any]) -> Any:
    if not (isinstance(encoder, type) and issubclass(encoder, nn.Module)):
        raise TypeError(f"encoder is {encoder!r}; allowed: a subclass of torch.nn.Module")
    made = register(encoder)(space, **encoder_kwargs)
    size = getattr(made, "output_size", None)
    if not isinstance(size, int) or size < 1:
        raise TypeError(
            f"encoder is {encoder.__name__}, whose output_size is {size!r}; "
            "allowed: integers from 1 on"
        )
    return made
