"""Baselines of REINFORCE (Zaremba & Sutskever 2015, Appendix A)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.algorithms.rl_ntm.controller import Controller
from agents.algorithms.rl_ntm.unroll import Ints, Seen, laid_out, places_of
from agents.cells.lstm import LSTM
from agents.cells.unroll import unroll

# Runs an LSTM over sequences of different lengths, see `padded_lstm`.
SequenceLSTM: TypeAlias = Callable[[LSTM, Tensor, list[Ints], int], Tensor]


def padded_lstm(cell: LSTM, xs: Tensor, rows: list[Ints], count: int) -> Tensor:
    """Returns the hidden states after each step, ``(N, H)``.

    Args:
        cell: The LSTM; all rows start from its initial state.
        xs: Inputs, packed by time and then by row, ``(N, input_size)``.
        rows: Numbers of the rows that run, step by step; a row that is left out never comes back.
        count: B.
    """
    places = torch.as_tensor(places_of(rows, count), device=xs.device)
    padded = laid_out(xs, places, (len(rows), count))
    starts = torch.zeros(len(rows), count, dtype=torch.bool, device=xs.device)
    return unroll(cell, padded, cell.initial_state(count), starts)[0].flatten(0, 1)[places]


class OfflineBaseline(nn.Module):
    """An LSTM that reads the whole input tape backwards, then sees what the controller sees.

    At each step it predicts the rewards still to come, before the moves of that step are chosen.
    Nothing flows from here into the controller. Beside the controller's inputs it is told how many
    symbols and steps remain: the appendix advises to give it all there is to know.

    Args:
        controller: The controller whose inputs it sees.
        hidden_size: Units of the LSTM.
        init_std: Standard deviation of the Gaussian that all parameters start from.
    """

    def __init__(self, controller: Controller, hidden_size: int, init_std: float) -> None:
        super().__init__()
        interfaces = controller.interfaces
        read = interfaces.read_window * interfaces.vocabulary
        centre = interfaces.input_cells // 2
        self.first_row = centre * interfaces.vocabulary  # where symbols under the head have theirs
        self.weight_in = nn.Parameter(torch.empty(len(controller.weight_in), hidden_size))
        self.weight_read = nn.Parameter(torch.empty(read, hidden_size))
        self.cell = LSTM(hidden_size + 2, hidden_size)
        self.value = nn.Linear(hidden_size, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0.0, init_std)

    def forward(
        self, source: Tensor, seen: Seen, remaining: Tensor, running: Tensor, lstm: SequenceLSTM
    ) -> Tensor:
        """Returns the predicted rewards-to-go, ``(T, B)``.

        Args:
            source: Input tapes, ``(B, S)``; blank beyond their ends.
            seen: The controller's inputs.
            remaining: Symbols and steps that remain, ``(T, B, 2)``.
            running: Whether a step was taken, ``(T, B)``.
            lstm: Runs the LSTM.
        """
        tape = F.embedding(source.t().flip(0) + self.first_row, self.weight_in)
        tape = F.pad(tape, (0, 2))
        inputs = seen.inputs @ self.weight_in + seen.read @ self.weight_read
        left = remaining[running].to(inputs.dtype)
        # Large counts would saturate the gates.
        sequence = torch.cat([tape.flatten(0, 1), torch.cat([inputs, left.log1p()], dim=1)])
        rows = [np.arange(len(source))] * len(tape)
        rows += [np.flatnonzero(each) for each in running.cpu().numpy()]
        hidden = lstm(self.cell, sequence, rows, len(source))[-len(inputs) :]
        values: Tensor = self.value(hidden).squeeze(1) * left[:, 0]
        everywhere = values.new_zeros(running.shape)
        everywhere[running] = values
        return everywhere
