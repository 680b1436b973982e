"""An agent's own memory tape, shown like a tape of the environment.

Its cells are vectors with a number for each symbol. A cell is shown by the symbol whose number
stands out most: what a read of the cell makes more likely than anything else. How far it stands out
from the mean of all is the cell's strength, about 1 for a symbol that was written once in full. A
vector of equal numbers makes no symbol more likely, so it counts as blank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from agents.evaluation.trace.history import BoolArray, History, IntArray, TapeHistory

FloatArray = npt.NDArray[np.float64]

_OWN_TAPE, _OWN_MOVE = "memory tape", "memory_move"
_MOVES = ("left", "stay", "right")
_FAINT = 0.1  # strengths and changes below are not shown


def own_tape(seen: Mapping[str, FloatArray]) -> TapeHistory | None:
    """Returns the agent's tape; None if it has no cells.

    Args:
        seen: What `agents.evaluation.trace.watcher.Watcher` saw, with a ``memory_tape``.
    """
    numbers = seen["memory_tape"]
    if not numbers.shape[1]:
        return None
    strengths = numbers.max(axis=2) - numbers.mean(axis=2)
    blank = numbers.shape[2]  # the number after the last symbol, as in the environment
    cells = np.where(strengths < _FAINT, blank, numbers.argmax(axis=2))
    written = seen["memory_change"] >= _FAINT
    heads = seen["memory_head"].astype(np.int64)
    columns, heads = _shown_columns(heads, written)
    shown, written = cells[:, columns], written[:, columns]
    return TapeHistory(_OWN_TAPE, shown, heads, written, strengths[:, columns], _OWN_MOVE)


def _shown_columns(heads: IntArray, written: BoolArray) -> tuple[IntArray, IntArray]:
    """Returns the cells on and around the head's way, and the head's column among them.

    Args:
        heads: Of shape ``(T,)``, on a circular tape.
        written: Of shape ``(T, cells)``.
    """
    size = written.shape[1]
    near: BoolArray = np.bitwise_or.reduce(written, axis=0)
    near[heads] = True
    near |= np.roll(near, 1) | np.roll(near, -1)
    # The head takes one cell at a time, so these are one stretch, perhaps over the ends.
    starts = np.flatnonzero(near & ~np.roll(near, 1))
    first = int(starts[0]) if len(starts) else 0
    columns = (first + np.arange(size)) % size
    return columns[near[columns]], (heads - first) % size


def with_own_memory(history: History, seen: Mapping[str, FloatArray]) -> History:
    """Returns the history with the agent's own tape, if it has one, in place of written tapes."""
    if "memory_tape" not in seen:
        return history
    own = own_tape(seen)
    others = tuple(tape for tape in history.tapes if not tape.write_action)
    return history._replace(tapes=others if own is None else (*others, own))


def with_own_moves(
    choices: Mapping[str, tuple[str, ...]],
    actions: Sequence[Mapping[str, str]],
    seen: Mapping[str, FloatArray],
    history: History,
) -> tuple[dict[str, tuple[str, ...]], list[dict[str, str]]]:
    """Returns the sub-actions with the move of the agent's own head, after the first of them.

    Args:
        choices: The values that the environment's sub-actions can take, by name.
        actions: The values that they took, one dict per step.
        seen: What was seen of the agent.
        history: The environment's tapes.

    Returns:
        Both, without the sub-actions of the environment's written tapes if the agent has its own.
    """
    if "memory_tape" not in seen:
        return dict(choices), [dict(action) for action in actions]
    replaced = [tape for tape in history.tapes if tape.write_action]
    unused = {name for tape in replaced for name in (tape.move_action, tape.write_action)}
    names = [name for name in choices if name not in unused]
    own = seen.get("memory_move")
    if own is not None:
        names.insert(1, _OWN_MOVE)
    values = {**choices, _OWN_MOVE: _MOVES}
    taken = [
        dict(action) if own is None else {**action, _OWN_MOVE: _MOVES[int(own[step])]}
        for step, action in enumerate(actions)
    ]
    return (
        {name: values[name] for name in names},
        [{name: action[name] for name in names} for action in taken],
    )
