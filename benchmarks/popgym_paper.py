"""What the paper of POPGym published, as data: benchmarks/popgym_paper.json.

The numbers of that file are not read from the paper itself, but from code that carries them; the
file says from where. A task that is not there has no number that could be had.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAPER = Path(__file__).parent / "popgym_paper.json"


@dataclass(frozen=True)
class Published:
    """The paper's MMER on one task: mean and standard deviation over its trials.

    Attributes:
        gru: Mean of its GRU.
        gru_deviation: Standard deviation of its GRU.
        best: Mean of the best of its 13 memories.
        best_memory: Which one that is.
    """

    gru: float
    gru_deviation: float
    best: float
    best_memory: str


@dataclass(frozen=True)
class Paper:
    """What was published, and how.

    Attributes:
        title: Authors, title, place.
        table: Where in the paper the numbers stand.
        carried_by: The repository, commit and file that they were read from.
        timesteps: Environment steps of each of its trainings.
        trials: Trainings of each memory on each task.
        batch: Environment steps whose episodes' mean is one value of the curve that the maximum is
            taken of.
        measure: The repository, commit and file that say what is measured.
        tasks: The numbers, by the name of the task.
    """

    title: str
    table: str
    carried_by: Mapping[str, str]
    timesteps: int
    trials: int
    batch: int
    measure: Mapping[str, str]
    tasks: Mapping[str, Published]


def read_paper() -> Paper:
    """Returns what was published."""
    data: dict[str, Any] = json.loads(PAPER.read_text(encoding="utf-8"))
    tasks = {name: Published(**numbers) for name, numbers in data.pop("tasks").items()}
    return Paper(tasks=tasks, **data)
