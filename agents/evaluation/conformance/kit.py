"""The table of checks, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from agents.evaluation.conformance.adapter import Adapter, MakeAdapter, MakeEnv, Rollout
from agents.evaluation.conformance.probe import ProbeEnv, Probes, Taken
from agents.evaluation.conformance.replay import TOLERANCE, Array, apart
from agents.evaluation.conformance.report import FailedError, NotCheckedError
from memory_envs.arguments import shown

# What must differ by more than a check tolerates, or the check would see nothing.
_VISIBLE = 2.0 * TOLERANCE
NO_MEMORY = "what is given out does not depend on the memory"


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
        return self.made_in(probes, self.rows, self.seed if seed is None else seed), probes

    def made_in(self, make_env: MakeEnv, rows: int, seed: int) -> Adapter:
        """Makes an agent in environments.

        Raises:
            FailedError: If that cannot be done, or gives something else.
        """
        try:
            agent = self.make(make_env, rows, seed)
        except Exception as error:
            raise FailedError(
                "no agent can be made in the environments of the checks, whose observations are "
                f"vectors and whose actions are Discrete: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(agent, Adapter):
            raise FailedError(f"what makes an agent returned {shown(agent)}; allowed: an Adapter")
        return agent

    def played(self, ends: str | None = None, masks: bool = False) -> Played:
        """Makes an agent and lets it play its first rollout."""
        agent, probes = self.agent(ends, masks)
        return self.rollout_of(agent, probes)

    def rollout_of(self, agent: Adapter, probes: Probes) -> Played:
        """Lets an agent play its next rollout.

        Raises:
            FailedError: If it has another shape, or another number of steps than were taken.
        """
        before = {id(probe): len(probe.taken) for probe in probes.made}
        rollout = agent.rollout()
        steps = _steps_of(rollout, self.rows)
        if len(probes.made) < self.rows:
            raise FailedError(
                f"make_env was called {len(probes.made)} times; allowed: once for each of "
                f"{self.rows} rows"
            )
        for row, probe in enumerate(probes.made[-self.rows :]):
            taken = len(probe.taken) - before.get(id(probe), 0)
            if taken != steps:
                raise FailedError(
                    f"the rollout has {steps} steps of row {row}, but the environment took {taken}"
                )
        return Played(agent, probes, rollout, probes.last(self.rows, steps))

    def observations(self, steps: int) -> Array:
        """Returns random observations of the probes' space, ``(steps, rows, ...)``."""
        random = np.random.default_rng([self.seed, 7])
        shape = steps, self.rows, *ProbeEnv.observation_space.shape
        return random.uniform(-1.0, 1.0, shape).astype(np.float32)


def _steps_of(rollout: Rollout, rows: int) -> int:
    """Returns how many steps a rollout has.

    Raises:
        FailedError: If it has another number of rows, or parts of other shapes.
    """
    steps = np.shape(rollout.actions)[:1] or (1,)
    for name in ("actions", "observations", "starts", "log_probs", "values", "advantages", "masks"):
        part = getattr(rollout, name)
        if part is None and name in ("values", "advantages", "masks"):
            continue
        more = name in ("observations", "masks")
        check_shape(f"the rollout's {name}", part, (*steps, rows), more)
    return int(steps[0])


def check_shape(name: str, part: Any, shape: tuple[int, ...], more: bool = False) -> None:
    """Refuses an array or tensor of another shape.

    Args:
        name: What it is.
        part: The array or tensor.
        shape: ``(T, B)``.
        more: Whether dimensions may follow.

    Raises:
        FailedError: If its shape is another.
    """
    got = tuple(np.shape(part))
    if (got[: len(shape)] if more else got) != shape:
        allowed = ", ".join([*map(str, shape), *(["..."] if more else [])])
        raise FailedError(f"{name} have shape {got}; allowed: ({allowed}), steps before rows")


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
    if apart(a, b) < _VISIBLE:
        raise NotCheckedError(words)
