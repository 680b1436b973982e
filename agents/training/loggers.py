"""Where the numbers of a training run are logged."""

from __future__ import annotations

import os
from typing import Any

from stable_baselines3.common.logger import (
    CSVOutputFormat,
    KVWriter,
    Logger,
    TensorBoardOutputFormat,
    filter_excluded_keys,
)

from agents.training.run_directory import RunDirectory


class WandbWriter(KVWriter):
    """Sends numbers to Weights & Biases.

    Args:
        run: A `wandb` run.
    """

    def __init__(self, run: Any) -> None:
        self.run = run

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Logs the numbers that TensorBoard would show."""
        self.run.log(filter_excluded_keys(key_values, key_excluded, "tensorboard"), step=step)

    def close(self) -> None:
        """Ends the run."""
        self.run.finish()


def make_logger(run: RunDirectory, wandb_run: Any = None) -> Logger:
    """Returns a logger of `progress.csv`, the TensorBoard log and, if given, to a `wandb` run."""
    run.path.mkdir(parents=True, exist_ok=True)
    writers: list[KVWriter] = [
        CSVOutputFormat(str(run.progress)),
        TensorBoardOutputFormat(str(run.tensorboard)),
    ]
    if wandb_run is not None:
        writers.append(WandbWriter(wandb_run))
    return Logger(str(run.path), writers)


def start_wandb(run: RunDirectory, settings: dict[str, Any]) -> Any:
    """Begins a Weights & Biases run: offline, with its files in the run's folder, without a key.

    Raises:
        ImportError: If `wandb` is not installed.
    """
    import wandb

    has_key = bool(os.environ.get("WANDB_API_KEY") or wandb.api.api_key)
    default_mode = "online" if has_key else "offline"
    return wandb.init(
        project="memory-envs",
        name=run.path.name,
        dir=str(run.path),
        config=settings,
        mode=os.environ.get("WANDB_MODE", default_mode),  # type: ignore[arg-type]  # wandb checks
    )
