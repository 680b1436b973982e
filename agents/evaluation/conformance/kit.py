"""The table of checks, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from agents.evaluation.conformance.adapter import Adapter, MakeAdapter, Rollout
from agents.evaluation.conformance.probe import ProbeEnv, Probes, Taken
from agents.evaluation.conformance.replay import Array, apart
from agents.evaluation.conformance.report import FailedError, NotCheckedError

# What must differ by far more than sums are rounded for a check to see anything.
_VISIBLE = 10.0


class Played(NamedTuple):
    """An agent after a rollout, with what really happened.

    Attributes:
        agent: The agent.
        probes: Its environments.
        rollout: What the agent says happened.
        taken: For each row, what did.
    """

    agent: Adapter
    probes: Probes
    rollout: Rollout
    taken: list[list[Taken]]


@dataclass(frozen=True)
class Kit:
    """Makes agents in probes.

    Attributes:
        make: Makes an agent.
        rows: Rows of every agent.
        seed: Of agents and probes.
        train_steps: The most steps that the check of learning trains for.
    """

    make: MakeAdapter
    rows: int = 3
    seed: int = 0
    train_steps: int = 50_000

    def agent(
        self, ends: str | None = None, masks: bool = False, seed: int | None = None
    ) -> tuple[Adapter, Probes]:
        """Makes an agent and its probes.

        Args:
            ends: How episodes end, see `ProbeEnv`.
            masks: Whether not all actions are allowed.
            seed: Of the agent, if it is another.
        """
        probes = Probes(self.seed, ends, masks)
        return self.make(probes, self.rows, self.seed if seed is None else seed), probes

    def played(self, ends: str | None = None, masks: bool = False) -> Played:
        """Makes an agent and lets it play its first rollout."""
        agent, probes = self.agent(ends, masks)
        return self.rollout_of(agent, probes)

    def rollout_of(self, agent: Adapter, probes: Probes) -> Played:
        """Lets an agent play its next rollout.

        Raises:
            FailedError: If it has another number of steps than were taken.
        """
        before = [len(probe.taken) for probe in probes.made[-self.rows :]]
        rollout = agent.rollout()
        steps = len(rollout.actions)
        made = [len(probe.taken) for probe in probes.made[-self.rows :]]
        for row, (first, last) in enumerate(zip(before, made, strict=True)):
            if last - first != steps:
                raise FailedError(
                    f"the rollout has {steps} steps of row {row}, but the environment took "
                    f"{last - first}"
                )
        return Played(agent, probes, rollout, probes.last(self.rows, steps))

    def observations(self, steps: int) -> Array:
        """Returns random observations of the probes' space, ``(steps, rows, ...)``."""
        random = np.random.default_rng([self.seed, 7])
        shape = steps, self.rows, *ProbeEnv.observation_space.shape
        return random.uniform(-1.0, 1.0, shape).astype(np.float32)


Function = Callable[[Kit], None]


@dataclass(frozen=True)
class Check:
    """One row of the table.

    Attributes:
        name: What it is called.
        function: Raises `FailedError` or `NotCheckedError`, or else all is well.
        needs: Names of checks without which this one means nothing.
        slow: Whether it is made only where it is asked for.
    """

    name: str
    function: Function
    needs: tuple[str, ...] = field(default=())
    slow: bool = False


def visible(a: Array, b: Array, words: str) -> None:
    """Refuses to judge what would not be seen if it were wrong.

    Raises:
        NotCheckedError: If the two are the same but for rounding.
    """
    if apart(a, b) < _VISIBLE * 2e-6:
        raise NotCheckedError(words)
