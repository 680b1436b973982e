"""Small environments whose every step is known, so that an agent's own account can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

CHOICES = 3
SIZE = 4
_SHORTEST, _LONGEST = 3, 6
STEPS = 16  # of an adapter's rollouts, or more: each row then ends at least two episodes


class Taken(NamedTuple):
    """One step that was taken in one row, as the environment knows it.

    Attributes:
        episode: Number of the episode in its row.
        time: Steps before it in the episode.
        observation: What was shown before the action.
        mask: What was allowed then.
        action: The action.
        reward: What it got.
        after: What was shown after it, before any reset.
        terminated: Whether it ended the episode.
        truncated: Whether a time limit did.
    """

    episode: int
    time: int
    observation: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    action: int
    reward: float
    after: npt.NDArray[np.float32]
    terminated: bool
    truncated: bool


class ProbeEnv(gym.Env[npt.NDArray[np.float32], np.int64]):
    """Random vectors, random rewards, and episodes of three to six steps, all by seed.

    What is shown at a step depends on seed, row, episode and time alone, so it is never shown twice
    and never depends on what the agent does.

    Args:
        seed: Of everything.
        row: Which row this is.
        ends: How episodes end, ``"terminated"`` or ``"truncated"``; None for both in turn.
    """

    observation_space = spaces.Box(-1.0, 1.0, (SIZE,), np.float32)
    action_space = spaces.Discrete(CHOICES)

    def __init__(self, seed: int, row: int, ends: str | None) -> None:
        self._key = (seed, row)
        self._ends = ends
        self._episode, self._time, self._length = -1, 0, 0
        self._now: npt.NDArray[np.float32]
        self._reward = 0.0
        self.taken: list[Taken] = []

    def _random(self) -> np.random.Generator:
        return np.random.default_rng([*self._key, max(self._episode, 0), self._time])

    def _shown(self) -> npt.NDArray[np.float32]:
        """Draws what is shown now, and the reward of the step that follows."""
        random = self._random()
        self._now = random.uniform(-1.0, 1.0, self.observation_space.shape).astype(np.float32)
        self._reward = float(random.uniform(10.0, 11.0))
        return self._now.copy()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Begins the next episode; the seed is the probe's own."""
        self._episode += 1
        self._time = 0
        lengths = np.random.default_rng([*self._key, self._episode])
        self._length = int(lengths.integers(_SHORTEST, _LONGEST + 1))
        return self._shown(), {}

    def step(
        self, action: np.int64 | int
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Writes the step down."""
        reward = self._reward + float(action) / 4.0
        over = self._time + 1 >= self._length
        truncates = self._ends == "truncated" or (self._ends is None and self._episode % 2 == 1)
        ends = over and not truncates, over and truncates
        before, mask, place = self._now, self._allowed(), (self._episode, self._time)
        self._time += 1
        after = self._shown()
        self.taken.append(Taken(*place, before, mask, int(action), reward, self._now, *ends))
        return after, reward, *ends, {}

    def _allowed(self) -> npt.NDArray[np.bool_]:
        return np.ones(CHOICES, np.bool_)


class MaskedProbeEnv(ProbeEnv):
    """A probe that allows two of its three actions, others at every step."""

    def _allowed(self) -> npt.NDArray[np.bool_]:
        forbidden = int(self._random().integers(CHOICES))
        return np.array([choice != forbidden for choice in range(CHOICES)])

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Returns which actions are allowed."""
        return self._allowed()


@dataclass
class Probes:
    """Makes the probes of all rows, and keeps them.

    Attributes:
        seed: Of all of them.
        ends: See `ProbeEnv`.
        masks: Whether they say what is allowed.
        made: The probes so far.
    """

    seed: int
    ends: str | None = None
    masks: bool = False
    made: list[ProbeEnv] = field(default_factory=list)

    def __call__(self) -> gym.Env[Any, Any]:
        """Makes the probe of the next row."""
        kind = MaskedProbeEnv if self.masks else ProbeEnv
        self.made.append(kind(self.seed, len(self.made), self.ends))
        return self.made[-1]

    def last(self, rows: int, steps: int) -> list[list[Taken]]:
        """Returns the last steps of each of the rows that were made last."""
        return [probe.taken[-steps:] for probe in self.made[-rows:]]

    def episodes(self, rows: int) -> list[dict[int, list[Taken]]]:
        """Returns all episodes that were stepped, by number, of each row."""
        found: list[dict[int, list[Taken]]] = []
        for probe in self.made[-rows:]:
            of_row: dict[int, list[Taken]] = {}
            for taken in probe.taken:
                of_row.setdefault(taken.episode, []).append(taken)
            found.append(of_row)
        return found


class RecallEnv(gym.Env[npt.NDArray[np.float32], np.int64]):
    """A cue is shown at first, then nothing twice, then it is to be named: 1 if right, else 0.

    Without memory no policy gets more than a half on average; with memory the optimum is 1.

    Args:
        seed: Of the cues.
        cue: Always this one; None for random ones.
    """

    observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = spaces.Discrete(2)
    delay = 2

    def __init__(self, seed: int, cue: int | None = None) -> None:
        self._random = np.random.default_rng(seed)
        self._given = cue
        self._cue = self._time = 0

    def _shown(self) -> npt.NDArray[np.float32]:
        cue = 2.0 * self._cue - 1.0 if self._time == 0 else 0.0
        return np.array([cue, float(self._time == self.delay)], np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Draws a cue."""
        self._cue = int(self._random.integers(2)) if self._given is None else self._given
        self._time = 0
        return self._shown(), {}

    def step(
        self, action: np.int64 | int
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Judges the answer at the last step."""
        over = self._time == self.delay
        reward = float(over and int(action) == self._cue)
        self._time += 1
        return self._shown(), reward, over, False, {}


@dataclass
class Recalls:
    """Makes `RecallEnv` of all rows.

    Attributes:
        seed: Row i has ``seed + i``.
        made: How many were made.
    """

    seed: int
    made: int = 0

    def __call__(self) -> gym.Env[Any, Any]:
        """Makes the next row's."""
        self.made += 1
        return RecallEnv(self.seed + self.made - 1)
