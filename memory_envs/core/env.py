"""The scalar shell: a Gymnasium environment over one row of a family's rules."""

from typing import Any, Generic

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from memory_envs.arguments import check_choice
from memory_envs.core.actions import ActionChecker
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import Array, BoolArray, Outcome, Rules, StateT
from memory_envs.core.seeding import check_options, check_seed, fresh_seed
from memory_envs.core.state import copy_state, overwrite_state

_ALL = np.ones(1, np.bool_)


class MemoryEnv(gym.Env[Any, Any], Generic[StateT]):
    """One environment of a family, which is known here only through its rules.

    Attributes:
        rules: the family's rules with this environment's arguments bound.
        action_names: one name per sub-action.
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
        self._outcome = new_outcome(rules.observation_space, 1)
        self._acted = False  # whether `_actions` belongs to the present episode
        self._window: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: a non-negative integer; keys the generator and returns the row to its first
                state. Without one the generator goes on; the first time, it is keyed at random.
            options: none are known.

        Returns:
            The first observation and the info.

        Raises:
            TypeError, ValueError: for a bad seed or an unknown option.
        """
        check_options(options, ())
        if seed is not None:
            seed = check_seed(seed)
        super().reset(seed=seed)
        rows = self._state.rows
        if seed is not None or rows["rng_key"][0] == 0:
            seed_rows(rows, [0], [fresh_seed(self.np_random) if seed is None else seed])
        self._acted = False
        self.rules.begin(self._state, _ALL)
        observations = self._outcome.observations
        self.rules.observe(self._state, _ALL, observations)
        if self.render_mode == "human":
            self._show()
        return observations[0].copy(), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            InvalidAction: for anything outside the action space.
            ResetNeeded: before the first reset and after the end of an episode.
        """
        values = self._check.one(action)
        if not self._state.rows["running"][0]:
            raise ResetNeeded("no episode is under way: call reset() before step()")
        self._actions[0] = values
        self._acted = True
        self.rules.step(self._state, self._actions, _ALL, self._outcome)
        if self.render_mode == "human":
            self._show()
        observations, rewards, terminated, truncated = self._outcome
        return (
            observations[0].copy(),
            rewards.item(),
            terminated.item(),
            truncated.item(),
            self._info(),
        )

    def action_masks(self) -> BoolArray:
        """Allowed values, flat over the sub-actions, as sb3-contrib's maskable agents expect."""
        masks: BoolArray = self.rules.action_masks(self._state)[0]
        return masks

    def get_state(self) -> StateT:
        """A copy of the full state, generator included."""
        return copy_state(self._state)

    def set_state(self, state: StateT) -> None:
        """Return to a state that `get_state` gave, of this or of an equal environment.

        Raises:
            TypeError, ValueError: for anything else; the present state is kept.
        """
        overwrite_state(self.rules, self._state, state)
        self._acted = False

    def render(self) -> Any:
        """Text for "ansi", an image (height, width, 3) for "rgb_array", a window for "human".

        Raises:
            ResetNeeded: before the first reset.
        """
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode: pass one to gym.make")
            return None
        if self._state.rows["rng_key"][0] == 0:
            raise ResetNeeded("nothing to render: call reset() before render()")
        action = self._actions[0] if self._acted else None
        if self.render_mode == "ansi":
            return self.rules.render_text(self._state, 0, action)
        if self.render_mode == "rgb_array":
            return self.rules.render_image(self._state, 0, action)
        return self._show()

    def close(self) -> None:
        """Close the window, if one is open."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _info(self) -> dict[str, Array]:
        return {name: values[0] for name, values in self.rules.info(self._state).items()}

    def _show(self) -> None:
        from memory_envs.core.window import Window

        if self._window is None:
            self._window = Window(self.metadata["render_fps"])
        action = self._actions[0] if self._acted else None
        self._window.show(self.rules.render_image(self._state, 0, action))


def new_outcome(space: spaces.Space[Any], num_rows: int) -> Outcome:
    """Zeros for `num_rows` rows whose observations lie in `space`."""
    assert space.shape is not None
    return Outcome(
        np.zeros((num_rows, *space.shape), space.dtype),
        np.zeros(num_rows, np.float64),
        np.zeros(num_rows, np.bool_),
        np.zeros(num_rows, np.bool_),
    )
