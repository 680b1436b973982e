"""The oracle of the algorithmic family: an honest reader.

It writes a symbol where a player with a perfect memory first knows it: at the cell that the symbol
comes from, for Reverse after the blank behind the input has been seen, for a sum when every digit
of the column has been seen. The head has no way to stay, so where the next symbol comes from the
same cell it steps off the cell and back.

It is optimal from every state, also after any play before it, because it stops being honest when
time runs short: once as many symbols as steps remain, it writes the next one wherever the head is.
"""

import numpy as np

from memory_envs.algorithmic.rules import AlgorithmicRules, AlgorithmicState
from memory_envs.algorithmic.tasks import AlgorithmicTask, source_cell
from memory_envs.core.rules import IntArray

_LEFT, _RIGHT, _UP, _DOWN = range(4)


def best_action(rules: AlgorithmicRules, state: AlgorithmicState, row: int) -> IntArray:
    """Returns the sub-actions of optimal play in one row, whose episode is under way."""
    task, record = rules.settings.task, state.rows[row]
    x, y, width = int(record["x"]), int(record["y"]), int(record["width"])
    symbol, steps = int(record["correct"]), int(record["steps"])
    symbols_left, steps_left = _left(state, row)
    here = (x, y) == _reading_cell(task, symbol, width, steps, (x, y))
    write = here or steps_left <= symbols_left
    following = symbol + write
    goal_x, goal_y = _reading_cell(task, following, width, steps, (x, y))
    if goal_x != x:
        move = _RIGHT if goal_x > x else _LEFT
    elif goal_y != y:
        move = _DOWN if goal_y > y else _UP
    else:  # it turns round, by way of the blank behind the input or the one before it
        move = _RIGHT if following == width else _LEFT
    return np.array([move, write, state.target[row, symbol]], np.int64)


def optimal_return(rules: AlgorithmicRules, state: AlgorithmicState, row: int) -> float:
    """Returns what optimal play still gets in one row, whose episode is under way.

    Each remaining symbol pays 1. If there are more symbols than steps, every step pays but the one
    past the limit, which costs 1: still better than to end the episode with a wrong symbol.
    """
    symbols_left, steps_left = _left(state, row)
    return float(symbols_left if symbols_left <= steps_left else steps_left - 1)


def _left(state: AlgorithmicState, row: int) -> tuple[int, int]:
    """Symbols and unpunished steps that remain."""
    record = state.rows[row]
    symbols = int(record["target_size"]) - int(record["correct"])
    return symbols, int(record["limit"]) - int(record["steps"])


def _reading_cell(
    task: AlgorithmicTask, symbol: int, width: int, steps: int, head: tuple[int, int]
) -> tuple[int, int]:
    """Returns where a reader, at `head` after `steps` steps, gets to know a target symbol."""
    if task.height > 1:
        # It goes down one column and up the next; the last carry is known at once.
        bottom = symbol % 2 == 0
        return (symbol, task.height - 1 if bottom else 0) if symbol < width else head
    if task.backward and symbol == 0 and steps < width:
        return width, 0
    return source_cell(symbol, width, task.duplication, task.backward), 0
