"""Classes of Stable-Baselines3's kind as agents of the benchmark, with their own defaults."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FlattenObservation, FrameStackObservation
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents.benchmark.trial import Trial
from agents.environments.vec_env import GymnasiumVecEnv
from memory_envs.arguments import check_integer
from memory_envs.wrappers import FlatActions

_ROWS = 8  # of algorithms that learn from rollouts; others have one, as in SB3's examples
_POINTS = 10


class SB3Agent:
    """An algorithm of Stable-Baselines3's kind.

    Args:
        kind: The class.
        settings: Arguments of it that differ from its defaults; and `n_envs`, the number of rows,
            `stack`, the number of the last observations that are shown in place of one.
    """

    def __init__(self, kind: type[BaseAlgorithm], settings: dict[str, Any]) -> None:
        self._kind, self._settings = kind, dict(settings)
        learns_from_replay = issubclass(kind, OffPolicyAlgorithm)
        rows = self._settings.pop("n_envs", 1 if learns_from_replay else _ROWS)
        self._rows = check_integer("n_envs", rows, 1)
        self._stack = check_integer("stack", self._settings.pop("stack", 1), 1)

    def __call__(self, trial: Trial) -> Any:
        """Trains; the model is saved as ``model.zip`` in the trial's folder."""
        first = trial.make()
        trial.wrap(*self._wrappers(first.observation_space, first.action_space))
        first.close()
        env = GymnasiumVecEnv(trial.make_vec(self._rows, autoreset_mode=AutoresetMode.SAME_STEP))
        settings = {"policy": self._policy(env.observation_space), **self._settings}
        model: Any = self._kind(env=env, seed=trial.seed, **settings)
        env.seed(trial.env_seed)
        model.learn(_whole_rollouts(model, trial.timesteps), callback=_Curve(trial))
        trial.steps = model.num_timesteps
        trial.report(model)  # no rollout starts after the last update
        model.save(trial.folder / "model.zip")
        env.close()
        return model

    def _wrappers(self, observations: Any, actions: Any) -> list[Any]:
        """What lets the class play there: flat actions for DQN's kind, one-hot observations.

        A `Tuple` becomes one vector, too: not all of SB3's kind have a policy for several parts.
        """
        wrappers: list[Any] = []
        if issubclass(self._kind, OffPolicyAlgorithm) and isinstance(actions, spaces.MultiDiscrete):
            wrappers.append(FlatActions)
        is_numbers = isinstance(observations, spaces.Box) and len(observations.shape) == 1
        has_parts = isinstance(observations, spaces.MultiDiscrete | spaces.Tuple)
        if has_parts or (self._stack > 1 and not is_numbers):
            wrappers.append(FlattenObservation)
        if self._stack > 1:
            wrappers += [self._stacked, FlattenObservation]
        return wrappers

    def _stacked(self, env: Any) -> Any:
        return FrameStackObservation(env, self._stack)

    def _policy(self, observations: Any) -> str:
        kind = "MultiInput" if isinstance(observations, spaces.Dict) else "Mlp"
        return next(name for name in self._kind.policy_aliases if name.startswith(kind))


def _whole_rollouts(model: BaseAlgorithm, timesteps: int) -> int:
    """Returns the whole number of rollouts that is nearest to a budget, in steps.

    `learn` cuts none, and goes on to the end of the one in which the budget ends: with 16,384 steps
    to a rollout, as PPO has in eight rows, that is 15 % over a budget of 100,000.
    """
    if not isinstance(model, OnPolicyAlgorithm):
        return timesteps
    rollout = model.n_steps * model.n_envs
    return max(round(timesteps / rollout), 1) * rollout


class _Curve(BaseCallback):
    """Reports a model to its trial at regular steps."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self._trial, self._every = trial, max(trial.timesteps // _POINTS, 1)
        self._next = 0

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self._trial.steps = self.num_timesteps
            self._trial.report(self.model)
            self._next = (self.num_timesteps // self._every + 1) * self._every

    def _on_step(self) -> bool:
        return True
