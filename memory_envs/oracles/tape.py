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


class _View(NamedTuple):
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
    """The sub-actions of optimal play in one row, whose episode is under way."""
    settings, view = rules.settings, _view(state, row)
    plan = _planner(settings)(view)
    emit = plan.emit or view.steps_left <= view.symbols_left
    symbol = int(state.target[row, view.emitted])
    if view.steps_left == 1 and _mistake_pays(settings, view):
        symbol = (symbol + 1) % (settings.symbols + 1)
    action = [plan.input_move + (not settings.task.forward_only)]
    if settings.task.memory:
        keep = settings.symbols + 1
        action += [plan.memory_move + 1, keep if plan.write is None else plan.write]
    return np.array([*action, emit, symbol], np.int64)


def optimal_return(rules: TapeRules, state: TapeState, row: int) -> float:
    """What optimal play still gets in one row, whose episode is under way.

    With S symbols and T steps left: S if S <= T. Otherwise T right symbols and `timeout_reward`,
    or T - 1 right symbols and a deliberate mistake where that ends the episode and costs less.
    """
    settings, view = rules.settings, _view(state, row)
    if view.symbols_left <= view.steps_left:
        return float(view.symbols_left)
    if _mistake_pays(settings, view):
        return view.steps_left - 1 + settings.wrong_reward
    return view.steps_left + settings.timeout_reward


def _mistake_pays(settings: TapeSettings, view: _View) -> bool:
    """Whether a deliberate mistake at the last step beats the time limit."""
    cheaper = settings.wrong_reward > 1.0 + settings.timeout_reward
    ends = settings.on_error == "terminate"
    return cheaper and ends and view.symbols_left > view.steps_left


def _view(state: TapeState, row: int) -> _View:
    record = dict(zip(_NAMES, state.rows[row].item(), strict=True))
    return _View(
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


def _planner(settings: TapeSettings) -> Callable[[_View], _Plan]:
    task = settings.task
    # A task of one's own may bear any name, so the name alone does not tell.
    known = task == TASKS.get(task.name)
    return _PLANNERS.get(task.name, _read_then_emit) if known else _read_then_emit


def _read_at(view: _View, cell: int, onward: int) -> _Plan:
    """Walk to `cell`, emit there and move on."""
    if view.head == cell:
        return _Plan(True, onward)
    return _Plan(False, 1 if cell > view.head else -1)


def _recall_at(view: _View, cell: int, onward: int) -> _Plan:
    """Walk to `cell` of the memory, without going round the circle, emit there and move on."""
    cell %= view.memory_size
    if view.memory_head == cell:
        return _Plan(True, 0, onward)
    return _Plan(False, 0, 1 if cell > view.memory_head else -1)


def _copy(view: _View) -> _Plan:
    return _read_at(view, view.emitted, 1)


def _duplicated_input(view: _View) -> _Plan:
    return _read_at(view, 3 * view.emitted, 1)


def _reverse(view: _View) -> _Plan:
    end = view.size - 1
    if view.emitted == 0 and view.steps < end:
        return _Plan(False, 1)
    return _read_at(view, end - 1 - view.emitted, -1)


def _repeat_copy(view: _View) -> _Plan:
    end = view.size - 1
    if view.emitted == view.goal_size - 1:
        return _read_at(view, end, 0)
    # After the phrase's last symbol too the head goes right: only the end mark shows that it was.
    return _read_at(view, 1 + view.emitted % (end - 1), 1)


def _forward_reverse(view: _View) -> _Plan:
    end = view.size - 1
    if view.head < end:
        return _Plan(False, 1, 1, int(view.source[view.head]) if view.head >= 0 else None)
    if view.emitted == end:
        return _Plan(True, 0)
    return _recall_at(view, end - 1 - view.emitted, -1)


def _repeat_copy_forward(view: _View) -> _Plan:
    end = view.size - 1
    if view.head < 1:
        return _Plan(False, 1)
    if view.head < end:  # the first copy is emitted while it is written down
        return _Plan(view.emitted == view.head - 1, 1, 1, int(view.source[view.head]))
    if view.emitted == view.goal_size - 1:
        return _Plan(True, 0)
    return _recall_at(view, view.emitted % (end - 1), 1)


def _read_then_emit(view: _View) -> _Plan:
    if view.head < view.size:
        return _Plan(False, 1)
    return _Plan(True, 0)


_PLANNERS: dict[str, Callable[[_View], _Plan]] = {
    "Copy": _copy,
    "DuplicatedInput": _duplicated_input,
    "Reverse": _reverse,
    "RepeatCopy": _repeat_copy,
    "ForwardReverse": _forward_reverse,
    "RepeatCopyForward": _repeat_copy_forward,
}
