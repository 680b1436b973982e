"""The rules of Gym's algorithmic environments (Zaremba et al. 2016), over arrays of B rows.

Input. A tape, or a grid of `height` rows, of symbols 0 .. base - 1. The read head starts at its top
left corner and moves one cell a step, to any distance; off the input it reads `base`.

A step. The symbol, if one is written, is judged against the next one of the target: +1 if it is
right, -0.5 and the end if it is wrong. Then the head moves. It has no way to stay.

Ends. The whole target written, or a wrong symbol: terminated. A step past the time limit of input +
target + 4 steps: truncated, and it pays -1 whatever was written. The two sums count the input twice
instead of adding the target, so a last carry gets no step of its own (Gym's quirk).

Levels. An episode's input has `min_length` to `min_length` + 2 columns. When a new episode begins,
`min_length` grows by one if the `window` episodes before fell short of the full return by at most
`largest_shortfall` each, until it is 30. An episode that was broken off by a reset counts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from numba import njit

from memory_envs.algorithmic.settings import LENGTHS, TOP_MIN_LENGTH, AlgorithmicSettings
from memory_envs.algorithmic.tasks import source_cell
from memory_envs.core.rng import draw
from memory_envs.core.rules import (
    RESULT_FIELDS,
    ROW_FIELDS,
    Array,
    BoolArray,
    Indices,
    IntArray,
    KernelCall,
    Outcome,
)
from memory_envs.core.state import require, require_ranges
from memory_envs.view import NOTHING, Grid, Output, Tape, View

_SPARE_STEPS = 4

ROW = np.dtype(
    [
        *ROW_FIELDS,
        ("min_length", "i4"),  # the level; 0 until the first episode after seeding
        ("streak", "i4"),  # number of good episodes in a row since the last level-up
        ("width", "i4"),  # columns of the input
        ("target_size", "i4"),
        ("limit", "i4"),  # the last step that is not punished
        ("x", "i4"),  # column of the read head
        ("y", "i4"),  # line of the read head
        ("correct", "i4"),  # right symbols so far, which is also the write head
        ("score", "f8"),  # the episode's return so far
    ],
    align=True,
)

RESULT = np.dtype(
    [
        *RESULT_FIELDS,
        ("success", "?"),  # the whole target was written
        ("complexity", "i4"),  # columns of the input
        ("symbols_correct", "i4"),
        ("target_size", "i4"),
        ("min_length", "i4"),  # the level
    ],
    align=True,
)

PARAMS = np.dtype(
    [
        ("base", "i8"),
        ("height", "i8"),
        ("duplication", "i8"),
        ("passes", "i8"),
        ("backward", "?"),
        ("starting_min_length", "i8"),
        ("window", "i8"),
        ("largest_shortfall", "f8"),
        ("level_up", "?"),
    ],
    align=True,
)


class AlgorithmicState(NamedTuple):
    """The full state of B rows; `base` fills what the input and the target leave free."""

    rows: npt.NDArray[np.void]
    source: npt.NDArray[np.int16]  # (B, columns, height)
    target: npt.NDArray[np.int16]  # (B, symbols)


@njit(cache=True)
def _set_level(p, row):  # type: ignore[no-untyped-def]
    if row.min_length == 0:
        row.min_length = p.starting_min_length
    elif p.level_up and row.min_length < TOP_MIN_LENGTH:
        good = row.target_size - row.score <= p.largest_shortfall
        row.streak = row.streak + 1 if good else 0
        if row.streak == p.window:
            row.min_length += 1
            row.streak = 0


@njit(cache=True)
def _write_source(p, row, source):  # type: ignore[no-untyped-def]
    length = max(row.min_length + draw(row, LENGTHS), p.duplication)
    row.width = length - length % p.duplication
    source[:] = p.base
    for x in range(0, row.width, p.duplication):
        for y in range(p.height):
            source[x : x + p.duplication, y] = draw(row, p.base)


@njit(cache=True)
def _write_target(p, row, source, target):  # type: ignore[no-untyped-def]
    target[:] = p.base
    if p.height == 1:
        row.target_size = row.width * p.passes // p.duplication
        for j in range(row.target_size):
            target[j] = source[source_cell(j, row.width, p.duplication, p.backward), 0]
        return
    carry = 0
    for x in range(row.width):
        total = source[x].sum() + carry
        target[x] = total % p.base
        carry = total // p.base
    row.target_size = row.width
    if carry > 0:
        target[row.width] = carry
        row.target_size += 1


@njit(cache=True)
def _begin_row(p, row, source, target):  # type: ignore[no-untyped-def]
    _set_level(p, row)
    _write_source(p, row, source)
    _write_target(p, row, source, target)
    counted = row.target_size if p.height == 1 else row.width
    row.limit = row.width + counted + _SPARE_STEPS
    row.x, row.y, row.correct, row.score = 0, 0, 0, 0.0
    row.steps, row.running = 0, True


# The step stands in the loop itself: in a function that is called, Numba would count references to
# the arrays at every row.
@njit(cache=True)
def _advance(  # type: ignore[no-untyped-def]
    params, rows, source, target, actions, indices, observations, results, only_show
):
    p = params[0]
    base, height = p.base, p.height
    for i in indices:
        row = rows[i]
        result = results[i]
        if only_show:
            pass
        elif row.running:
            row.steps += 1
            move, symbol, correct = actions[i, 0], actions[i, 2], row.correct
            late = row.steps > row.limit
            writes = (actions[i, 1] == 1) & (not late)
            right = writes & (symbol == target[i, correct])
            wrong = writes & (not right)
            correct += right
            reward = right * 1.0 - wrong * 0.5 - late * 1.0
            ended = wrong | (right & (correct == row.target_size))
            row.x += (move == 1) * 1 - (move == 0) * 1
            row.y += (move == 3) * 1 - (move == 2) * 1
            row.correct = correct
            row.score += reward
            row.running = not (ended | late)
            result.reward, result.terminated, result.truncated = reward, ended, late
        else:
            _begin_row(p, row, source[i], target[i])
        x, y, width = row.x, row.y, row.width
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        symbol = source[i, min(max(x, 0), width - 1), min(max(y, 0), height - 1)]
        observations[i] = symbol if inside else base
        result.success = row.correct == row.target_size
        result.complexity, result.min_length = width, row.min_length
        result.symbols_correct, result.target_size = row.correct, row.target_size


class AlgorithmicRules:
    """The rules of one algorithmic environment; see `Rules` for the methods.

    Args:
        settings: The environment's arguments, checked.
    """

    action_space: spaces.MultiDiscrete
    observation_space: spaces.Discrete
    result_dtype = RESULT

    def __init__(self, settings: AlgorithmicSettings) -> None:
        self.settings = settings
        task = settings.task
        self.action_names, self.action_values = settings.sub_actions()
        self.action_space = spaces.MultiDiscrete([len(values) for values in self.action_values])
        self.observation_space = spaces.Discrete(settings.base + 1)
        self._no_actions = np.zeros((1, len(self.action_names)), np.int64)
        self._params = np.zeros(1, PARAMS)
        for name in ("base", "starting_min_length", "level_up"):
            self._params[name] = getattr(settings, name)
        for name in ("height", "duplication", "passes", "backward", "window", "largest_shortfall"):
            self._params[name] = getattr(task, name)

    def new_state(self, num_rows: int) -> AlgorithmicState:
        task, blank = self.settings.task, self.settings.base
        width = max(self.settings.top_min_length + LENGTHS - 1, task.duplication)
        return AlgorithmicState(
            np.zeros(num_rows, ROW),
            np.full((num_rows, width, task.height), blank, np.int16),
            np.full((num_rows, task.target_cells(width)), blank, np.int16),
        )

    def advance(
        self, state: AlgorithmicState, actions: IntArray, indices: Indices, outcome: Outcome
    ) -> KernelCall:
        return KernelCall(_advance, (self._params, *state, actions, indices, *outcome, False))

    def observe(self, state: AlgorithmicState, indices: Indices, outcome: Outcome) -> KernelCall:
        arrays = (*state, self._no_actions, indices, *outcome)
        return KernelCall(_advance, (self._params, *arrays, True))

    def target(self, state: AlgorithmicState) -> Array | None:
        return state.target

    def info(self, results: Sequence[Any], target: Array | None) -> dict[str, Any]:
        _, _, _, success, complexity, symbols_correct, target_size, min_length = results
        return {
            "success": success,
            "complexity": complexity,
            "symbols_correct": symbols_correct,
            "target_size": target_size,
            "min_length": min_length,
            "target": target,
        }

    def action_masks(self, state: AlgorithmicState) -> BoolArray:
        return np.ones((len(state.rows), int(self.action_space.nvec.sum())), np.bool_)

    def check_state(self, state: AlgorithmicState) -> None:
        rows, settings = state.rows, self.settings
        for name, symbols in (("source", state.source), ("target", state.target)):
            inside = (symbols >= 0) & (symbols <= settings.base)
            require(inside, name, symbols, f"symbols, 0 to {settings.base}")
        started = rows["min_length"] > 0
        ranges = (
            ("min_length", settings.starting_min_length, settings.top_min_length),
            ("streak", 0, settings.task.window - 1),
            ("width", 1, state.source.shape[1]),
            ("target_size", 1, state.target.shape[1]),
            ("limit", 1, state.source.shape[1] + state.target.shape[1] + _SPARE_STEPS),
            ("x", -rows["steps"], rows["steps"]),
            ("y", -rows["steps"], rows["steps"]),
            ("correct", 0, rows["target_size"]),
            ("score", rows["correct"] - 1, rows["correct"]),
            ("steps", 0, rows["limit"] + 1),
        )
        require_ranges(rows, started, ranges)
        stopped, running = ~rows["running"], rows["running"]
        unfinished = (rows["correct"] < rows["target_size"]) & (rows["steps"] <= rows["limit"])
        require(unfinished | stopped, "rows.running", running, "False after the end of an episode")
        keyed = (rows["rng_key"] != 0) | ~started
        require(keyed, "rows.rng_key", rows["rng_key"], "a key after the first reset")
        require(started | stopped, "rows.running", running, "False before the first reset")

    def view(self, state: AlgorithmicState, actions: IntArray) -> View:
        rows, settings = state.rows, self.settings
        facts = [("level", rows["min_length"]), ("return", rows["score"]), ("column", rows["x"])]
        tapes: list[Tape] = []
        grid = None
        if settings.task.height == 1:
            cells, heads = state.source[:, :, 0], rows["x"]
            tapes.append(Tape("input", cells, rows["width"], heads, 0, move="move"))
        else:
            facts.append(("line", rows["y"]))
            heads = np.stack([rows["y"], rows["x"]], axis=1)
            grid = Grid("input", state.source.swapaxes(1, 2), rows["width"], heads)
        ended = ~rows["running"] & (rows["steps"] > 0)
        whole, late = rows["correct"] == rows["target_size"], rows["steps"] > rows["limit"]
        return View(
            task=settings.task.name,
            steps=rows["steps"],
            limits=rows["limit"],
            statuses=np.select(
                [~ended, late, whole], ["running", "time limit", "success"], "wrong symbol"
            ),
            action_names=self.action_names,
            action_values=self.action_values,
            actions=actions,
            facts=tuple(facts),
            symbols=settings.base,
            blank=settings.base,
            tapes=tuple(tapes),
            grid=grid,
            output=self._output(state, actions, ended & ~whole & ~late),
        )

    def _output(self, state: AlgorithmicState, actions: IntArray, failed: BoolArray) -> Output:
        """Describes the output, in which the wrong symbol that ended an episode is the last one.

        Args:
            state: It holds right symbols only.
            actions: The last ones, which say what the wrong symbol was.
            failed: Of shape ``(B,)``, whether an episode was ended by one.
        """
        rows, correct = state.rows, state.rows["correct"]
        emitted = np.arange(state.target.shape[1]) < correct[:, None]
        cells = np.where(emitted, state.target, self.settings.base)
        wrong = np.zeros_like(emitted)
        known = np.flatnonzero(failed & (actions[:, 2] != NOTHING))
        cells[known, correct[known]] = actions[known, 2]
        wrong[known, correct[known]] = True
        return Output(
            cells=cells,
            sizes=correct + wrong.any(axis=1),
            wrong=wrong,
            target=state.target,
            target_sizes=rows["target_size"],
            on_error="terminate",
            forced_emission=False,
            emit="write",
            symbol="symbol",
        )
