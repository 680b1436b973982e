"""Linear recurrent unit (Orvieto et al. 2023, arXiv:2303.06349).

The state is complex, its recurrence linear and diagonal (section 3.4 of the paper):

    h = lambda * h_before + exp(gamma_log) * (B u)
    y = Re(C h) + D * u
    lambda = exp(-exp(nu_log) + i exp(theta_log))

so that ``|lambda| < 1`` whatever is learned. The paper stacks it into blocks, and so does this cell
with one: a linear encoder, u the encoded input after a layer norm, y through a GELU and a gated
linear unit (W y) * sigmoid(V y), and the encoded input added. Order within a step: the state takes
the input in before it is read.

The first lambda are uniform on the ring between the radii `r_min` and `r_max`, and gamma is
``sqrt(1 - |lambda|^2)``, which keeps the state's variance that of its input. B and C start normal,
of variance one over their inputs (the real and imaginary part of B half of that each), D normal.

The paper leaves open: which norm (here a layer norm, since one over the batch would mix episodes),
and the encoder's first weights (PyTorch's). Exponents end at `MAX_EXPONENT`, beyond which an
exponential would overflow and its gradient be no number.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled
from agents.cells.parts.scan import Parts, complex_scan
from memory_envs.arguments import check_integer, check_number

MAX_EXPONENT = 20.0


class LRUState(NamedTuple):
    """Real and imaginary part of the state, both ``(B, state_size)``."""

    real: Tensor
    imag: Tensor


class LRU(FusedCell[LRUState]):
    """One block around a linear recurrent unit.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the block and of the output.
        state_size: Number of complex units.
        r_min: Smallest ``|lambda|`` at first.
        r_max: Largest ``|lambda|`` at first.
        max_phase: Largest angle of lambda at first, in radians.

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    source: ClassVar[str] = "Orvieto et al. 2023, arXiv:2303.06349"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 128,
        state_size: int = 64,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_integer("state_size", state_size, 1)
        check_number("r_max", r_max, 0, 1, above=True)
        check_number("r_min", r_min, 0, r_max)
        check_number("max_phase", max_phase, 0, 2 * math.pi, above=True)
        super().__init__(input_size, hidden_size)
        self.state_size = state_size
        self.encoder = nn.Linear(input_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        # Of B and C first the real parts, then the imaginary ones; those of C with the sign that
        # they have in Re(C h).
        self.B = nn.Parameter(torch.randn(2 * state_size, hidden_size) / math.sqrt(2 * hidden_size))
        self.C = nn.Parameter(torch.randn(hidden_size, 2 * state_size) / math.sqrt(state_size))
        self.D = nn.Parameter(torch.randn(hidden_size))
        self.glu = nn.Linear(hidden_size, 2 * hidden_size)
        ends = torch.finfo(self.D.dtype)
        squares = torch.empty(state_size).uniform_(r_min**2, r_max**2)
        squares = squares.clamp(ends.tiny, 1 - ends.eps)
        phases = torch.empty(state_size).uniform_(0, max_phase).clamp(min=ends.tiny)
        self.nu_log = nn.Parameter((-0.5 * squares.log()).log())
        self.theta_log = nn.Parameter(phases.log())
        self.gamma_log = nn.Parameter(0.5 * (1 - squares).log())

    def initial_state(self, batch_size: int) -> LRUState:
        """Returns zeros."""
        zeros = self.nu_log.new_zeros(batch_size, self.state_size)
        return LRUState(zeros, zeros)

    def forward(self, x: Tensor, state: LRUState) -> tuple[Tensor, LRUState]:
        """Takes one step; see `MemoryCell.forward`."""
        skip = self.encoder(x)
        u = self.norm(skip)
        (a, b), (real, imag) = self._decay(), self._inputs(u)
        state = LRUState(
            a * state.real - b * state.imag + real, a * state.imag + b * state.real + imag
        )
        return self._read(skip, u, state), state

    def takes(self, xs: Tensor) -> bool:
        """Takes inputs of every type, everywhere."""
        return True

    def sequence(self, xs: Tensor, state: LRUState, starts: Tensor) -> Unrolled:
        """Runs all steps in one scan; see `FusedCell.sequence`."""
        skip = self.encoder(xs)
        u = self.norm(skip)
        states = LRUState(*complex_scan(self._decay(), self._inputs(u), state, starts))
        last = LRUState(states.real[-1], states.imag[-1])
        return Unrolled(self._read(skip, u, states), last, {})

    def _decay(self) -> Parts:
        size = torch.exp(-_exp(self.nu_log))
        phase = _exp(self.theta_log)
        return size * phase.cos(), size * phase.sin()

    def _inputs(self, u: Tensor) -> Parts:
        real, imag = F.linear(u, self.B).chunk(2, dim=-1)
        gamma = _exp(self.gamma_log)
        return gamma * real, gamma * imag

    def _read(self, skip: Tensor, u: Tensor, state: LRUState) -> Tensor:
        y = F.linear(torch.cat(state, dim=-1), self.C) + self.D * u
        return skip + F.glu(self.glu(F.gelu(y)), dim=-1)


def _exp(exponent: Tensor) -> Tensor:
    return exponent.clamp(max=MAX_EXPONENT).exp()
