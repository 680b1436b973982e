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

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from memory_envs.core.levels import UNIFORM_LEVELS
from memory_envs.core.rules import (
    Array,
    BoolArray,
    Indices,
    IntArray,
    KernelCall,
    Outcome,
    try_to_begin,
)
from memory_envs.core.state import require, require_ranges
from memory_envs.tape.kernels import compile_advance
from memory_envs.tape.layout import PARAMS, RESULT, ROW, TapeState
from memory_envs.tape.settings import TapeSettings
from memory_envs.tape.tasks import TASKS
from memory_envs.view import NOTHING, Output, Tape, View


class TapeRules:
    """The rules of one tape environment; see `Rules` for the methods.

    Args:
        settings: The environment's arguments, checked.
    """

    action_space: spaces.MultiDiscrete
    observation_space: spaces.MultiDiscrete
    result_dtype = RESULT

    def __init__(self, settings: TapeSettings) -> None:
        self.settings = settings
        task, symbols = settings.task, settings.symbols
        self.action_names, self.action_values = settings.sub_actions()
        self.action_space = spaces.MultiDiscrete([len(values) for values in self.action_values])
        self.observation_space = spaces.MultiDiscrete([symbols + 2] * settings.window_cells())
        self._params = np.zeros(1, PARAMS)
        for name in ("symbols", "input_radius"):
            self._params[name] = getattr(settings, name)
        self._params["lowest"], self._params["highest"] = settings.levels()
        self._lengths = settings.lengths_by_level()
        for name in ("wrong_reward", "timeout_reward", "forced_emission"):
            self._params[name] = getattr(settings, name)
        self._params["max_steps"] = settings.max_steps or 0
        self._params["memory_window"] = settings.memory_window if task.memory else 0
        self._params["terminate_on_error"] = settings.on_error == "terminate"
        curriculum = settings.curriculum
        self._levels = UNIFORM_LEVELS if curriculum is None else curriculum.levels
        self._no_actions = np.zeros((1, len(self.action_names)), np.int64)
        self._advance = compile_advance(task)
        if task not in TASKS.values():
            try_to_begin(self, settings.task.name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_advance": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._advance = compile_advance(self.settings.task)

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

    def advance(
        self, state: TapeState, actions: IntArray, indices: Indices, outcome: Outcome
    ) -> KernelCall:
        arrays = (*state, actions, indices, *outcome)
        return KernelCall(self._advance, (*self._constants, *arrays, False))

    @property
    def _constants(self) -> tuple[Array, ...]:
        """What the compiled function takes beside the state."""
        return self._params, self._levels, self._lengths

    def observe(self, state: TapeState, indices: Indices, outcome: Outcome) -> KernelCall:
        arrays = (*state, self._no_actions, indices, *outcome)
        return KernelCall(self._advance, (*self._constants, *arrays, True))

    def target(self, state: TapeState) -> Array | None:
        return state.target

    def info(self, results: Sequence[Any], target: Array | None) -> dict[str, Any]:
        _, _, _, success, complexity, symbols_correct, target_size = results
        return {
            "success": success,
            "complexity": complexity,
            "symbols_correct": symbols_correct,
            "target_size": target_size,
            "target": target,
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
        rows, blank = state.rows, self.settings.symbols + 1
        for name, tape in state._asdict().items():
            if name != "rows":
                require((tape >= 0) & (tape <= blank), name, tape, f"symbols, 0 to {blank}")
        started = rows["rng_key"] != 0
        ranges = (
            ("length", self.settings.min_length, self.settings.max_length),
            ("level", *self.settings.all_levels),
            ("source_size", 1, state.source.shape[1]),
            ("target_size", 1, state.target.shape[1]),
            ("limit", 1, np.iinfo(np.int32).max),
            ("input_head", -1, rows["source_size"]),
            ("memory_head", 0, max(state.memory.shape[1] - 1, 0)),
            ("emitted", 0, rows["target_size"]),
            ("correct", 0, rows["emitted"]),
            ("steps", 0, rows["limit"]),
        )
        require_ranges(rows, started, ranges)
        stopped, running = ~rows["running"], rows["running"]
        for name, end in (("emitted", "target_size"), ("steps", "limit")):
            below = rows[name] < rows[end]
            require(below | stopped, f"rows.{name}", rows[name], f"below {end} in an episode")
        require(started | stopped, "rows.running", running, "False before the first reset")

    def view(self, state: TapeState, actions: IntArray) -> View:
        rows, settings = state.rows, self.settings
        tapes = [
            Tape(
                "input",
                state.source,
                rows["source_size"],
                rows["input_head"],
                settings.input_radius,
                move="input_move",
            )
        ]
        if settings.task.memory:
            tapes.append(self._memory_tape(state, actions))
        emitted = np.arange(state.output.shape[1]) < rows["emitted"][:, None]
        output = Output(
            cells=state.output,
            sizes=rows["emitted"],
            wrong=emitted & (state.output != state.target),
            target=state.target,
            target_sizes=rows["target_size"],
            on_error=settings.on_error,
            forced_emission=settings.forced_emission,
            emit="emit",
            symbol="symbol",
        )
        mistakes, whole = rows["correct"] < rows["emitted"], rows["emitted"] == rows["target_size"]
        statuses = np.select(
            [
                rows["running"],
                whole & ~mistakes,
                mistakes & (settings.on_error == "terminate"),
                whole,
            ],
            ["running", "success", "wrong symbol", "ended with mistakes"],
            "time limit",
        )
        return View(
            task=settings.task.name,
            steps=rows["steps"],
            limits=rows["limit"],
            statuses=statuses,
            action_names=self.action_names,
            action_values=self.action_values,
            actions=actions,
            symbols=settings.symbols,
            end_mark=settings.symbols,
            blank=settings.symbols + 1,
            tapes=tuple(tapes),
            output=output,
        )

    def _memory_tape(self, state: TapeState, actions: IntArray) -> Tape:
        heads, cells = state.rows["memory_head"], state.memory.shape[1]
        moves, symbols = (
            actions[:, self.action_names.index(name)] for name in ("memory_move", "memory_write")
        )
        # The head wrote before it moved.
        wrote = np.flatnonzero((symbols != NOTHING) & (symbols <= self.settings.symbols))
        written = np.zeros_like(state.memory, np.bool_)
        written[wrote, (heads - (moves - 1))[wrote] % cells] = True
        return Tape(
            "memory",
            state.memory,
            np.full(len(heads), cells),
            heads,
            self.settings.memory_radius,
            circular=True,
            written=written,
            move="memory_move",
            write="memory_write",
        )
