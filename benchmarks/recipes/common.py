"""What the recipes have in common: most networks of others read vectors and choose one of many."""

from gymnasium import spaces

from agents.benchmark.trial import Trial
from memory_envs.wrappers import FlatActions, OneHotObservations


def flatten(trial: Trial) -> None:
    """Makes observations vectors and actions single numbers, in trainings and evaluations."""
    if not isinstance(trial.make().observation_space, spaces.Box):
        trial.wrap(OneHotObservations)
    trial.wrap(FlatActions)
