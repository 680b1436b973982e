"""The vector shell: a Gymnasium vector environment over B rows of a family's rules."""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from memory_envs.arguments import check_choice, check_integer, shown
from memory_envs.core.actions import ActionChecker
from memory_envs.core.env import MemoryEnv
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import (
    RESULT_FIELDS,
    Array,
    BoolArray,
    Indices,
    IntArray,
    Outcome,
    Rules,
    StateT,
    new_outcome,
)
from memory_envs.core.seeding import check_options, fresh_seed, row_seeds
from memory_envs.core.state import copy_state, overwrite_state
from memory_envs.view import NOTHING, View

_MAX_ROWS = 2**24


class MemoryVectorEnv(VectorEnv[Array, Any, Array], Generic[StateT]):
    """B environments of a family, stepped by one call of its compiled rules.

    Row i, reset with seed s, goes through exactly what the scalar environment goes through that is
    reset with seed s + i and again after each episode.

    `infos` holds arrays with one row per environment and, as Gymnasium has it, a mask `_key` beside
    each key. In SAME_STEP mode, `final_obs` and `final_info` are there at the steps at which an
    episode ended, with the masks `_final_obs` and `_final_info`; they too are plain arrays, and
    only the rows of the mask mean anything.

    Args:
        rules: The family's rules.
        num_envs: Number of rows.
        autoreset_mode: NEXT_STEP (Gymnasium's default), SAME_STEP, or DISABLED.
        render_mode: Either "ansi" or "rgb_array"; `render` then gives one item per row.
    """

    metadata: dict[str, Any]
    _render_modes: ClassVar[tuple[str, ...]] = ("ansi", "rgb_array")

    def __init__(
        self,
        rules: Rules[StateT],
        num_envs: int,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self.num_envs = check_integer("num_envs", num_envs, 1, _MAX_ROWS)
        if not isinstance(autoreset_mode, AutoresetMode):
            names = [mode.value for mode in AutoresetMode]
            autoreset_mode = AutoresetMode(check_choice("autoreset_mode", autoreset_mode, names))
        if render_mode is not None:
            check_choice("render_mode", render_mode, self._render_modes)
        self.rules = rules
        self.autoreset_mode = autoreset_mode
        self.render_mode = render_mode
        self.metadata = {**MemoryEnv.metadata, "autoreset_mode": autoreset_mode}
        self.metadata["render_modes"] = list(self._render_modes)
        self.action_names = rules.action_names
        self.single_action_space = rules.action_space
        self.single_observation_space = rules.observation_space
        self.action_space = batch_space(rules.action_space, num_envs)
        self.observation_space = batch_space(rules.observation_space, num_envs)
        self._check = ActionChecker(rules.action_space, num_envs)
        self._state = rules.new_state(num_envs)
        self._all_rows = np.arange(num_envs)
        self._no_actions = np.zeros((num_envs, len(rules.action_names)), np.int64)
        self._all_ready = False  # whether every row was reset at least once
        self._last_actions: Array | None = None

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Begins episodes.

        Args:
            seed: An integer s seeds row i with s + i; a sequence gives one seed, or None, per row.
            options: The dict ``{"reset_mask": bools of shape (B,)}`` resets only some rows.

        Returns:
            Observations of shape ``(B, ...)`` and infos.

        Raises:
            TypeError, ValueError: For a bad seed, mask or option; no row is reset then.
        """
        mask = self._reset_mask(check_options(options, ("reset_mask",)))
        seeds = row_seeds(seed, self.num_envs)
        super().reset(seed=seed if isinstance(seed, int) else None)
        rows = self._state.rows
        before = rows.copy()
        keyed = rows["rng_key"] != 0
        chosen = [r for r in np.flatnonzero(mask).tolist() if seeds[r] is not None or not keyed[r]]
        if chosen:
            given = [seeds[row] for row in chosen]
            filled = [fresh_seed(self.np_random) if one is None else one for one in given]
            seed_rows(rows, chosen, filled)
        rows["running"][mask] = False
        outcome = new_outcome(self.rules, self.num_envs)
        try:
            self._advance(self._no_actions, np.flatnonzero(mask), outcome)
        except Exception:  # a user's task may raise anything
            rows[:] = before
            raise
        self.rules.observe(self._state, np.flatnonzero(~mask & keyed), outcome).run()
        return outcome.observations, self._infos(outcome.results, mask)

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Takes one step in every row.

        Returns:
            Observations, rewards, terminations, truncations, infos.

        Raises:
            InvalidAction: If any row's action is outside the action space.
            ResetNeeded: Before the first reset; in DISABLED mode also if a row's episode is over.
        """
        values = self._check.batch(actions)
        self._check_ready()
        self._last_actions = values
        outcome = new_outcome(self.rules, self.num_envs)
        self._advance(values, self._all_rows, outcome)
        results = outcome.results
        rewards, terminated, truncated = (results[name] for name, _ in RESULT_FIELDS)
        infos: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            ended = terminated | truncated
            if ended.any():
                infos["final_obs"] = outcome.observations.copy()
                infos["final_info"] = self._infos(results.copy(), ended)
                infos["_final_obs"] = infos["_final_info"] = ended
                self._advance(values, np.flatnonzero(ended), outcome)
        infos.update(self._infos(outcome.results, np.ones(self.num_envs, np.bool_)))
        return outcome.observations, rewards, terminated, truncated, infos

    def action_masks(self) -> BoolArray:
        """Returns allowed values, flat over the sub-actions: ``(B, sum of their sizes)``."""
        return self.rules.action_masks(self._state)

    def get_state(self) -> StateT:
        """Returns a copy of the full state of all rows, generators included."""
        return copy_state(self._state)

    def set_state(self, state: StateT) -> None:
        """Returns to a state that `get_state` gave, of this or of an equal environment.

        Raises:
            TypeError, ValueError: For anything else; the present state is kept.
        """
        overwrite_state(self.rules, self._state, state)
        self._last_actions = None
        self._all_ready = False

    def view(self) -> View:
        """Returns a description of the present state of all rows; see `memory_envs.view`."""
        actions = np.full_like(self._no_actions, NOTHING)
        if self._last_actions is not None:
            acted = self._state.rows["steps"] > 0
            actions[acted] = self._last_actions[acted]
        return self.rules.view(self.get_state(), actions)

    def render(self) -> tuple[Any, ...] | None:
        """Returns one text or image per row.

        Raises:
            ResetNeeded: Before the first reset.
        """
        if self.render_mode is None:
            return None
        if not (self._state.rows["rng_key"] != 0).all():
            raise ResetNeeded("nothing to render: call reset() before render()")
        from memory_envs.rendering import render_image, render_text

        draw, view = render_text if self.render_mode == "ansi" else render_image, self.view()
        return tuple(draw(view, row) for row in range(self.num_envs))

    def _advance(self, actions: IntArray, rows: Indices, outcome: Outcome) -> None:
        self.rules.advance(self._state, actions, rows, outcome).run()

    def _infos(self, results: Array, mask: BoolArray) -> dict[str, Array]:
        target = self.rules.target(self._state)
        fields = [results[name] for name in results.dtype.names or ()]
        infos = self.rules.info(fields, None if target is None else target.copy())
        infos.update({f"_{name}": mask for name in list(infos)})
        return infos

    def _check_ready(self) -> None:
        """Raises ResetNeeded if a row has no episode, but in NEXT_STEP mode after one's end."""
        if self._all_ready:
            return
        rows = self._state.rows
        stuck = rows["rng_key"] == 0  # rows that were never reset
        if self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            stuck |= ~rows["running"]
        if stuck.any():
            raise ResetNeeded(
                f"no episode is under way in row {np.flatnonzero(stuck)[0]}: call reset(), or "
                'reset(options={"reset_mask": mask}) for some rows, before step()'
            )
        self._all_ready = self.autoreset_mode is not AutoresetMode.DISABLED

    def _reset_mask(self, options: dict[str, Any]) -> BoolArray:
        if "reset_mask" not in options:
            return np.ones(self.num_envs, np.bool_)
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] is {shown(mask)}; allowed: arrays of bools")
        if mask.shape != (self.num_envs,):
            given = f"options['reset_mask'] has shape {mask.shape}"
            raise ValueError(f"{given}; allowed: {(self.num_envs,)}")
        if not mask.any():
            raise ValueError("options['reset_mask'] chooses no row; allowed: at least one")
        return mask.copy()
