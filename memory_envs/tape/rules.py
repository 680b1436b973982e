"""The rules of the tape family (Zaremba & Sutskever 2015, section 2), over arrays of B rows.

Tapes. The input is a string closed by the end mark; a head reads it, and reads blank off it, one
cell beyond either end at most. The memory, where the task has one, is circular and blank at first.
The output is write-only. With K content symbols, K is the end mark and K + 1 blank.

A step. The emission is judged, the memory cell is written, the heads move, the observation is
taken. A right symbol pays +1, a wrong one `wrong_reward`; a wrong one also ends the episode, or
with on_error="continue" moves on to the next target symbol.

Ends. The whole target emitted, or a wrong symbol: terminated. The time limit, otherwise: truncated,
which pays `timeout_reward`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from numba import njit
from numba.core.errors import NumbaError

from memory_envs.core.levels import uniform_levels
from memory_envs.core.rules import ROW_FIELDS, Array, BoolArray, IntArray, Outcome
from memory_envs.core.state import require
from memory_envs.curriculum import Curriculum
from memory_envs.tape.render import render_image, render_text
from memory_envs.tape.settings import TapeSettings
from memory_envs.tape.tasks import TASKS, compile_begin

ROW = np.dtype(
    [
        *ROW_FIELDS,
        ("length", "i4"),  # the level: the length that the task was sampled with
        ("source_size", "i4"),  # cells of the input, end mark included
        ("target_size", "i4"),  # symbols of the target, end mark included
        ("limit", "i4"),  # of steps
        ("input_head", "i4"),
        ("memory_head", "i4"),
        ("emitted", "i4"),  # symbols so far, which is also the output head
        ("correct", "i4"),  # of them
        ("success", "?"),  # the whole target was emitted without a mistake
    ],
    align=True,
)

PARAMS = np.dtype(
    [
        ("symbols", "i8"),
        ("input_radius", "i8"),
        ("memory_radius", "i8"),
        ("max_steps", "i8"),  # 0: from the oracle's steps
        ("wrong_reward", "f8"),
        ("timeout_reward", "f8"),
        ("memory", "?"),
        ("forward_only", "?"),
        ("terminate_on_error", "?"),
        ("forced_emission", "?"),
    ],
    align=True,
)


class TapeState(NamedTuple):
    """The full state of B rows; tapes hold symbols, ``(B, cells)``."""

    rows: npt.NDArray[np.void]
    source: npt.NDArray[np.int16]
    target: npt.NDArray[np.int16]
    output: npt.NDArray[np.int16]
    memory: npt.NDArray[np.int16]


# Fields are copied to local variables where they are read more than once: the compiler must assume
# that a write to a tape changes a field.


@njit(cache=True, inline="always")
def _observe_input(blank, radius, row, i, source, observations):  # type: ignore[no-untyped-def]
    head, size = row.input_head, row.source_size
    for k in range(2 * radius + 1):
        cell = head - radius + k
        observations[i, k] = source[i, cell] if 0 <= cell < size else blank


@njit(cache=True, inline="always")
def _observe_memory(first, radius, row, i, memory, observations):  # type: ignore[no-untyped-def]
    head, size = row.memory_head, memory.shape[1]
    for k in range(2 * radius + 1):
        observations[i, first + k] = memory[i, (head - radius + k) % size]


@njit(cache=True)
def _observe(params, rows, source, memory, mask, observations):  # type: ignore[no-untyped-def]
    p = params[0]
    blank, has_memory = p.symbols + 1, p.memory
    input_radius, memory_radius = p.input_radius, p.memory_radius
    for i in range(rows.shape[0]):
        if mask[i]:
            _observe_input(blank, input_radius, rows[i], i, source, observations)
            if has_memory:
                first = 2 * input_radius + 1
                _observe_memory(first, memory_radius, rows[i], i, memory, observations)


@njit(cache=True)
def _step(  # type: ignore[no-untyped-def]
    params,
    rows,
    source,
    target,
    output,
    memory,
    actions,
    active,
    observations,
    rewards,
    terminated,
    truncated,
):
    p = params[0]
    symbols, has_memory, forward_only = p.symbols, p.memory, p.forward_only
    wrong_reward, timeout_reward = p.wrong_reward, p.timeout_reward
    forced_emission, terminate_on_error = p.forced_emission, p.terminate_on_error
    emit_column, blank = (3 if has_memory else 1), symbols + 1
    for i in range(rows.shape[0]):
        if not active[i]:
            continue
        row = rows[i]
        emitted, goal, steps_left = row.emitted, row.target_size, row.limit - row.steps
        # Selections rather than branches: whether an agent emits is hard to predict.
        forced = forced_emission and steps_left <= goal - emitted
        emits = actions[i, emit_column] == 1 or forced
        symbol = actions[i, emit_column + 1]
        right = emits and symbol == target[i, emitted]
        wrong = emits and not right
        output[i, emitted] = symbol if emits else blank
        emitted += emits
        correct = row.correct + right
        ended = emitted == goal or (wrong and terminate_on_error)
        late = steps_left == 1 and not ended
        row.emitted, row.correct, row.success = emitted, correct, correct == goal
        if has_memory:
            if actions[i, 2] <= symbols:  # symbols + 1 leaves the cell as it is
                memory[i, row.memory_head] = actions[i, 2]
            size = memory.shape[1]
            row.memory_head = (row.memory_head + actions[i, 1] - 1 + size) % size
        move = actions[i, 0] if forward_only else actions[i, 0] - 1
        row.input_head = min(max(row.input_head + move, -1), row.source_size)
        row.steps += 1
        row.running = not (ended or late)
        rewards[i] = right * 1.0 + wrong * wrong_reward + late * timeout_reward
        terminated[i], truncated[i] = ended, late
        _observe_input(blank, p.input_radius, row, i, source, observations)
        if has_memory:
            _observe_memory(2 * p.input_radius + 1, p.memory_radius, row, i, memory, observations)


class TapeRules:
    """The rules of one tape environment; see `Rules` for the methods.

    Args:
        settings: the environment's arguments, checked.
        curriculum: where the lengths come from; without one they are uniform.
    """

    action_space: spaces.MultiDiscrete
    observation_space: spaces.MultiDiscrete

    def __init__(self, settings: TapeSettings, curriculum: Curriculum | None) -> None:
        self.settings = settings
        self.curriculum = curriculum
        task, symbols = settings.task, settings.symbols
        self.action_names, self.action_values = settings.sub_actions()
        self.action_space = spaces.MultiDiscrete([len(values) for values in self.action_values])
        self.observation_space = spaces.MultiDiscrete([symbols + 2] * settings.window_cells())
        self._params = np.zeros(1, PARAMS)
        for name in ("symbols", "input_radius", "memory_radius", "forced_emission"):
            self._params[name] = getattr(settings, name)
        for name in ("wrong_reward", "timeout_reward"):
            self._params[name] = getattr(settings, name)
        self._params["max_steps"] = settings.max_steps or 0
        self._params["memory"] = task.memory
        self._params["forward_only"] = task.forward_only
        self._params["terminate_on_error"] = settings.on_error == "terminate"
        self._levels = uniform_levels(settings.min_length, settings.max_length)
        self._begin = compile_begin(task)
        if task not in TASKS.values():
            self._try_to_begin()

    def _try_to_begin(self) -> None:
        """Compile a user's task now, so that what is wrong with it is said by the constructor."""
        try:
            self.begin(self.new_state(1), np.ones(1, np.bool_))
        except NumbaError as error:
            name = self.settings.task.name
            raise ValueError(f"task {name!r} cannot be compiled by Numba: {error}") from error

    def new_state(self, num_rows: int) -> TapeState:
        source, target, memory = self.settings.tape_cells()
        blank = self.settings.symbols + 1
        return TapeState(
            np.zeros(num_rows, ROW),
            np.full((num_rows, source), blank, np.int16),
            np.full((num_rows, target), blank, np.int16),
            np.full((num_rows, target), blank, np.int16),
            np.full((num_rows, memory), blank, np.int16),
        )

    def begin(self, state: TapeState, mask: BoolArray) -> None:
        levels = self._levels
        if self.curriculum is not None:
            low, high = self.settings.min_length, self.settings.max_length
            levels = self.curriculum.distribution(low, high)
        self._begin(self._params, levels, *state, mask)

    def step(
        self, state: TapeState, actions: IntArray, active: BoolArray, outcome: Outcome
    ) -> None:
        _step(self._params, *state, actions, active, *outcome)

    def observe(self, state: TapeState, mask: BoolArray, observations: Array) -> None:
        _observe(self._params, state.rows, state.source, state.memory, mask, observations)

    def info(self, state: TapeState) -> dict[str, Array]:
        rows = state.rows
        return {
            "success": rows["success"].copy(),
            "complexity": rows["length"].copy(),
            "symbols_correct": rows["correct"].copy(),
            "target_size": rows["target_size"].copy(),
            "target": state.target.copy(),
        }

    def action_masks(self, state: TapeState) -> BoolArray:
        rows = state.rows
        masks = np.ones((len(rows), int(self.action_space.nvec.sum())), np.bool_)
        if self.settings.forced_emission:
            must = rows["limit"] - rows["steps"] <= rows["target_size"] - rows["emitted"]
            silent = int(self.action_space.nvec[: self.action_names.index("emit")].sum())
            masks[:, silent] = ~must
        return masks

    def check_state(self, state: TapeState) -> None:
        rows, symbols = state.rows, self.settings.symbols
        for name, tape in state._asdict().items():
            if name != "rows":
                require((tape >= 0) & (tape <= symbols + 1), name, f"in [0, {symbols + 1}]")
        width, goal = state.source.shape[1], state.target.shape[1]
        started = rows["rng_key"] != 0
        for name, low, high in (
            ("source_size", 1, width),
            ("target_size", 1, goal),
            ("limit", 1, np.iinfo(np.int32).max),
            ("input_head", -1, rows["source_size"]),
            ("memory_head", 0, max(state.memory.shape[1] - 1, 0)),
            ("emitted", 0, rows["target_size"]),
            ("correct", 0, rows["emitted"]),
            ("steps", 0, rows["limit"]),
        ):
            inside = (rows[name] >= low) & (rows[name] <= high)
            require(inside | ~started, f"rows.{name}", f"in [{low}, {high}]")
            require((rows[name] == 0) | started, f"rows.{name}", "0 before the first reset")
        require((rows["emitted"] < rows["target_size"]) | ~rows["running"], "rows.emitted", "less")
        require((rows["steps"] < rows["limit"]) | ~rows["running"], "rows.steps", "less")
        require(started | ~rows["running"], "rows.running", "false before the first reset")

    def render_text(self, state: TapeState, row: int, action: IntArray | None) -> str:
        return render_text(self.settings, state, row, action)

    def render_image(
        self, state: TapeState, row: int, action: IntArray | None
    ) -> npt.NDArray[np.uint8]:
        return render_image(self.settings, state, row, action)
