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
from typing import TYPE_CHECKING, Any

from memory_envs.arguments import check_choice

if TYPE_CHECKING:  # imported when a model is loaded: `memory-envs list` needs no torch
    import torch

    from agents.algorithms.base import MemoryAlgorithm

INDEX = "index.json"


@dataclass(frozen=True)
class Pretrained:
    """What is known of a model.

    Attributes:
        env: the id that it was trained on.
        env_kwargs: arguments of the environment at the hardest level.
        controller: of the agent, or the name of its memory cell.
        seed: of the training.
        command: of the training.
        commit: of the code that trained it.
        steps: environment steps of the training.
        success: share of `episodes` fresh episodes solved with the most probable actions, by level.
        episodes: see `success`.
        first_seed: the episodes of level n have the seeds from ``first_seed + n * episodes`` on.
    """

    env: str
    env_kwargs: dict[str, Any]
    controller: str
    seed: int
    command: str
    commit: str | None
    steps: int
    success: dict[int, float]
    episodes: int
    first_seed: int

    @property
    def hardest_level(self) -> int:
        """The highest level."""
        return max(self.success)

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return asdict(self)


@lru_cache(maxsize=1)
def read_index() -> Mapping[str, Pretrained]:
    """All models by name."""
    data = json.loads(resources.files(__name__).joinpath(INDEX).read_text(encoding="utf-8"))
    found = {}
    for name, fields in data.items():
        success = {int(level): share for level, share in fields["success"].items()}
        found[name] = Pretrained(**{**fields, "success": success})
    return found


def find_pretrained(name: str) -> Pretrained:
    """What is known of a model.

    Raises:
        ValueError: if there is none of that name; says which there are.
    """
    models = read_index()
    return models[check_choice("pretrained", name, models)]


def load_pretrained(name: str, device: torch.device | str = "auto") -> MemoryAlgorithm:
    """Loads a model that comes with the package, to predict or to be looked at.

    Args:
        name: such as "rl-ntm/Copy"; ``memory-envs list`` shows them.
        device: PyTorch device, or ``"auto"``.

    Raises:
        ValueError: If there is none of that name; says which there are.
    """
    import agents
    from agents.saving.model_file import load_model, read_model

    find_pretrained(name)
    with resources.as_file(resources.files(__name__).joinpath(f"{name}.zip")) as path:
        algorithm = getattr(agents, read_model(path)[1]["class"])
        model: MemoryAlgorithm = load_model(algorithm, path, None, device, {}, policy_state=None)
        model.last_checkpoint = str(path)
        return model
