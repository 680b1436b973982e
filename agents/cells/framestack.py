"""The last few inputs side by side (Mnih et al. 2013): the control of what a bounded window gives.

The cell has no parameters. Where an episode has had fewer inputs, zeros stand in their place.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from agents.cells.base import FusedCell, Unrolled
from agents.cells.parts.windows import steps_before
from memory_envs.arguments import check_integer


class FrameStackState(NamedTuple):
    """The last ``stack_size - 1`` inputs, oldest first: ``(B, stack_size - 1, input_size)``."""

    frames: Tensor


class FrameStack(FusedCell[FrameStackState]):
    """Shows the last inputs, oldest first; `output_size` is ``stack_size * input_size``.

    Args:
        input_size: Width of the input.
        stack_size: How many inputs are shown, the step's own among them.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    source: ClassVar[str] = "Mnih et al. 2013, arXiv:1312.5602"

    def __init__(self, input_size: int, stack_size: int = 4) -> None:
        check_integer("stack_size", stack_size, 1)
        super().__init__(input_size, stack_size * check_integer("input_size", input_size, 1))
        self.stack_size = stack_size
        # A cell without parameters learns from it of what type and on which device its state is.
        self.blank: Tensor
        self.register_buffer("blank", torch.zeros(stack_size - 1, input_size), persistent=False)

    def initial_state(self, batch_size: int) -> FrameStackState:
        """Returns zeros."""
        return FrameStackState(self.blank.expand(batch_size, -1, -1))

    def forward(self, x: Tensor, state: FrameStackState) -> tuple[Tensor, FrameStackState]:
        """Takes one step; see `MemoryCell.forward`."""
        frames = torch.cat((state.frames, x.unsqueeze(1)), dim=1)
        return frames.flatten(1), FrameStackState(frames[:, 1:])

    def takes(self, xs: Tensor) -> bool:
        """Says yes: `sequence` is made of plain operations."""
        return True

    def sequence(self, xs: Tensor, state: FrameStackState, starts: Tensor) -> Unrolled:
        """Runs all steps at once; see `FusedCell.sequence`."""
        size = self.stack_size
        # Kept frames count as those of an episode: before its start they are zeros already.
        kept = starts.new_full(starts.shape[1:], size - 1, dtype=torch.int64)
        ages = torch.arange(size - 1, -1, -1, device=xs.device)
        shown = ages <= steps_before(starts, kept).unsqueeze(2)
        frames = torch.cat((state.frames.transpose(0, 1), xs)).unfold(0, size, 1)
        frames = torch.where(shown.unsqueeze(3), frames.transpose(2, 3), self.blank.new_zeros(()))
        return Unrolled(frames.flatten(2), FrameStackState(frames[-1, :, 1:]), {})
