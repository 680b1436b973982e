"""Models that come with the package.

`index.json` says of each what it is and what it reaches; the model named ``rl-ntm/Copy`` is in
``rl-ntm/Copy.zip``. ``python -m benchmarks.pretrained add RUN`` writes both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from memory_envs.arguments import check_choice

if TYPE_CHECKING:  # imported when a model is loaded: `memory-envs list` needs no torch
    import torch

    from agents.algorithms.base import MemoryAlgorithm

INDEX = "index.json"


class Score(NamedTuple):
    """What a model reaches with its most probable actions.

    Attributes:
        success: The share of episodes that are solved; None where the environment knows no success.
        return_mean: The mean return.
        return_std: The standard deviation of the returns.
    """

    success: float | None
    return_mean: float
    return_std: float


@dataclass(frozen=True)
class Pretrained:
    """What is known of a model.

    Attributes:
        env: The id that it was trained on.
        env_kwargs: The arguments of the environment, at the hardest level if there are levels.
        memory: The name of its memory cell, or of its controller.
        seed: The seed of the training.
        command: The command that trained it.
        commit: The commit of the code that trained it.
        steps: Environment steps of the training.
        scores: What it reaches in `episodes` fresh episodes of each level, from 1 on; those of an
            environment without levels are under 0.
        episodes: See `scores`.
        first_seed: The episodes of level n have the seeds from ``first_seed + n * episodes`` on.
    """

    env: str
    env_kwargs: dict[str, Any]
    memory: str
    seed: int
    command: str
    commit: str | None
    steps: int
    scores: dict[int, Score]
    episodes: int
    first_seed: int

    @property
    def hardest_level(self) -> int:
        """The highest level; 0 if there are none."""
        return max(self.scores)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON."""
        return asdict(self)


@lru_cache(maxsize=1)
def read_index() -> Mapping[str, Pretrained]:
    """Returns what is known of all models, by name."""
    data = json.loads(resources.files(__name__).joinpath(INDEX).read_text(encoding="utf-8"))
    found = {}
    for name, fields in data.items():
        scores = {int(level): Score(*score) for level, score in fields["scores"].items()}
        found[name] = Pretrained(**{**fields, "scores": scores})
    return found


def find_pretrained(name: str) -> Pretrained:
    """Returns what is known of a model.

    Raises:
        ValueError: If there is none of that name; says which there are.
    """
    models = read_index()
    return models[check_choice("pretrained", name, models)]


def load_pretrained(name: str, device: torch.device | str = "auto") -> MemoryAlgorithm:
    """Loads a model that comes with the package, to predict or to be looked at.

    Args:
        name: A name such as "rl-ntm/Copy"; ``memory-envs list`` shows them.
        device: PyTorch device, or ``"auto"``.

    Raises:
        ValueError: If there is none of that name; says which there are.
    """
    from agents.algorithms.loading import model_class
    from agents.saving.model_loading import load_model

    find_pretrained(name)
    with resources.as_file(resources.files(__name__).joinpath(f"{name}.zip")) as path:
        model = load_model(model_class(path), path, None, device, {}, policy_state=None)
        model.last_checkpoint = str(path)
        return model
