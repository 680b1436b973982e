"""What a memory cell is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NamedTuple

import torch
from torch import Tensor, nn

from agents.cells.state import S, State
from memory_envs.arguments import check_integer


class MemoryCell(nn.Module, ABC, Generic[S]):
    """One pure step of a memory: ``forward(x, state) -> (out, state)``.

    A cell knows nothing about time or episodes, keeps no state in its attributes and never changes
    its inputs in place. `S` is the type of its state: tensors, batch first and of any type, in
    (named) tuples, lists or dicts of any nesting.

    A step may take a gradient of its own, as a memory does that is written by gradient descent. A
    rollout calls it without a graph, so that it has to call `torch.enable_grad` for that. What it
    returns keeps a graph through that gradient (``create_graph=True``) only where gradients were
    enabled when it was called: there, in training, second derivatives are needed.

    Attributes:
        source: Where the memory comes from: authors, year, and where to find it.
        loss_weights: The names of the cell's own losses, and what each is multiplied by in the
            total loss of whatever trains it. Empty where nothing but the task trains the cell.

    Args:
        input_size: Width of `x`.
        output_size: Width of `out`.

    Raises:
        TypeError, ValueError: If a width is not an integer from 1 on.
    """

    source: ClassVar[str] = ""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.loss_weights: Mapping[str, float] = {}
        self.input_size = check_integer("input_size", input_size, 1)
        self.output_size = check_integer("output_size", output_size, 1)

    @abstractmethod
    def initial_state(self, batch_size: int) -> S:
        """Returns the state in which `batch_size` episodes start.

        Learned parts are expanded parameters, so that gradients reach them.
        """

    @abstractmethod
    def forward(self, x: Tensor, state: S) -> tuple[Tensor, S]:
        """Takes one step.

        Args:
            x: ``(B, input_size)``.
            state: The state before the step.

        Returns:
            The output ``(B, output_size)`` and the state after the step.
        """

    def forward_with_losses(self, x: Tensor, state: S) -> tuple[Tensor, S, dict[str, Tensor]]:
        """Takes the same step, and returns the cell's own losses besides.

        Args:
            x: ``(B, input_size)``.
            state: The state before the step.

        Returns:
            The output, the state after the step, and a loss ``(B,)`` for each name in
            `loss_weights`, not yet multiplied by its weight.
        """
        out, state = self(x, state)
        return out, state, {}

    def trace(self, x: Tensor, state: S) -> tuple[Tensor, S, dict[str, Tensor]]:
        """Takes the same step, and returns what is worth seeing besides, by name, batch first.

        These names mean the same in every cell; `agents.evaluation.memory_map` draws them:

            write_keys, read_keys        ``(B, heads, K)``, where was written, what was looked for.
            write_values, read_values    ``(B, heads, V)``, what was written, what was found; one
                                         head's where the cell sees no more than a mean.
            write_weights, read_weights  ``(B, heads, slots)``, where heads were.
            *_gate, *_gates, *_rates     ``(B, ...)``, numbers from 0 to 1.
            usage                        ``(B, slots)``, how far slots are taken, from 0 to 1.
            links                        ``(B, slots, slots)``, what was written after what.

        Heads stand side by side where they share a memory. Where each has a memory of its own,
        their vectors stand one behind the other, as one head's: only what can meet in a memory is
        compared.
        """
        out, state = self(x, state)
        return out, state, {}


class Unrolled(NamedTuple):
    """What comes of T steps of a cell.

    Attributes:
        outs: The outputs ``(T, B, output_size)``.
        state: The state after the last step.
        losses: The cell's own losses by name, each ``(T, B)`` and without its weight.
    """

    outs: Tensor
    state: State
    losses: dict[str, Tensor]


class FusedCell(MemoryCell[S]):
    """A cell that runs a whole sequence faster than step by step.

    A subclass that changes a part of the step but not `sequence` goes step by step. What needs
    derivatives that `sequence` does not have calls `agents.cells.unroll.unroll_steps`.
    """

    # The methods that `sequence` stands for; a cell adds others that its step is made of.
    parts_of_step: ClassVar[frozenset[str]] = frozenset(
        ("forward", "forward_with_losses", "initial_state")
    )
    keeps_pace: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Notes whether `sequence` still does what the step does: no part of it is newer."""
        super().__init_subclass__(**kwargs)
        defined = [vars(base).keys() for base in cls.__mro__]
        sequence = next(k for k, names in enumerate(defined) if "sequence" in names)
        cls.keeps_pace = not any(names & cls.parts_of_step for names in defined[:sequence])

    def takes(self, xs: Tensor) -> bool:
        """Says whether `sequence` can run these inputs; compiled kernels want float32 on a CPU."""
        return xs.dtype == torch.float32 and xs.device.type == "cpu"

    @abstractmethod
    def sequence(self, xs: Tensor, state: S, starts: Tensor) -> Unrolled:
        """Does what `agents.cells.unroll.unroll_steps` does, first derivatives included.

        Args:
            xs: ``(T, B, input_size)``.
            state: The state before the first step.
            starts: ``(T, B)`` bool, contiguous.
        """


def start_masks(starts: Tensor) -> list[Tensor | None]:
    """Splits episode starts by step, so that a time loop does not wait for the device each step.

    Args:
        starts: ``(T, B)`` or ``(T, B, 1)`` bool.

    Returns:
        For each step its mask, or None where no row starts.
    """
    started = starts.flatten(1).any(dim=1).tolist()
    return [mask if some else None for mask, some in zip(starts.unbind(), started, strict=True)]
