"""Fast and forgetful memory (Morad et al. 2023, arXiv:2310.04128).

The memory S is a complex matrix, m traces that decay by c contexts that turn. A step writes what it
keeps of its input into all contexts, and reads all of S (l1 to l5 are linear):

    kept = l1(x) * sigmoid(l2(x))
    S = gamma * S_before + (kept, kept, ...)           gamma = exp(-|alpha|) outer exp(-i omega)
    z = l3(Re S beside Im S)
    y = norm(z) * sigmoid(l4(x)) + l5(x) * (1 - sigmoid(l4(x)))

The norm is a layer norm without parameters. The paper bounds alpha so that gamma to the power of
minus T does not overflow; our scan takes no such power, and alpha is free. Alpha starts evenly
spaced, from a trace that keeps `KEPT` of itself after `MAX_PERIOD` steps to one that halves with
each step (what the bound comes to with 64-bit numbers and 1,024 steps), and omega as periods evenly
spaced from 1 to `MAX_PERIOD` steps. Linear layers start as PyTorch's.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.cells.base import FusedCell, Unrolled
from agents.cells.parts.scan import Parts, complex_scan
from memory_envs.arguments import check_integer

MAX_PERIOD = 1024
KEPT = 0.01


class FFMState(NamedTuple):
    """Real and imaginary part of the memory, both ``(B, memory_size, context_size)``."""

    real: Tensor
    imag: Tensor


class FFM(FusedCell[FFMState]):
    """Sums of gated inputs that decay and turn at learned rates.

    Args:
        input_size: Width of the input.
        hidden_size: Width of the output.
        memory_size: Number of traces, m.
        context_size: Number of contexts, c.

    Raises:
        TypeError, ValueError: If a size is not an integer from 1 on.
    """

    source: ClassVar[str] = "Morad et al. 2023, arXiv:2310.04128"

    def __init__(
        self, input_size: int, hidden_size: int = 128, memory_size: int = 32, context_size: int = 4
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_integer("memory_size", memory_size, 1)
        check_integer("context_size", context_size, 1)
        super().__init__(input_size, hidden_size)
        self.memory_size = memory_size
        self.context_size = context_size
        # l1 and l2, then l5 and l4.
        self._sizes = (memory_size, memory_size, hidden_size, hidden_size)
        self.inputs = nn.Linear(input_size, sum(self._sizes))
        self.mix = nn.Linear(2 * memory_size * context_size, hidden_size)
        slowest, fastest = -math.log(KEPT) / MAX_PERIOD, math.log(2)
        self.alpha = nn.Parameter(torch.linspace(slowest, fastest, memory_size))
        self.omega = nn.Parameter(2 * math.pi / torch.linspace(1, MAX_PERIOD, context_size))

    def initial_state(self, batch_size: int) -> FFMState:
        """Returns zeros."""
        zeros = self.alpha.new_zeros(batch_size, self.memory_size, self.context_size)
        return FFMState(zeros, zeros)

    def forward(self, x: Tensor, state: FFMState) -> tuple[Tensor, FFMState]:
        """Takes one step; see `MemoryCell.forward`."""
        out, state, _ = self._step(x, state)
        return out, state

    def trace(self, x: Tensor, state: FFMState) -> tuple[Tensor, FFMState, dict[str, Tensor]]:
        """Takes the same step, and returns both gates besides."""
        return self._step(x, state)

    def takes(self, xs: Tensor) -> bool:
        """Takes inputs of every type, everywhere."""
        return True

    def sequence(self, xs: Tensor, state: FFMState, starts: Tensor) -> Unrolled:
        """Runs all steps in one scan; see `FusedCell.sequence`."""
        kept, passed, gates = self._split(xs)
        kept = kept.expand(*kept.shape[:-1], self.context_size)
        inputs = kept, torch.zeros_like(kept)
        states = FFMState(*complex_scan(self._decay(), inputs, state, starts))
        last = FFMState(states.real[-1], states.imag[-1])
        return Unrolled(self._read(states, passed, gates["output_gate"]), last, {})

    def _step(self, x: Tensor, state: FFMState) -> tuple[Tensor, FFMState, dict[str, Tensor]]:
        kept, passed, gates = self._split(x)
        a, b = self._decay()
        state = FFMState(a * state.real - b * state.imag + kept, a * state.imag + b * state.real)
        return self._read(state, passed, gates["output_gate"]), state, gates

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """What is written, ``(..., memory_size, 1)``, what passes by, and the two gates."""
        values, keeping, passed, out = self.inputs(x).split(self._sizes, dim=-1)
        gates = {"input_gate": keeping.sigmoid(), "output_gate": out.sigmoid()}
        return (values * gates["input_gate"]).unsqueeze(-1), passed, gates

    def _decay(self) -> Parts:
        sizes = torch.exp(-self.alpha.abs()).unsqueeze(1)
        return sizes * self.omega.cos(), -sizes * self.omega.sin()

    def _read(self, state: FFMState, passed: Tensor, gate: Tensor) -> Tensor:
        flat = torch.cat([part.flatten(-2) for part in state], dim=-1)
        z = F.layer_norm(self.mix(flat), (self.output_size,))
        return torch.lerp(passed, z, gate)
