"""What the checks ask of somebody's agent: a handful of small functions.

They were sketched twice. In the first form the checks saw an agent only from outside, through its
training and its actions: that needs one function, but a state that is carried over a reset shows
there as a slightly worse curve, and nobody can say why. The form chosen shows the network's single
step, the rollout as the learner has it, and what the learner makes of that rollout. Each is a few
lines around what every recurrent agent has, and each check can name its cause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy.typing as npt

from memory_envs.scoring.policy import Policy


class Step(NamedTuple):
    """One step of the network in B rows.

    Attributes:
        log_probs: ``(B, choices)``, of all actions. Tensors that carry a gradient let the checks
            look at gradients, too; arrays do for the rest.
        values: ``(B,)``, of the critic; None if there is none.
        state: The memory after the step, of any type.
    """

    log_probs: Any
    values: Any
    state: Any


class Rollout(NamedTuple):
    """A rollout, as the learner has it before it learns; T steps of B rows.

    Attributes:
        observations: ``(T, B, ...)``, what was shown before each action.
        actions: ``(T, B)``.
        starts: ``(T, B)`` bool, whether an episode starts with this observation.
        log_probs: ``(T, B)``, of the actions, as they were taken.
        values: ``(T, B)``, of the critic, as the actions were taken; None if there is none.
        advantages: ``(T, B)``, by generalised advantage estimation; None where they are not.
        gamma: Discount factor.
        gae_lambda: Of the advantages.
        bptt: Steps after which the gradient is cut on purpose; None if it is not.
        masks: ``(T, B, choices)``, what was allowed; None if there are no masks.
        inner: Whatever `evaluate` needs of the learner's own.
    """

    observations: npt.NDArray[Any]
    actions: npt.NDArray[Any]
    starts: npt.NDArray[Any]
    log_probs: npt.NDArray[Any]
    values: npt.NDArray[Any] | None
    advantages: npt.NDArray[Any] | None
    gamma: float = 1.0
    gae_lambda: float = 1.0
    bptt: int | None = None
    masks: npt.NDArray[Any] | None = None
    inner: Any = None


class Judged(NamedTuple):
    """What a training step makes of a rollout before the first update, with gradients.

    Attributes:
        log_probs: ``(T, B)``, of the actions taken.
        values: ``(T, B)``, of the critic; None if there is none.
    """

    log_probs: Any
    values: Any


MakeEnv = Callable[[], gym.Env[Any, Any]]


@dataclass(frozen=True)
class Adapter:
    """An agent, new and untrained, in the environments that it was made for.

    Only the first three functions are needed. What rests on one that is None is not checked, and
    the report says so.

    Attributes:
        step: ``step(observations, state, starts, masks)``: one step of B rows, for any B. `state`
            is None where all rows begin, `masks` is None where everything is allowed. It leaves the
            state that it is given as it was, for it is asked again from the same one.
        rollout: ``rollout()``: the rollout that the learner plays next, without learning from it.
            The first begins new episodes; the next goes on where it ended. It takes 16 steps or
            more of each row, so that episodes end in it.
        evaluate: ``evaluate(rollout)``: log-probabilities and values as a training step computes
            them.
        policy: Plays the most probable actions, see `memory_envs.scoring.policy`.
        reload: ``reload(folder)``: saves the agent there and returns what loads from it.
        train: ``train(steps)``: goes on training for so many steps.
        change_env: ``change_env(make_env)``: from now on plays in other environments, as many.
        entropy: ``entropy(rollout)``: the mean entropy of the action distributions, as a training
            step computes it.
        takes_masks: Whether the agent asks environments for `action_masks`.
    """

    step: Callable[[Any, Any, Any, Any], Step]
    rollout: Callable[[], Rollout]
    evaluate: Callable[[Rollout], Judged]
    policy: Policy | None = None
    reload: Callable[[Path], Adapter] | None = None
    train: Callable[[int], None] | None = None
    change_env: Callable[[MakeEnv], None] | None = None
    entropy: Callable[[Rollout], float] | None = None
    takes_masks: bool = False


# Makes an agent: of a function that makes a scalar environment, the number of rows, and the seed
# of everything random in the agent. Row i is what the i-th call of the function returns.
MakeAdapter = Callable[[MakeEnv, int, int], Adapter]
