"""MNM-g: a neural memory that is written by gradient descent (section 3.3)."""

from __future__ import annotations

from torch import Tensor

from agents.cells.mnm.cell import MNM
from agents.cells.mnm.memory import gradient_errors


class MNMG(MNM):
    """Writes by one gradient step on the squared error of the values (equations 2 and 3).

    Arguments, and what the paper leaves open, are those of `agents.cells.mnm.cell`.
    """

    def errors(self, memory: Tensor, layers: Tensor, values: Tensor) -> Tensor:
        """Returns the errors that the gradient of equation 2 is made of; see `MNM.errors`."""
        return gradient_errors(memory, layers, values, self.linear_values)
