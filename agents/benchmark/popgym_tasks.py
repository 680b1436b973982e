"""POPGym's tasks as its paper's agents see them: with the last action and a first step's flag.

Importing this module registers each task once more, ``popgym-RepeatFirstEasy-v0`` as
``previous-action/popgym-RepeatFirstEasy-v0``, within POPGym's own wrappers `PreviousAction` and
`Antialias`. The observation becomes a ``Tuple``: what the task shows, the last action, and 1 at an
episode's first step, else 0. At the first step the action is zero. Rewards and ends are the task's.

What the paper's agents see (Morad, Kortvelesy, Bettini, Liwicki and Prorok 2023, arXiv 2303.01859):

- A footnote of its introduction considers the previous action as part of the observation.
- https://github.com/proroklab/popgym, tag ``paper``, commit
  e397e5eac9965f9963d18c9f455cd1983bca14fb of 10 February 2023: `popgym/baselines/ppo.py`, the
  script for the paper's experiments, has ``Antialias(PreviousAction(env))`` around every task, and
  `popgym/baselines/ray_models/base_model.py` feeds all of the observation, flattened, to every
  model.
- The script has it since commit c16586874c59b1c7048a87c154bd6c47073e5961 of 17 December 2022.
  Before, as in release 0.0.1 (commit 33b099565c64a68fc267fe86ca875e32198e7afb), there are no
  wrappers; Battleship, MineSweeper and MultiarmedBandit show the last action themselves,
  RepeatFirst flags the first step, and RepeatPrevious the steps that are paid for. Which of the two
  made the published numbers is not said.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from popgym.envs import ALL
from popgym.wrappers import Antialias, PreviousAction


def make(env: str, **env_kwargs: Any) -> gym.Env[Any, Any]:
    """Makes a task of POPGym within the two wrappers.

    Args:
        env: POPGym's id.
        **env_kwargs: Arguments of the environment.
    """
    # The wrappers take nothing but POPGym's own classes; `gym.make` has its checker around them.
    bare = gym.make(env, disable_env_checker=True, **env_kwargs)
    shown: gym.Env[Any, Any] = Antialias(PreviousAction(bare))
    return shown


for _known in ALL.values():
    gym.register(
        f"previous-action/{_known['id']}", f"{__name__}:make", kwargs={"env": _known["id"]}
    )
