"""The oracle of the tape family: an honest reader.

It emits a symbol only where a player with a perfect memory could know it: at the cell from which
the symbol comes, or with the symbol on the memory tape, or after everything has been read. A fresh
episode takes it exactly the steps that the task states (`TapeTask.steps`).

It is optimal from every state, also after any play before it, because it stops being honest when
time runs short: once as many symbols as steps remain, it emits the next one wherever the heads are.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.core.rules import IntArray
from memory_envs.tape.layout import ROW, TapeState
from memory_envs.tape.rules import TapeRules
from memory_envs.tape.settings import TapeSettings
from memory_envs.tape.tasks import TASKS

_NAMES = ROW.names or ()


class _Present(NamedTuple):
    """What a plan depends on; sizes count the end mark, `size` and `head` are the input's."""

    source: npt.NDArray[np.int16]
    size: int
    goal_size: int
    head: int
    memory_head: int
    memory_size: int
    emitted: int
    steps: int
    steps_left: int

    @property
    def symbols_left(self) -> int:
        return self.goal_size - self.emitted


class _Plan(NamedTuple):
    """What an honest reader does next; `write` is None where the memory cell is left alone."""

    emit: bool
    input_move: int
    memory_move: int = 0
    write: int | None = None


def best_action(rules: TapeRules, state: TapeState, row: int) -> IntArray:
    """Returns the sub-actions of optimal play in one row, whose episode is under way."""
    settings, now = rules.settings, _present(state, row)
    plan = _planner(settings)(now)
    emit = plan.emit or now.steps_left <= now.symbols_left
    symbol = int(state.target[row, now.emitted])
    if now.steps_left == 1 and _mistake_pays(settings, now):
        symbol = (symbol + 1) % (settings.symbols + 1)
    action = [plan.input_move + (not settings.task.forward_only)]
    if settings.task.memory:
        keep = settings.symbols + 1
        action += [plan.memory_move + 1, keep if plan.write is None else plan.write]
    return np.array([*action, emit, symbol], np.int64)


def optimal_return(rules: TapeRules, state: TapeState, row: int) -> float:
    """Returns what optimal play still gets in one row, whose episode is under way.

    With S symbols and T steps left: S if S <= T. Otherwise T right symbols and `timeout_reward`,
    or T - 1 right symbols and a deliberate mistake where that ends the episode and costs less.
    """
    settings, now = rules.settings, _present(state, row)
    if now.symbols_left <= now.steps_left:
        return float(now.symbols_left)
    if _mistake_pays(settings, now):
        return now.steps_left - 1 + settings.wrong_reward
    return now.steps_left + settings.timeout_reward


def _mistake_pays(settings: TapeSettings, now: _Present) -> bool:
    """Returns whether a deliberate mistake at the last step beats the time limit."""
    cheaper = settings.wrong_reward > 1.0 + settings.timeout_reward
    ends = settings.on_error == "terminate"
    return cheaper and ends and now.symbols_left > now.steps_left


def _present(state: TapeState, row: int) -> _Present:
    record = dict(zip(_NAMES, state.rows[row].item(), strict=True))
    return _Present(
        source=state.source[row],
        size=record["source_size"],
        goal_size=record["target_size"],
        head=record["input_head"],
        memory_head=record["memory_head"],
        memory_size=state.memory.shape[1],
        emitted=record["emitted"],
        steps=record["steps"],
        steps_left=record["limit"] - record["steps"],
    )


def _planner(settings: TapeSettings) -> Callable[[_Present], _Plan]:
    task = settings.task
    # A task of one's own may bear any name, so the name alone does not tell.
    known = task == TASKS.get(task.name)
    return _PLANNERS.get(task.name, _read_then_emit) if known else _read_then_emit


def _read_at(now: _Present, cell: int, onward: int) -> _Plan:
    """Plans to walk to `cell`, emit there and move on."""
    if now.head == cell:
        return _Plan(True, onward)
    return _Plan(False, 1 if cell > now.head else -1)


def _recall_at(now: _Present, cell: int, onward: int) -> _Plan:
    """Plans to walk to a cell of the memory, not round the circle, emit there and move on."""
    cell %= now.memory_size
    if now.memory_head == cell:
        return _Plan(True, 0, onward)
    return _Plan(False, 0, 1 if cell > now.memory_head else -1)


def _copy(now: _Present) -> _Plan:
    return _read_at(now, now.emitted, 1)


def _duplicated_input(now: _Present) -> _Plan:
    return _read_at(now, 3 * now.emitted, 1)


def _reverse(now: _Present) -> _Plan:
    end = now.size - 1
    if now.emitted == 0 and now.steps < end:
        return _Plan(False, 1)
    return _read_at(now, end - 1 - now.emitted, -1)


def _repeat_copy(now: _Present) -> _Plan:
    end = now.size - 1
    if now.emitted == now.goal_size - 1:
        return _read_at(now, end, 0)
    # After the phrase's last symbol too the head goes right: only the end mark shows that it was.
    return _read_at(now, 1 + now.emitted % (end - 1), 1)


def _forward_reverse(now: _Present) -> _Plan:
    end = now.size - 1
    if now.head < end:
        return _Plan(False, 1, 1, int(now.source[now.head]) if now.head >= 0 else None)
    if now.emitted == end:
        return _Plan(True, 0)
    return _recall_at(now, end - 1 - now.emitted, -1)


def _repeat_copy_forward(now: _Present) -> _Plan:
    end = now.size - 1
    if now.head < 1:
        return _Plan(False, 1)
    if now.head < end:  # the first copy is emitted while it is written down
        return _Plan(now.emitted == now.head - 1, 1, 1, int(now.source[now.head]))
    if now.emitted == now.goal_size - 1:
        return _Plan(True, 0)
    return _recall_at(now, now.emitted % (end - 1), 1)


def _read_then_emit(now: _Present) -> _Plan:
    if now.head < now.size:
        return _Plan(False, 1)
    return _Plan(True, 0)


_PLANNERS: dict[str, Callable[[_Present], _Plan]] = {
    "Copy": _copy,
    "DuplicatedInput": _duplicated_input,
    "Reverse": _reverse,
    "RepeatCopy": _repeat_copy,
    "ForwardReverse": _forward_reverse,
    "RepeatCopyForward": _repeat_copy_forward,
}
