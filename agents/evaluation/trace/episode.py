"""One episode, step by step: what the agent saw, did, got and remembered.

After Fig. 7 of Zaremba & Sutskever (2015). Tapes, heads and paths are there for the environments of
memory_envs; of any other environment, observations, actions and rewards are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from agents.evaluation.actors import model_policy
from agents.evaluation.trace.memory import with_own_memory, with_own_moves
from agents.evaluation.trace.views import NOTHING, Views, view_states
from agents.evaluation.trace.watcher import Watcher

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """An episode of T steps.

    Attributes:
        env: the environment's id.
        model: who played.
        seed: of the environment.
        success: None if the environment knows no success.
        observations: what the agent saw, one item per step.
        actions: the value that each sub-action took, by name, one dict per step.
        rewards: ``(T,)``.
        choices: the values that each sub-action can take, by name; {} where they have no names.
        probabilities: ``(T, sub-actions, choices)``, in the order of `choices` and 0 beyond their
            ends; None if they are not known.
        values: ``(T,)``, the critic's estimates; None without a critic.
        weightings: where the memory's heads were, by name, ``(T, heads, slots)``.
        views: tapes, output and path.
    """

    env: str
    model: str
    seed: int
    success: bool | None
    observations: list[Any]
    actions: list[dict[str, str]]
    rewards: FloatArray
    values: FloatArray | None = None
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    probabilities: FloatArray | None = None
    weightings: dict[str, FloatArray] = field(default_factory=dict)
    views: Views = field(default_factory=Views)

    def text(self) -> str:
        """The trace as lines of text."""
        from agents.evaluation.trace.text import trace_text

        return trace_text(self)

    def facts(self) -> list[str]:
        """What the trace shows, and how it ended."""
        words = {None: [], True: ["success"], False: ["failure"]}[self.success]
        total = f"return {self.rewards.sum():g}"
        if self.views.output is not None:
            total += f" of {len(self.views.output.target)}"
        steps = f"{len(self.rewards)} steps"
        return [self.env, self.model, f"seed {self.seed}", *words, total, steps]

    def title(self) -> str:
        """The facts in one line."""
        return "   ".join(self.facts())

    def symbol(self, number: int) -> str:
        """How a symbol of a tape is shown."""
        return {NOTHING: " ", **dict(self.views.names)}.get(number, str(number))

    def probability(self, name: str, step: int) -> float | None:
        """How probable the value was that a sub-action took; None if that is not known."""
        if self.probabilities is None or name not in self.choices:
            return None
        column = self.choices[name].index(self.actions[step][name])
        return float(self.probabilities[step, list(self.choices).index(name), column])


def run_trace(
    policy: Any,
    env_id: str,
    seed: int = 7,
    deterministic: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Trace:
    """Play one episode and keep what happened.

    Args:
        policy: a model with SB3's `predict`, or an `agents.evaluation.evaluate.Policy`.
        env_id: a registered id.
        seed: of the environment and of sampled actions.
        deterministic: whether a model takes its most probable action.
        env_kwargs: arguments of the environment.
        name: what the trace calls the policy; by default what its code calls it.
    """
    env = gym.make(env_id, disable_env_checker=True, **(env_kwargs or {}))
    base: Any = env.unwrapped
    is_model = hasattr(policy, "predict")
    watcher = Watcher(policy)
    player = model_policy(policy, deterministic, watcher.look) if is_model else policy
    act = player(env, seed)
    observations, actions, rewards, states = [], [], [], []
    masked, has_state = hasattr(base, "action_masks"), hasattr(base, "set_state")
    try:
        observation, info = env.reset(seed=seed)
        starts, ended = np.ones(1, np.bool_), False
        while not ended:
            if has_state:
                states.append(base.get_state())
            batch = _batch(observation)
            masks = base.action_masks()[None] if masked else None
            action = np.asarray(act(batch, starts, masks))[0]
            observations.append(observation)
            observation, reward, terminated, truncated, info = env.step(action)
            actions.append(action)
            rewards.append(float(reward))
            starts, ended = np.zeros(1, np.bool_), terminated or truncated
        if has_state:
            states.append(base.get_state())
    finally:
        env.close()
    success, seen, choices = info.get("success"), watcher.seen(), _choices(env)
    named = [_named(env.action_space, choices, action) for action in actions]
    choices, named = with_own_moves(choices, named, seen)
    heads = [key for key in seen if key.endswith("_weights")]
    return Trace(
        env=env_id,
        model=name or (type(policy).__name__ if is_model else policy.__name__),
        seed=seed,
        success=None if success is None else bool(success),
        observations=observations,
        actions=named,
        rewards=np.array(rewards),
        values=seen.get("value"),
        choices=choices,
        probabilities=seen.get("probabilities") if choices else None,
        weightings={key.removesuffix("_weights"): seen[key] for key in heads},
        views=with_own_memory(view_states(base, states, np.array(actions)), seen),
    )


def longest_episode(
    env_id: str, env_kwargs: Mapping[str, Any] | None = None, first: int = 7, tries: int = 64
) -> int:
    """The seed of the most complex of several episodes, by ``info["complexity"]``.

    Args:
        env_id: a registered id.
        env_kwargs: arguments of the environment.
        first: the first seed, and the answer if all are alike.
        tries: how many seeds to look at.
    """
    env = gym.make(env_id, disable_env_checker=True, **(env_kwargs or {}))
    try:
        seeds = range(first, first + tries)
        return max(seeds, key=lambda seed: float(env.reset(seed=seed)[1].get("complexity", 0)))
    finally:
        env.close()


def _batch(observation: Any) -> Any:
    """A batch of one."""
    if isinstance(observation, dict):
        return {name: np.asarray(value)[None] for name, value in observation.items()}
    return np.asarray(observation)[None]


def _choices(env: gym.Env[Any, Any]) -> dict[str, tuple[str, ...]]:
    """The values that each sub-action can take, by name; {} if they have no names."""
    base: Any = env.unwrapped
    if hasattr(base, "action_names") and hasattr(getattr(base, "rules", None), "action_values"):
        return dict(zip(base.action_names, base.rules.action_values, strict=True))
    if isinstance(env.action_space, spaces.Discrete):
        first, number = int(env.action_space.start), int(env.action_space.n)
        return {"action": tuple(str(first + choice) for choice in range(number))}
    return {}


def _named(
    space: spaces.Space[Any], choices: Mapping[str, tuple[str, ...]], action: Any
) -> dict[str, str]:
    """The value that each sub-action took, by name."""
    if not choices:
        return {"action": str(action)}
    numbers = np.ravel(action - getattr(space, "start", 0)).tolist()
    pairs = zip(choices.items(), numbers, strict=True)
    return {name: values[number] for (name, values), number in pairs}
