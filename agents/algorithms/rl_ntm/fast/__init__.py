"""The controller's compiled steps, and their backward pass written by hand.

A reader of the paper needs none of it: `PLAIN` in `agents.algorithms.rl_ntm.backend` computes the
same.
"""

from agents.algorithms.rl_ntm.backend import Backend
from agents.algorithms.rl_ntm.fast.moves import DrawnMoves
from agents.algorithms.rl_ntm.fast.packed_lstm import packed_lstm
from agents.algorithms.rl_ntm.fast.unroll import FastUnroll

FAST = Backend(FastUnroll, packed_lstm, DrawnMoves)
