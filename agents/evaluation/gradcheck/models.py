"""Checks of this project's algorithms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from torch import Tensor

from agents.algorithms.rl_ntm.algorithm import RLNTM
from agents.evaluation.gradcheck.check import Groups, check_gradients, compare_losses
from agents.evaluation.gradcheck.environment import MakeEnv
from agents.evaluation.gradcheck.on_policy import OnPolicySubject
from agents.evaluation.gradcheck.report import Report
from agents.evaluation.gradcheck.rl_ntm import RLNTMSubject
from agents.evaluation.gradcheck.sampler import Sampler, enumerate_sequences

# Rows of the training step that is compared with the one that is written by hand.
_ROWS = 64


class Subject(Protocol):
    """An algorithm under check."""

    def groups(self) -> Groups:
        """Returns its parameters."""
        ...

    def exact(self, sampler: Sampler) -> object:
        """Plays with gradients, by code of its own."""
        ...

    def play(self, sampler: Sampler) -> list[Tensor]:
        """Lets the algorithm play, and returns what it makes of each episode."""
        ...

    def first_step(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the loss of a training step, as it is and as it is written by hand."""
        ...


def check_model(
    model: Any,
    make_env: MakeEnv,
    title: str | None = None,
    directions: int = 2,
    variance: bool = True,
    limit: int = 10_000,
) -> Report:
    """Checks the gradients of `RLNTM`, `Reinforce`, `MemoryA2C` or `MemoryPPO`'s first step.

    The algorithm's own code plays and computes its losses; actions come from a sampler that
    enumerates in place of chance. First its policy gradient is compared with that of the expected
    return, with the settings that make the two equal: no discount, no lambda, advantages as they
    are, gradients through whole episodes. A baseline per time step is set to its expectation. Then
    the gradient of the whole loss of a training step, with the model's own settings, is compared
    with that of a loss that is written out by hand. docs/gradcheck.md says what is left out.

    Args:
        model: The algorithm with its settings and parameters. It stays as it is: what is checked is
            a second one with a copy of its policy in float64.
        make_env: Makes the environment for a number of rows, see `one_episode_env`.
        title: Title of the report.
        directions: See `check_gradients`.
        variance: See `check_gradients`.
        limit: See `check_gradients`.

    Raises:
        ValueError: If actions are without number.
        EnumerationError: If the sequences cannot be enumerated.
    """
    subject: Subject
    if isinstance(model, RLNTM):
        subject = RLNTMSubject(model, make_env)
    else:
        subject = OnPolicySubject(model, make_env)
    groups = subject.groups()
    title = title or type(model).__name__
    report = check_gradients(
        subject.play, groups, subject.exact, title, directions, variance, limit
    )
    plan = enumerate_sequences(subject.exact, limit)
    stride = -(-plan.shape[1] // _ROWS)
    errors = compare_losses(*subject.first_step(plan[:, ::stride]), groups)
    return replace(
        report,
        groups=tuple(replace(group, step_error=errors[group.name]) for group in report.groups),
    )
