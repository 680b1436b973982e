"""Checks of this project's algorithms."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from stable_baselines3.common.logger import Logger

from agents.algorithms.rl_ntm.algorithm import RLNTM
from agents.evaluation.gradcheck.check import Groups, check_gradients
from agents.evaluation.gradcheck.environment import OneEpisodeVecEnv
from agents.evaluation.gradcheck.on_policy import OnPolicySubject
from agents.evaluation.gradcheck.report import Report
from agents.evaluation.gradcheck.rl_ntm import RLNTMSubject
from agents.evaluation.gradcheck.sampler import Sampler

MakeEnv = Callable[[int], OneEpisodeVecEnv]


class Subject(Protocol):
    """An algorithm under check."""

    def groups(self) -> Groups:
        """Its parameters."""
        ...

    def exact(self, sampler: Sampler) -> None:
        """Play with gradients, by code of its own."""
        ...

    def play(self, sampler: Sampler) -> list[torch.Tensor]:
        """Let the algorithm play and say what it makes of each episode."""
        ...


def check_model(
    model: Any,
    make_env: MakeEnv,
    title: str | None = None,
    directions: int = 2,
    variance: bool = True,
    limit: int = 10_000,
) -> Report:
    """Check the policy gradient of `RLNTM`, `Reinforce`, `MemoryA2C` or `MemoryPPO`'s first step.

    The algorithm's own code plays and computes its losses, of each episode on its own; means over
    steps are turned into sums. Losses of a critic and of the entropy are left out. A baseline per
    time step is set to its expectation, from which every episode starts anew. The model stays as it
    is: a copy of its policy, in float64, is checked.

    Args:
        model: with its settings; its policy decides about actions by enumeration.
        make_env: makes the environment for a number of rows, see `one_episode_env`. Episodes must
            be terminated, not truncated, where the algorithm would estimate what comes after.
        title: of the report.
        directions: see `check_gradients`.
        variance: see `check_gradients`.
        limit: see `check_gradients`.

    Raises:
        ValueError: for a setting with which the expected gradient is not that of the return:
            discounting, normalised advantages, truncated backpropagation.
        EnumerationError: if the sequences cannot be enumerated.
    """
    with _borrowed(model):
        subject: Subject
        if isinstance(model, RLNTM):
            subject = RLNTMSubject(model, make_env)
        else:
            subject = OnPolicySubject(model, make_env)
        return check_gradients(
            subject.play,
            subject.groups(),
            subject.exact,
            title or type(model).__name__,
            directions,
            variance,
            limit,
        )


@contextmanager
def _borrowed(model: Any) -> Iterator[None]:
    """A model with a policy to play with; afterwards all is as it was."""
    before = dict(vars(model))
    model.policy = copy.deepcopy(model.policy).double().cpu()
    model.device = torch.device("cpu")
    model.generator = torch.Generator()
    model.ep_info_buffer, model.ep_success_buffer = deque(maxlen=1), deque(maxlen=1)
    model._logger = Logger(folder=None, output_formats=[])
    try:
        yield
    finally:
        vars(model).clear()
        vars(model).update(before)
