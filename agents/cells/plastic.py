"""Recurrent network with plastic connections (Miconi, Clune and Stanley 2018, arXiv:1804.02464).

Each recurrent connection has a fixed weight w and a plastic one: a Hebbian trace, which starts an
episode at zero and changes with the activity at its two ends, times a plasticity alpha. w, alpha
and what drives the trace are learned by gradient descent. With i before j in a connection,

    x_j(t) = tanh(input_j(t) + sum over i of (w_ij + alpha_ij Hebb_ij(t)) x_i(t-1))    (equation 1)

Only recurrent connections are plastic. Then the trace changes, with both ends as the step has them:

    hebb         Hebb(t+1) = (1 - eta) Hebb(t) + eta x_i(t-1) x_j(t)                   (equation 2)
    oja          Hebb(t+1) = Hebb(t) + eta x_j(t) (x_i(t-1) - x_j(t) Hebb(t))          (equation 3)

In its sequel with neuromodulation, backpropamine (Miconi et al. 2019, arXiv:2002.10585), a trace
does not decay but is clipped to [-1, 1]. The network itself may say how much is written, by a unit
M(t) = tanh(a linear function of x(t)); that may also be negative, and may come after what it is to
write, which waits in an eligibility trace E:

    clip         Hebb(t+1) = Clip(Hebb(t) + eta x_i(t-1) x_j(t))                       (equation 2)
    modulated    Hebb(t+1) = Clip(Hebb(t) + M(t) x_i(t-1) x_j(t))                      (equation 3)
    retroactive  Hebb(t+1) = Clip(Hebb(t) + M(t) E(t))                                 (equation 4)
                 E(t+1) = (1 - eta) E(t) + eta x_i(t-1) x_j(t)                         (equation 5)

Choices. eta is one number, the sigmoid of a parameter, so that it stays a rate; it starts at 0.01,
and the plasticities up to 0.01, as in the published code of 2018. First weights are those of
`torch.nn.RNNCell`.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from agents.cells.base import MemoryCell
from agents.cells.none import NoState
from memory_envs.arguments import check_choice, check_flag, check_integer

RULES = ("hebb", "oja", "clip", "modulated", "retroactive")
_FIRST_RATE = 0.01
_FIRST_PLASTICITY = 0.01


class PlasticState(NamedTuple):
    """State of a plastic network of H units.

    Attributes:
        hidden: The units, x, ``(B, H)``.
        hebb: The Hebbian traces by the unit after and the unit before, ``(B, H, H)``.
        eligibility: With the rule ``"retroactive"`` the eligibility traces, likewise; else empty.
    """

    hidden: Tensor
    hebb: Tensor
    eligibility: Tensor | NoState


class Plastic(MemoryCell[PlasticState]):
    """One layer of tanh units with plastic connections; its output is its hidden state.

    Args:
        input_size: Width of the input.
        hidden_size: Number of units; the output is as wide. A row of the state holds its square.
        rule: How traces change, a name in `RULES`.
        homogeneous: Whether all connections are equally plastic. Otherwise each learns how much.

    Raises:
        TypeError, ValueError: If `hidden_size` is not an integer from 1 on, there is no such rule,
            or `homogeneous` is not a flag.
    """

    source: ClassVar[str] = "Miconi et al. 2018, arXiv:1804.02464; 2019, arXiv:2002.10585"

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 100,
        rule: str = "hebb",
        homogeneous: bool = False,
    ) -> None:
        check_integer("hidden_size", hidden_size, 1)
        check_choice("rule", rule, RULES)
        check_flag("homogeneous", homogeneous)
        super().__init__(input_size, hidden_size)
        self.rule = rule
        self.input = nn.Linear(input_size, hidden_size)
        self.weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        end = hidden_size**-0.5
        for parameter in (*self.input.parameters(), self.weight):
            nn.init.uniform_(parameter, -end, end)
        alpha = torch.ones(()) if homogeneous else torch.rand(hidden_size, hidden_size)
        self.alpha = nn.Parameter(_FIRST_PLASTICITY * alpha)
        if rule != "modulated":
            logit = math.log(_FIRST_RATE / (1 - _FIRST_RATE))
            self.rate = nn.Parameter(torch.tensor(logit))
        if rule in ("modulated", "retroactive"):
            self.modulator = nn.Linear(hidden_size, 1)

    def initial_state(self, batch_size: int) -> PlasticState:
        """Returns zeros."""
        hidden = self.weight.new_zeros(batch_size, self.output_size)
        traces = self.weight.new_zeros(batch_size, self.output_size, self.output_size)
        return PlasticState(hidden, traces, traces if self.rule == "retroactive" else NoState())

    def forward(self, x: Tensor, state: PlasticState) -> tuple[Tensor, PlasticState]:
        """Takes one step; see `MemoryCell.forward`."""
        before = state.hidden.unsqueeze(2)
        plastic = torch.bmm(self.alpha * state.hebb, before).squeeze(2)
        fixed = torch.addmm(self.input(x), state.hidden, self.weight.t())
        hidden = (fixed + plastic).tanh()
        hebb, eligibility = self._write(before.transpose(1, 2), hidden.unsqueeze(2), state)
        return hidden, PlasticState(hidden, hebb, eligibility)

    def trace(
        self, x: Tensor, state: PlasticState
    ) -> tuple[Tensor, PlasticState, dict[str, Tensor]]:
        """Takes the same step, and returns its recurrent weights and the modulation besides."""
        out, after = self(x, state)
        seen = {"weights": self.weight + self.alpha * state.hebb}
        if self.rule in ("modulated", "retroactive"):
            seen["modulation"] = self._modulation(out)
        return out, after, seen

    def _write(
        self, before: Tensor, after: Tensor, state: PlasticState
    ) -> tuple[Tensor, Tensor | NoState]:
        """Returns traces and eligibilities after a step.

        Args:
            before: The units at the connections' beginnings, ``(B, 1, H)``.
            after: Those at their ends, ``(B, H, 1)``.
            state: The state before the step.
        """
        hebb, eligibility = state.hebb, state.eligibility
        if self.rule == "oja":
            return hebb + self.rate.sigmoid() * after * (before - after * hebb), eligibility
        together = after * before
        if self.rule == "hebb":
            return torch.lerp(hebb, together, self.rate.sigmoid()), eligibility
        if isinstance(eligibility, Tensor):
            written = self._modulation(after.squeeze(2)).unsqueeze(2) * eligibility
            eligibility = torch.lerp(eligibility, together, self.rate.sigmoid())
        elif self.rule == "modulated":
            written = self._modulation(after.squeeze(2)).unsqueeze(2) * together
        else:
            written = self.rate.sigmoid() * together
        return (hebb + written).clamp(-1, 1), eligibility

    def _modulation(self, hidden: Tensor) -> Tensor:
        """Returns M(t), ``(B, 1)``."""
        return torch.tanh(self.modulator(hidden))
