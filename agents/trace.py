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

from agents.actors import model_policy
from agents.trace_views import NOTHING, Views, view_states

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
    values: FloatArray | None
    weightings: dict[str, FloatArray] = field(default_factory=dict)
    views: Views = field(default_factory=Views)

    def text(self) -> str:
        """The trace as lines of text."""
        from agents.trace_text import trace_text

        return trace_text(self)

    def title(self) -> str:
        """What the trace shows, and how it ended."""
        words = {None: [], True: ["success"], False: ["failure"]}[self.success]
        total = f"return {self.rewards.sum():g}"
        if self.views.output is not None:
            total += f" of {len(self.views.output.target)}"
        steps = f"{len(self.rewards)} steps"
        return "   ".join([self.env, self.model, f"seed {self.seed}", *words, total, steps])

    def symbol(self, number: int) -> str:
        """How a symbol of a tape is shown."""
        return {NOTHING: " ", **dict(self.views.names)}.get(number, str(number))


class _Watcher:
    """Looks into one of our models: its values and where its memory's heads are.

    Args:
        policy: if it is no model with our policy, there is nothing to see.
    """

    def __init__(self, policy: Any) -> None:
        network = getattr(policy, "policy", None)
        self.network: Any = network if hasattr(network, "predict_values") else None
        if not hasattr(self.network, "memory"):
            self.network = None
        self.state: Any = None
        self.values: list[float] = []
        self.weightings: dict[str, list[FloatArray]] = {}

    def look(self, observation: Any) -> None:
        """Take in the next observation, ``(1, ...)``, of an episode."""
        if self.network is None:
            return
        import torch

        if isinstance(self.network.observation_space, spaces.Dict):
            observation = {name: observation[name] for name in self.network.observation_space}
        with torch.no_grad():
            obs, _ = self.network.obs_to_tensor(observation)
            if self.state is None:
                self.state = self.network.initial_state(1)
            running = torch.zeros(1, dtype=torch.bool, device=self.network.device)
            value = self.network.predict_values(obs, self.state, running)
            self.values.append(float(value))
            encoded = self.network.encoder(obs)
            _, self.state, seen = self.network.memory.trace(encoded, self.state)
        for name, tensor in seen.items():
            if name.endswith("_weights"):
                weights = tensor[0].cpu().double().numpy()
                self.weightings.setdefault(name.removesuffix("_weights"), []).append(weights)


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
        policy: a model with SB3's `predict`, or an `agents.evaluation.Policy`.
        env_id: a registered id.
        seed: of the environment and of sampled actions.
        deterministic: whether a model takes its most probable action.
        env_kwargs: arguments of the environment.
        name: what the trace calls the policy; by default what its code calls it.
    """
    env = gym.make(env_id, disable_env_checker=True, **(env_kwargs or {}))
    base: Any = env.unwrapped
    is_model = hasattr(policy, "predict")
    act = (model_policy(policy, deterministic) if is_model else policy)(env, seed)
    watcher = _Watcher(policy)
    observations, actions, rewards, states = [], [], [], []
    masked, has_state = hasattr(base, "action_masks"), hasattr(base, "set_state")
    try:
        observation, info = env.reset(seed=seed)
        starts, ended = np.ones(1, np.bool_), False
        while not ended:
            if has_state:
                states.append(base.get_state())
            batch = _batch(observation)
            watcher.look(batch)
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
    success = info.get("success")
    return Trace(
        env=env_id,
        model=name or (type(policy).__name__ if is_model else policy.__name__),
        seed=seed,
        success=None if success is None else bool(success),
        observations=observations,
        actions=[_named(base, action) for action in actions],
        rewards=np.array(rewards),
        values=np.array(watcher.values) if watcher.values else None,
        weightings={key: np.stack(parts) for key, parts in watcher.weightings.items()},
        views=view_states(base, states, np.array(actions)),
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


def _named(env: Any, action: Any) -> dict[str, str]:
    """The sub-actions and their values by name, where the environment names them."""
    if not (hasattr(env, "action_names") and hasattr(getattr(env, "rules", None), "action_values")):
        return {"action": str(action)}
    pairs = zip(env.action_names, env.rules.action_values, np.ravel(action), strict=True)
    return {name: values[int(value)] for name, values, value in pairs}
