"""The computations of RL-NTM that exist twice: plainly, and compiled for the CPU (`fast`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from agents.algorithms.base import Drawable
from agents.algorithms.rl_ntm.baseline import SequenceLSTM, padded_lstm
from agents.algorithms.rl_ntm.controller import Controller, Scores
from agents.algorithms.rl_ntm.policy import RLNTMPolicy
from agents.algorithms.rl_ntm.unroll import PlainUnroll, Unroll


class Backend(NamedTuple):
    """How episodes are computed; all backends compute the same.

    Attributes:
        unroll: Makes what steps the controller, from the controller, the number of rows and the
            largest number of steps.
        lstm: Runs the offline baseline's LSTM, see `padded_lstm`.
        moves: Makes the distribution from which the moves of a step are drawn, from the policy,
            the scores of n rows and the choices allowed, ``(n, sum(move_sizes))``.
    """

    unroll: Callable[[Controller, int, int], Unroll]
    lstm: SequenceLSTM
    moves: Callable[[RLNTMPolicy, Scores, Tensor], Drawable]


PLAIN = Backend(PlainUnroll, padded_lstm, RLNTMPolicy.moves)
