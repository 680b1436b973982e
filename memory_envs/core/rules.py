"""What a family gives to the shells: its rules, over arrays of B rows.

The state of a family is a named tuple of arrays whose first dimension is the row. Its first field,
`rows`, is an array of records with at least the fields in `ROW_FIELDS`: whether an episode is under
way, the step count and the row's generator. Positions and counters follow as further fields; what
has a variable size (tapes, grids) lives in further arrays.
"""

from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.core.rng import RNG_FIELDS

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
ActionSpace = spaces.Discrete | spaces.MultiDiscrete

ROW_FIELDS: list[tuple[str, str]] = [
    ("running", "?"),  # an episode is under way: false before the first reset and after the end
    ("steps", "i4"),  # taken in this episode
    *RNG_FIELDS,
]


class Outcome(NamedTuple):
    """What a step gives back: arrays that the rules fill, one row per environment."""

    observations: Array
    rewards: npt.NDArray[np.float64]
    terminated: BoolArray
    truncated: BoolArray


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
        """Of one row."""
        ...

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Of one row."""
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
        """Blank arrays for `num_rows` rows; no episode is under way in any."""
        ...

    def begin(self, state: StateT, mask: BoolArray) -> None:
        """Draw a new episode in the rows of `mask`; sets `running`, clears `steps`."""
        ...

    def step(self, state: StateT, actions: IntArray, active: BoolArray, outcome: Outcome) -> None:
        """Take one step in the rows of `active`; clears `running` where an episode ends.

        Args:
            state: changed in place.
            actions: ``(B, sub-actions)``, valid.
            active: ``(B,)``.
            outcome: the rows of `active` are overwritten, the others left alone.
        """
        ...

    def observe(self, state: StateT, mask: BoolArray, observations: Array) -> None:
        """Write the present observation of the rows of `mask` into `observations`."""
        ...

    def info(self, state: StateT) -> dict[str, Array]:
        """Fresh arrays of shape ``(B, ...)``; the same keys at every step and reset."""
        ...

    def action_masks(self, state: StateT) -> BoolArray:
        """Allowed values, flat over the sub-actions: ``(B, sum of their sizes)``."""
        ...

    def check_state(self, state: StateT) -> None:
        """Raise ValueError if `state` holds a value that the rules could never produce."""
        ...

    def render_text(self, state: StateT, row: int, action: IntArray | None) -> str:
        """The row as text, with the last action."""
        ...

    def render_image(
        self, state: StateT, row: int, action: IntArray | None
    ) -> npt.NDArray[np.uint8]:
        """The row as an image of shape ``(height, width, 3)``."""
        ...
