"""Exact checks of policy gradients, by enumeration (Zaremba & Sutskever 2015, section 5).

The expected gradient of REINFORCE can be computed exactly where the environment is small: choose
every sequence of actions once, and weigh what the algorithm makes of it by its probability. The
result must be the gradient of the expected objective.
"""

from agents.evaluation.gradcheck.check import check_gradients
from agents.evaluation.gradcheck.environment import OneEpisodeVecEnv, one_episode_env
from agents.evaluation.gradcheck.models import check_model
from agents.evaluation.gradcheck.report import Group, Report
from agents.evaluation.gradcheck.sampler import EnumerationError, Sampler

__all__ = [
    "EnumerationError",
    "Group",
    "OneEpisodeVecEnv",
    "Report",
    "Sampler",
    "check_gradients",
    "check_model",
    "one_episode_env",
]
