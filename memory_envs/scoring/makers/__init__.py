"""Makes policies of models, one file for each library they come from.

None of them imports its library before it is given a model of it. All take the most probable
actions, unless they are told to sample.
"""

from memory_envs.scoring.makers.functions import from_function
from memory_envs.scoring.makers.predict import from_predict

__all__ = ["from_function", "from_predict"]
