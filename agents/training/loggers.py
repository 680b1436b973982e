"""Where the numbers of a training run are logged."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def open_logger(run: RunDirectory, wandb_run: Any = None) -> Iterator[Logger]:
    """A logger of `progress.csv`, the TensorBoard log and, if given, to a `wandb` run.

    Raises:
        OSError: If a log cannot be written, in the block or when it is closed.
    """
    # TensorBoard writes in a thread. Its error comes up again here, at the next number that is
    # logged; the thread itself need not print it.
    hook = threading.excepthook
    threading.excepthook = lambda args: None if isinstance(args.exc_value, OSError) else hook(args)
    try:
        logger = _make_logger(run, wandb_run)
        try:
            yield logger
        except BaseException:
            with suppress(OSError):  # of a log that has just failed
                logger.close()
            raise
        logger.close()
    finally:
        threading.excepthook = hook


def _make_logger(run: RunDirectory, wandb_run: Any) -> Logger:
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
