"""The folder that a training run leaves behind.

    settings.json         everything needed to do the run again
    model.zip             the model, to play with
    checkpoints/          the model on the way, with everything that training needs to go on;
                          model-latest.zip is replaced every ten seconds, and at the end
    tensorboard/          the TensorBoard log
    progress.csv          the same numbers as a table
    evaluation.json       the model on fresh episodes; written last: the run is finished
    learning_curve.png    success, return and level against steps
    trace.txt, trace.png  one episode, step by step; trace.html if it was asked for
    memory_map.png        what the memory wrote and read in it, if it has anything to show;
                          memory_map.html if it was asked for

The two logs grow; every other file is written whole or not at all.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

# A run's environments are seeded from here on. Evaluations during training use the seeds between,
# and people use small ones: none of those was ever trained on.
TRAINING_SEEDS = 2**40
HELD_OUT_SEEDS = 2**36
_MOST_ROWS = 2**22


class TakenError(ValueError):
    """A folder is not free for a new run."""


class RunDirectory:
    """Where the files of a run are.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.json"
        self.model = path / "model.zip"
        self.checkpoints = path / "checkpoints"
        self.latest = self.checkpoints / "model-latest.zip"
        self.tensorboard = path / "tensorboard"
        self.progress = path / "progress.csv"
        self.evaluation = path / "evaluation.json"
        self.learning_curve = path / "learning_curve.png"
        self.trace_text = path / "trace.txt"
        self.trace_image = path / "trace.png"
        self.trace_page = path / "trace.html"
        self.memory_map_image = path / "memory_map.png"
        self.memory_map_page = path / "memory_map.html"

    def newest_model(self) -> Path:
        """Returns the final model, or else the newest checkpoint.

        Raises:
            ValueError: If there is none.
        """
        if self.model.exists():
            return self.model
        newest = self.newest_checkpoint()
        if newest is None:
            raise ValueError(
                f"{self.path} holds no model.zip and no checkpoint: the run ended before its first"
            )
        return newest

    def newest_checkpoint(self) -> Path | None:
        """Returns the checkpoint from which training goes on; None if there is none."""
        return self.latest if self.latest.exists() else None

    def claim(self, name: str = "out") -> None:
        """Makes the folder, for one run alone.

        Whoever makes the folder of checkpoints in it has it: of many that try at once, one does.

        Args:
            name: What the error calls the path.

        Raises:
            TakenError: If it is not a new or an empty folder; it is left as it is.
            OSError: If it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.check_free(name)
            self.checkpoints.mkdir()
        except FileExistsError:
            raise self._taken(name) from None

    def check_free(self, name: str = "out") -> None:
        """Raises TakenError, which calls the path `name`, if it is there and no empty folder."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise self._taken(name)

    def _taken(self, name: str) -> TakenError:
        return TakenError(f"{name} is {str(self.path)!r}; allowed: a new or an empty folder")

    def read_settings(self) -> dict[str, Any]:
        """Returns what `settings.json` holds.

        Raises:
            ValueError: If there is none, or if it is no JSON object.
        """
        return self._read_object(self.settings)

    def _read_object(self, path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{self.path} holds no {path.name}") from error
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise ValueError(f"{path} holds a {type(found).__name__}; allowed: a JSON object")
        return found

    def read_progress(self) -> dict[str, list[tuple[int, float]]]:
        """Returns the columns of `progress.csv`: (environment steps, value), where there is one."""
        columns: dict[str, list[tuple[int, float]]] = {}
        with self.progress.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                steps = int(row["time/total_timesteps"])
                for name, text in row.items():
                    if text:
                        columns.setdefault(name, []).append((steps, float(text)))
        return columns


def claim_new(root: Path, env_id: str, algorithm: str, memory: str, seed: int) -> RunDirectory:
    """Makes a folder under `root` that says what the run is; a number tells it from others.

    Raises:
        OSError: If it cannot be made.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", env_id)
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        suffix = "" if number == 1 else f"-{number}"
        run = RunDirectory(root / f"{name}-{algorithm}-{memory}-{seed}-{moment}{suffix}")
        try:
            run.claim()
        except TakenError:
            continue
        return run
    raise AssertionError("numbers do not end")


def training_seed(seed: int, part: int = 0) -> int:
    """Returns the seed of the first row of a run's environments.

    Args:
        seed: The run's seed.
        part: How many runs this one continues: each part meets other episodes.
    """
    return TRAINING_SEEDS + (16 * seed + part % 16) * _MOST_ROWS
