"""The folder that a training run leaves behind.

    settings.json         everything needed to do the run again
    model.zip             the model
    curriculum.json       where the curriculum stood, if there was one
    checkpoints/          the model on the way; model-latest.zip is replaced every minute
    tensorboard/          the TensorBoard log
    progress.csv          the same numbers as a table
    evaluation.json       the model on fresh episodes
    learning_curve.png    success, return and level against steps
    trace.txt, trace.png  one episode, step by step; trace.html if it was asked for

The two logs grow; every other file is written whole or not at all.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

# A run's environments are seeded from here on. Evaluations during training use the seeds between,
# and people use small ones: none of those was ever trained on.
TRAINING_SEEDS = 2**40
HELD_OUT_SEEDS = 2**36
_MOST_ROWS = 2**22

_PACKAGES = ("memory-envs", "numpy", "numba", "gymnasium", "torch", "stable-baselines3")


class RunDirectory:
    """Where the files of a run are.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.json"
        self.model = path / "model.zip"
        self.curriculum = path / "curriculum.json"
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self.progress = path / "progress.csv"
        self.evaluation = path / "evaluation.json"
        self.learning_curve = path / "learning_curve.png"
        self.trace_text = path / "trace.txt"
        self.trace_image = path / "trace.png"
        self.trace_page = path / "trace.html"

    def newest_model(self) -> Path:
        """The final model, or else the newest checkpoint.

        Raises:
            ValueError: if there is none.
        """
        if self.model.exists():
            return self.model
        checkpoints = self.checkpoints.glob("model-*.zip")
        newest = max(checkpoints, key=lambda file: file.stat().st_mtime, default=None)
        if newest is None:
            raise ValueError(
                f"{self.path} holds no model.zip and no checkpoint: the run ended before its first"
            )
        return newest

    def read_settings(self) -> dict[str, Any]:
        """What `settings.json` holds.

        Raises:
            ValueError: if there is none, or if it is no JSON object.
        """
        return self._read_object(self.settings)

    def read_curriculum(self) -> dict[str, Any]:
        """What `curriculum.json` holds.

        Raises:
            ValueError: if there is none, or if it is no curriculum's state.
        """
        state = self._read_object(self.curriculum)
        names = ("level", "running_error", "updates_since_advance")
        if missing := [name for name in names if name not in state]:
            raise ValueError(f"{self.curriculum} does not say {', '.join(missing)}")
        return state

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
        """The columns of `progress.csv`: (environment steps, value) wherever there is a value."""
        columns: dict[str, list[tuple[int, float]]] = {}
        with self.progress.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                steps = int(row["time/total_timesteps"])
                for name, text in row.items():
                    if text:
                        columns.setdefault(name, []).append((steps, float(text)))
        return columns


def new_run_path(root: Path, env_id: str, algorithm: str, memory: str, seed: int) -> Path:
    """A folder name under `root` that says what the run was."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", env_id)
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    return root / f"{name}-{algorithm}-{memory}-{seed}-{moment}"


def training_seed(seed: int, part: int = 0) -> int:
    """The seed of the first row of a run's environments.

    Args:
        seed: the run's.
        part: how many runs this one continues: each part meets other episodes.
    """
    return TRAINING_SEEDS + (16 * seed + part % 16) * _MOST_ROWS


def circumstances() -> dict[str, Any]:
    """What a result depends on beside its settings: time, versions, commit and machine."""
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{package: _version(package) for package in _PACKAGES},
        },
        "commit": _commit(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this code, with "+" if files differ from it; None outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return run.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # not merely installed inside some checkout
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()
