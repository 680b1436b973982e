"""A trial: what an agent is handed to be trained on one task with one seed, and to be judged.

Any agent is a function of a trial that returns a policy, see `memory_envs.scoring.policy`:

    def my_agent(trial):
        env = trial.make_vec(8)
        policy = ...                 # learn for trial.timesteps steps
        trial.report(policy)         # a point of the learning curve, as often as one likes
        return policy

An agent that does not learn returns its policy at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv, VectorWrapper

from agents.benchmark.results import Point
from agents.benchmark.suites import Task
from agents.training.run_directory import HELD_OUT_SEEDS, training_seed
from memory_envs import evaluate
from memory_envs.scoring.result import EvaluationResult
from memory_envs.spec import environment_spec

EPISODES, SEED = 1000, 7  # of the evaluation that counts, as in `memory-envs evaluate`
_CURVE_EPISODES = 256


class Trial:
    """One task, one seed, and a folder.

    Args:
        task: The task.
        seed: Seed of everything random in the agent.
        folder: A folder of its own, for whatever the agent keeps.

    Attributes:
        task: The task's name.
        env: The environment's id.
        timesteps: Environment steps that the training may take, all rows together.
        seed: Seed of everything random in the agent.
        folder: A folder of its own; it is there, and holds what an interrupted trial left.
        steps: Environment steps so far. What `make` and `make_vec` make counts them, unless it runs
            in another process; who steps by other means, or goes on from what an interrupted trial
            left, adds them here.
        curve: What was reported so far.
    """

    def __init__(self, task: Task, seed: int, folder: Path) -> None:
        self.task, self.env, self.timesteps = task.name, task.env, task.timesteps
        self.seed, self.folder = seed, folder
        self.steps = 0
        self.curve: list[Point] = []
        self._evaluation_kwargs = dict(task.evaluation_kwargs)
        self._wrappers: tuple[Callable[[Any], gym.Env[Any, Any]], ...] = ()

    def wrap(self, *wrappers: Callable[[Any], gym.Env[Any, Any]]) -> None:
        """Puts wrappers around each environment, the innermost first, in evaluations, too.

        Scores are not changed by wrappers: they are made of what the unwrapped environment pays.
        With wrappers there is one Python object per row, which is slower.

        Args:
            *wrappers: Functions from an environment to an environment, such as Gymnasium's classes.
        """
        self._wrappers += wrappers

    def make(self) -> gym.Env[Any, Any]:
        """Makes one environment to train in; hand `env_seed` to its first `reset`."""
        return _CountedEnv(self._wrapped(), self)

    def make_vec(self, num_envs: int, **vector_kwargs: Any) -> VectorEnv[Any, Any, Any]:
        """Makes a vector environment to train in.

        Args:
            num_envs: Number of rows.
            **vector_kwargs: Arguments of the vector environment, such as `autoreset_mode`.
        """
        if self._wrappers or environment_spec(self.env).vector_entry_point is None:
            vector_kwargs = {
                "vectorization_mode": "sync",
                "vector_kwargs": vector_kwargs,
                "wrappers": list(self._wrappers),
            }
        return _CountedVectorEnv(gym.make_vec(self.env, num_envs=num_envs, **vector_kwargs), self)

    @property
    def env_seed(self) -> int:
        """The seed for the first `reset` of an environment, far from those of evaluations."""
        return training_seed(self.seed)

    def report(self, policy: Any) -> Point:
        """Evaluates a policy on the way, on held-out episodes, as a point of the learning curve.

        Args:
            policy: See `memory_envs.evaluate`.
        """
        found = self._evaluate(policy, _CURVE_EPISODES, HELD_OUT_SEEDS)
        point = Point(self.steps, found.success, found.return_mean, found.score)
        self.curve.append(point)
        return point

    def judge(self, policy: Any) -> EvaluationResult:
        """Evaluates what a training came to, on 1,000 fresh episodes.

        Args:
            policy: See `memory_envs.evaluate`.
        """
        return self._evaluate(policy, EPISODES, SEED)

    def evaluation_kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments of the environment in evaluations."""
        return self._evaluation_kwargs

    def _evaluate(self, policy: Any, episodes: int, seed: int) -> EvaluationResult:
        kwargs = self._evaluation_kwargs
        if not self._wrappers:
            return evaluate(policy, self.env, episodes, seed, env_kwargs=kwargs)
        return evaluate(policy, lambda: self._wrapped(**kwargs), episodes, seed)

    def _wrapped(self, **env_kwargs: Any) -> gym.Env[Any, Any]:
        env = gym.make(self.env, **env_kwargs)
        for wrapper in self._wrappers:
            env = wrapper(env)
        return env


class _CountedEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Counts its steps as those of a trial."""

    def __init__(self, env: gym.Env[Any, Any], trial: Trial) -> None:
        super().__init__(env)
        self._trial = trial

    def step(self, action: Any) -> Any:
        self._trial.steps += 1
        return self.env.step(action)


class _CountedVectorEnv(VectorWrapper[Any, Any, Any]):
    """Counts the steps of its rows as those of a trial."""

    def __init__(self, env: VectorEnv[Any, Any, Any], trial: Trial) -> None:
        super().__init__(env)
        self._trial = trial

    def step(self, actions: Any) -> Any:
        self._trial.steps += self.num_envs
        return self.env.step(actions)
