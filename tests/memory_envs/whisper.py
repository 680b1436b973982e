"""A family of its own, whose state has no field name in common with those of the package.

Two words and an end mark stand on a strip. An ear walks along it, or stays; a mouth says the words
again. Once as many words as steps are left, it has to. Mistakes end nothing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numba import njit

from memory_envs.core.env import MemoryEnv
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
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.view import Output, Tape, View

WORDS, LENGTH, LAST_STEP = 3, 3, 8
END, SILENCE = WORDS, WORDS + 1
ROW = np.dtype([*ROW_FIELDS, ("ear", "i4"), ("mouth", "i4"), ("good", "i4")], align=True)
RESULT = np.dtype([*RESULT_FIELDS, ("success", "?")], align=True)


class WhisperState(NamedTuple):
    """The state of B rows."""

    rows: npt.NDArray[np.void]
    heard: npt.NDArray[np.int16]  # (B, LENGTH)
    said: npt.NDArray[np.int16]  # (B, LENGTH)


@njit
def _advance(rows, heard, said, actions, indices, observations, results, only_show):  # type: ignore[no-untyped-def]
    for i in indices:
        row, result = rows[i], results[i]
        if only_show:
            pass
        elif row.running:
            forced = LAST_STEP - row.steps <= LENGTH - row.mouth
            right = False
            if actions[i, 1] == 1 or forced:
                said[i, row.mouth] = actions[i, 2]
                right = said[i, row.mouth] == heard[i, row.mouth]
                row.mouth += 1
            row.good += right
            row.ear = min(row.ear + actions[i, 0], LENGTH)
            row.steps += 1
            row.running = row.mouth < LENGTH
            result.reward, result.terminated, result.truncated = right, not row.running, False
        else:
            for k in range(LENGTH - 1):
                heard[i, k] = draw(row, WORDS)
            heard[i, LENGTH - 1] = END
            said[i] = SILENCE
            row.ear, row.mouth, row.good, row.steps, row.running = 0, 0, 0, 0, True
        observations[i, 0] = heard[i, row.ear] if row.ear < LENGTH else SILENCE
        result.success = row.good == LENGTH


class WhisperRules:
    """The rules; see `memory_envs.core.rules.Rules`."""

    action_names: tuple[str, ...] = ("walk", "speak", "word")
    action_values: tuple[tuple[str, ...], ...] = (
        ("wait", "on"),
        ("hush", "speak"),
        ("0", "1", "2", "end"),
    )
    result_dtype = RESULT

    def __init__(self) -> None:
        self.action_space = spaces.MultiDiscrete([2, 2, WORDS + 1])
        self.observation_space = spaces.MultiDiscrete([WORDS + 2])

    def new_state(self, num_rows: int) -> WhisperState:
        tapes = (np.full((num_rows, LENGTH), SILENCE, np.int16) for _ in range(2))
        return WhisperState(np.zeros(num_rows, ROW), *tapes)

    def advance(
        self, state: WhisperState, actions: IntArray, indices: Indices, outcome: Outcome
    ) -> KernelCall:
        return KernelCall(_advance, (*state, actions, indices, *outcome, False))

    def observe(self, state: WhisperState, indices: Indices, outcome: Outcome) -> KernelCall:
        actions = np.zeros((len(state.rows), 3), np.int64)
        return KernelCall(_advance, (*state, actions, indices, *outcome, True))

    def target(self, state: WhisperState) -> Array | None:
        return state.heard

    def info(self, results: Sequence[Any], target: Array | None) -> dict[str, Any]:
        return {"success": results[3], "target": target}

    def action_masks(self, state: WhisperState) -> BoolArray:
        masks = np.ones((len(state.rows), 2 + 2 + WORDS + 1), np.bool_)
        masks[:, 2] = LAST_STEP - state.rows["steps"] > LENGTH - state.rows["mouth"]
        return masks

    def check_state(self, state: WhisperState) -> None:
        """Nothing is checked here."""

    def view(self, state: WhisperState, actions: IntArray) -> View:
        rows = state.rows
        length = np.full(len(rows), LENGTH)
        said = np.arange(LENGTH) < rows["mouth"][:, None]
        return View(
            task="Whisper",
            steps=rows["steps"],
            limits=np.full(len(rows), LAST_STEP),
            statuses=np.where(rows["running"], "running", "said"),
            action_names=self.action_names,
            action_values=self.action_values,
            actions=actions,
            symbols=WORDS,
            end_mark=END,
            blank=SILENCE,
            tapes=(Tape("strip", state.heard, length, rows["ear"], 0, move="walk"),),
            output=Output(
                cells=state.said,
                sizes=rows["mouth"],
                wrong=said & (state.said != state.heard),
                target=state.heard,
                target_sizes=length,
                on_error="continue",
                forced_emission=True,
                emit="speak",
                symbol="word",
            ),
        )


class WhisperEnv(MemoryEnv[WhisperState]):
    """One row."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(WhisperRules(), render_mode)


class WhisperVectorEnv(MemoryVectorEnv[WhisperState]):
    """B rows."""

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(WhisperRules(), num_envs, autoreset_mode, render_mode)
