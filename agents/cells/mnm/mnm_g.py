"""MNM-g: a neural memory that is written by gradient descent (section 3.3)."""

from __future__ import annotations

from torch import Tensor

from agents.cells.base import Unrolled
from agents.cells.mnm.cell import MNMState
from agents.cells.mnm.fused import FusedMNM
from agents.cells.mnm.memory import gradient_errors


class MNMG(FusedMNM):
    """Writes by one gradient step on the squared error of the values (equations 2 and 3).

    All layers correct the same error. Where writes are normalized, each does its L-th part, and the
    factor 2 / H of the gradient is left out, which the divisor stands for.

    Arguments, and what the paper leaves open, are those of `agents.cells.mnm.cell`.
    """

    def errors(self, memory: Tensor, layers: Tensor, values: Tensor) -> Tensor:
        """Returns the errors that the gradient of equation 2 is made of; see `MNM.errors`."""
        return gradient_errors(memory, layers, values, self.linear_values, self._error_scale())

    def sequence(self, xs: Tensor, state: MNMState, starts: Tensor) -> Unrolled:
        """Runs all steps in one autograd function; see `FusedCell.sequence`."""
        return self.run_compiled(xs, state, starts, error_scale=self._error_scale())

    def _error_scale(self) -> float:
        """Returns what the differences of values and targets are multiplied by."""
        layers = self.initial_memory.shape[0]
        return 1 / layers if self.normalized_writes else 2 / self.num_heads
