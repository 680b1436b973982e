"""Training a given number of updates, whatever number of steps they take."""

from stable_baselines3.common.callbacks import BaseCallback

from agents.algorithms.base import MemoryAlgorithm


class _Stop(BaseCallback):
    """Ends the training before a given update."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self.left = updates

    def _on_rollout_start(self) -> None:
        self.left -= 1

    def _on_step(self) -> bool:
        return self.left >= 0


def learn_updates(model: MemoryAlgorithm, updates: int) -> None:
    """Trains a model for a number of rollouts, each with what is learned from it."""
    model.learn(10**12, _Stop(updates), log_interval=10**9)
