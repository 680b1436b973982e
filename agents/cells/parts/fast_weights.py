"""What the cells of fast weights share: a state, a step, and all steps at once."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor

from agents.cells.base import FusedCell, Unrolled
from agents.cells.parts.delta_rule import Write, write_chunks, write_step
from agents.cells.parts.fast_layer import FastLayer, Projected, Recent
from agents.cells.state import state_tensors
from agents.cells.unroll import unroll_steps


class FastWeightState(NamedTuple):
    """State of a cell of fast weights.

    Attributes:
        weights: For each head what its keys lead to, ``(B, H, K, V)``.
        recent: The last projected inputs, which the short convolution sees; see `FastLayer`.
    """

    weights: Tensor
    recent: Recent


class FastWeightCell(FusedCell[FastWeightState]):
    """A layer around fast weights.

    A step writes first and reads then, so that what it writes can be found in the same step, as in
    the papers. A subclass says what is written and asked, `_write`, and what is made of what was
    read, `_read`; both take one step or many.

    Args:
        layer: What surrounds the memory.
        weights_shape: H, K and V of the fast weights. They may be wider than the layer's keys and
            values.
    """

    def __init__(self, layer: FastLayer, weights_shape: tuple[int, int, int]) -> None:
        super().__init__(layer.embed.in_features, layer.embed.out_features)
        self.layer = layer
        self._weights_shape = weights_shape

    @abstractmethod
    def _write(self, projected: Projected) -> Write:
        """Returns what is written and asked."""

    def _read(self, reads: Tensor) -> Tensor:
        """Returns the values ``(..., H, V)`` of the layer for what was read from the weights."""
        return reads

    def initial_state(self, batch_size: int) -> FastWeightState:
        """Returns zeros."""
        weights = self.layer.embed.weight.new_zeros(batch_size, *self._weights_shape)
        return FastWeightState(weights, self.layer.no_recent(batch_size))

    def forward(self, x: Tensor, state: FastWeightState) -> tuple[Tensor, FastWeightState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _, _ = self._step(x, state)
        return out, state

    def trace(
        self, x: Tensor, state: FastWeightState
    ) -> tuple[Tensor, FastWeightState, dict[str, Tensor]]:
        """Takes the same step, and returns the fast weights, what was written and read besides."""
        out, state, write, reads = self._step(x, state)
        seen = {
            "weights": state.weights,
            "write_keys": write.keys.flatten(1).unsqueeze(1),
            # Some cells write more than values, in further columns.
            "write_values": write.values[..., : reads.shape[-1]].flatten(1).unsqueeze(1),
            "read_keys": write.queries.flatten(1).unsqueeze(1),
            "read_values": reads.flatten(1).unsqueeze(1),
        }
        if write.strengths is not None:
            seen["write_rates"] = write.strengths
        if write.log_keeps is not None:
            seen["keep_gates"] = write.log_keeps.exp()
        return out, state, seen

    def _step(
        self, x: Tensor, state: FastWeightState
    ) -> tuple[Tensor, FastWeightState, Write, Tensor]:
        projected, recent = self.layer.enter(x, state.recent)
        write = self._write(projected)
        found, weights = write_step(state.weights, write)
        reads = self._read(found)
        return self.layer.leave(projected, reads), FastWeightState(weights, recent), write, reads

    def takes(self, xs: Tensor) -> bool:
        """Says that `sequence` runs every input: it is made of PyTorch's operations."""
        return True

    def sequence(self, xs: Tensor, state: FastWeightState, starts: Tensor) -> Unrolled:
        """Runs all steps in chunks; see `FusedCell.sequence`."""
        projected, recent = self.layer.enter_all(xs, state.recent, starts)
        found, weights = write_chunks(state.weights, self._write(projected), starts)
        outs = self.layer.leave(projected, self._read(found))
        # Chunks cut episodes apart by products with zero. What is not finite passes through them,
        # and would show in the outputs; the time loop stops it.
        if not all(bool(x.isfinite().all()) for x in (outs, *state_tensors(state))):
            return unroll_steps(self, xs, state, starts)
        return Unrolled(outs, FastWeightState(weights, recent), {})
