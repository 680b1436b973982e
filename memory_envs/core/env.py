"""The scalar shell: a Gymnasium environment over one row of a family's rules."""

import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded

from memory_envs.arguments import check_choice
from memory_envs.core.actions import ActionChecker
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import Array, BoolArray, Rules, StateT, new_outcome
from memory_envs.core.seeding import check_options, check_seed, fresh_seed
from memory_envs.core.state import copy_state, overwrite_state
from memory_envs.view import NOTHING, View

if TYPE_CHECKING:  # imported when a window opens: it needs pygame
    from memory_envs.rendering.window import Window


class _Bound(NamedTuple):
    """What a step uses, found once: to find it takes longer than to use it."""

    advance: Callable[[], None]
    running: BoolArray
    key: Callable[[], int]
    act: Callable[..., None]  # takes the sub-actions
    observe: Callable[[], Any]
    results: Callable[[], Any]  # a tuple: reward, terminated, truncated, info
    target: Callable[[], Array | None]


class MemoryEnv(gym.Env[Any, Any], Generic[StateT]):
    """One environment of a family, which is known here only through its rules.

    Attributes:
        rules: The family's rules with this environment's arguments bound.
        action_names: One name per sub-action.
    """

    metadata: dict[str, Any] = {  # Gymnasium declares it as an instance variable
        "render_modes": ["ansi", "rgb_array", "human"],
        "render_fps": 4,
    }

    def __init__(self, rules: Rules[StateT], render_mode: str | None = None) -> None:
        if render_mode is not None:
            check_choice("render_mode", render_mode, self.metadata["render_modes"])
        self.rules = rules
        self.render_mode = render_mode
        self.action_space = rules.action_space
        self.observation_space = rules.observation_space
        self.action_names = rules.action_names
        self._check = ActionChecker(rules.action_space, 1)
        self._state = rules.new_state(1)
        self._actions = np.zeros((1, len(rules.action_names)), np.int64)
        self._outcome = new_outcome(rules, 1)
        self._acted = False  # whether `_actions` belongs to the present episode
        self._bound: _Bound | None = None
        self._window: Window | None = None

    def _bind(self) -> "_Bound":
        """Compiles the rules, or loads them, when they are first needed."""
        rows, outcome = self._state.rows, self._outcome
        indices = np.zeros(1, np.intp)
        write = struct.Struct(f"{self._actions.size}q").pack_into
        observations, target = outcome.observations, self.rules.target(self._state)
        self._bound = _Bound(
            self.rules.advance(self._state, self._actions, indices, outcome).bound(),
            rows["running"],
            rows["rng_key"].item,
            partial(write, self._actions.data.cast("B"), 0),
            observations.item if observations.ndim == 1 else observations[0].copy,
            outcome.results.item,
            (lambda: None) if target is None else target[0].copy,
        )
        return self._bound

    def __getstate__(self) -> dict[str, Any]:
        # A copy has arrays and a window of its own.
        return {**self.__dict__, "_bound": None, "_window": None}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: A non-negative integer; keys the generator and returns the row to its first
                state. Without one the generator goes on; the first time, it is keyed at random.
            options: None, or an empty dict.

        Returns:
            The first observation and the info.

        Raises:
            TypeError, ValueError: For a bad seed or an unknown option.
        """
        if options is not None:
            check_options(options, ())
        if seed is not None:
            seed = check_seed(seed)
            super().reset(seed=seed)
        bound = self._bound or self._bind()
        before = None
        if seed is not None or bound.key() == 0:
            before = self._state.rows.copy()
            seed = fresh_seed(self.np_random) if seed is None else seed
            seed_rows(self._state.rows, [0], [seed])
        bound.running[0] = self._acted = False
        try:
            bound.advance()
        except Exception:  # a user's task may raise anything
            if before is not None:
                self._state.rows[:] = before
            raise
        if self.render_mode == "human":
            self._show()
        return bound.observe(), self.rules.info(bound.results(), bound.target())

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Takes one step.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            InvalidAction: For anything outside the action space.
            ResetNeeded: Before the first reset and after the end of an episode.
        """
        values = self._check.one(action)
        bound = self._bound or self._bind()
        if not bound.running[0]:
            raise ResetNeeded("no episode is under way: call reset() before step()")
        bound.act(*values)
        self._acted = True
        bound.advance()
        if self.render_mode == "human":
            self._show()
        results = bound.results()
        info = self.rules.info(results, bound.target())
        return bound.observe(), results[0], results[1], results[2], info

    def action_masks(self) -> BoolArray:
        """Returns allowed values, flat over the sub-actions, as sb3-contrib's agents expect."""
        masks: BoolArray = self.rules.action_masks(self._state)[0]
        return masks

    def get_state(self) -> StateT:
        """Returns a copy of the full state, generator included."""
        return copy_state(self._state)

    def set_state(self, state: StateT) -> None:
        """Returns to a state that `get_state` gave, of this or of an equal environment.

        Raises:
            TypeError, ValueError: For anything else; the present state is kept.
        """
        overwrite_state(self.rules, self._state, state)
        self._acted = False

    def view(self) -> View:
        """Returns a description of the present state, of one row; see `memory_envs.view`."""
        actions = self._actions if self._acted else np.full_like(self._actions, NOTHING)
        return self.rules.view(self.get_state(), actions.copy())

    def render(self) -> Any:
        """Returns text for "ansi" or an image for "rgb_array"; opens a window for "human".

        Raises:
            ResetNeeded: Before the first reset.
        """
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode: pass one to gym.make")
            return None
        if self._state.rows["rng_key"][0] == 0:
            raise ResetNeeded("nothing to render: call reset() before render()")
        if self.render_mode == "human":
            return self._show()
        from memory_envs.rendering import render_image, render_text

        draw = render_text if self.render_mode == "ansi" else render_image
        return draw(self.view(), 0)

    def close(self) -> None:
        """Closes the window, if one is open."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _show(self) -> None:
        from memory_envs.rendering import render_image
        from memory_envs.rendering.window import Window

        if self._window is None:
            self._window = Window(self.metadata["render_fps"])
        self._window.show(render_image(self.view(), 0))
