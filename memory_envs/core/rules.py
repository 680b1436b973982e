"""What a family gives to the shells: its rules, over arrays of B rows.

The state of a family is a named tuple of arrays whose first dimension is the row. Its first field,
`rows`, is an array of records with at least the fields in `ROW_FIELDS`: whether an episode is under
way, the step count and the row's generator. Positions and counters follow as further fields; what
has a variable size (tapes, grids) lives in further arrays.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from numba.core.errors import NumbaError

from memory_envs.core.rng import RNG_FIELDS
from memory_envs.view import View

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
ActionSpace = spaces.Discrete | spaces.MultiDiscrete

ROW_FIELDS: list[tuple[str, str]] = [
    ("running", "?"),  # whether an episode is under way
    ("steps", "i4"),  # number of steps taken in this episode
    *RNG_FIELDS,
]


# Fields that follow these are what a step and a reset say in their info.
RESULT_FIELDS: list[tuple[str, str]] = [
    ("reward", "f8"),
    ("terminated", "?"),
    ("truncated", "?"),
]


class Outcome(NamedTuple):
    """What a step gives back: arrays that the rules fill, one row per environment."""

    observations: Array
    results: npt.NDArray[np.void]  # records with at least `RESULT_FIELDS`


class KernelCall(NamedTuple):
    """A compiled function and the arrays to call it with; it changes these in place."""

    kernel: Any
    arguments: tuple[Any, ...]

    def run(self) -> None:
        """Makes the call."""
        self.kernel(*self.arguments)

    def bound(self) -> Callable[[], None]:
        """Returns the same call, to be made often with the same arrays.

        It skips Numba's look at the types of the arguments, which for one row takes longer than the
        step itself.
        """
        compiled = self.kernel.compile(tuple(map(numba.typeof, self.arguments)))
        return partial(compiled, *self.arguments)


class State(Protocol):
    """A named tuple of arrays, one row per environment."""

    @property
    def rows(self) -> npt.NDArray[np.void]:
        """Records of shape ``(B,)`` with at least `ROW_FIELDS`."""
        ...

    def _asdict(self) -> dict[str, Array]: ...


StateT = TypeVar("StateT", bound=State)


class Rules(Protocol[StateT]):
    """The rules of one environment, with its arguments bound."""

    @property
    def action_space(self) -> ActionSpace:
        """Actions of one row."""
        ...

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Observations of one row."""
        ...

    @property
    def result_dtype(self) -> np.dtype[np.void]:
        """Type of the records in `Outcome.results`."""
        ...

    @property
    def action_names(self) -> tuple[str, ...]:
        """One name per sub-action, in order."""
        ...

    @property
    def action_values(self) -> tuple[tuple[str, ...], ...]:
        """For each sub-action, the name of each of its values."""
        ...

    def new_state(self, num_rows: int) -> StateT:
        """Returns blank arrays for `num_rows` rows; no episode is under way in any."""
        ...

    def advance(
        self, state: StateT, actions: IntArray, indices: Indices, outcome: Outcome
    ) -> KernelCall:
        """Takes one step in the rows `indices` that are running; begins an episode in the others.

        One function does both, so that a vector environment touches each row once.

        Args:
            state: It is changed in place; `running` is cleared where an episode ends.
            actions: Of shape ``(B, sub-actions)``, valid; ignored where an episode begins.
            indices: The rows, of shape ``(n,)``.
            outcome: These rows are overwritten, the others left alone. Where an episode begins,
                reward, terminated and truncated are left alone too.
        """
        ...

    def observe(self, state: StateT, indices: Indices, outcome: Outcome) -> KernelCall:
        """Writes the present observation and info of the rows `indices`."""
        ...

    def target(self, state: StateT) -> Array | None:
        """Returns what the rows should emit, ``(B, ...)``, a part of `state`; None for nothing."""
        ...

    def info(self, results: Sequence[Any], target: Array | None) -> dict[str, Any]:
        """Returns the info of a step or a reset.

        Args:
            results: The fields of the result: numbers for one row, arrays for all.
            target: A copy of the target, of one row or of all.
        """
        ...

    def action_masks(self, state: StateT) -> BoolArray:
        """Returns allowed values, flat over the sub-actions: ``(B, sum of their sizes)``."""
        ...

    def check_state(self, state: StateT) -> None:
        """Raises ValueError if `state` holds a value that the rules could never produce."""
        ...

    def view(self, state: StateT, actions: IntArray) -> View:
        """Describes all rows; the arrays may be part of `state`.

        Args:
            state: It may never have been reset.
            actions: Of shape ``(B, sub-actions)``, those that led to `state`; `NOTHING` in rows
                where an episode has only begun, or the action is not known.
        """
        ...


def new_outcome(rules: Rules[Any], num_rows: int) -> Outcome:
    """Returns zeros for `num_rows` rows."""
    space = rules.observation_space
    assert space.shape is not None
    observations = np.zeros((num_rows, *space.shape), space.dtype)
    return Outcome(observations, np.zeros(num_rows, rules.result_dtype))


def try_to_begin(rules: Rules[Any], task: str) -> None:
    """Compiles a user's task by beginning an episode, so that a constructor says what is wrong.

    Args:
        rules: The rules, whose constructor is all but done.
        task: The task's name.

    Raises:
        ValueError: If Numba cannot compile it.
    """
    no_actions = np.zeros((1, len(rules.action_names)), np.int64)
    try:
        first_row = np.zeros(1, np.intp)
        rules.advance(rules.new_state(1), no_actions, first_row, new_outcome(rules, 1)).run()
    except NumbaError as error:
        raise ValueError(f"task {task!r} cannot be compiled by Numba: {error}") from error
