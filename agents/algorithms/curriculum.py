"""A curriculum, and the callback that advances it while an algorithm learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from agents.algorithms.base import Marked
from memory_envs import Curriculum
from memory_envs.spec import environment_spec

ERRORS = ("episodes", "symbols")


class CurriculumCallback(BaseCallback):
    """Advances a curriculum: one update per rollout, from the episodes that ended in it.

    Streams that are learned from whole are marked by the gradient step after their rollout: they
    count before the next one begins, or when the training ends.

    Args:
        curriculum: The one that the training environments draw from.
        error: What counts as the error of an episode. With ``"episodes"`` it is 1 unless
            ``info["success"]``; with ``"symbols"``, the paper's, it is the share of the target that
            was missed. With the paper's, MemoryPPO on RepeatCopy moved on without having emitted an
            end mark once.

    Raises:
        ValueError: If there is no such `error`.
    """

    def __init__(self, curriculum: Curriculum, error: str = "episodes") -> None:
        super().__init__()
        if error not in ERRORS:
            raise ValueError(f"error is {error!r}; allowed: {', '.join(ERRORS)}")
        self.curriculum = curriculum
        self.error = error

    def _on_training_start(self) -> None:
        self._take_marked()  # those of another training

    def _on_rollout_start(self) -> None:
        self._count_marked()

    def _on_training_end(self) -> None:
        self._count_marked()

    def _on_step(self) -> bool:
        if "infos" not in self.locals:  # of streams that are learned from whole
            return True
        infos = self.locals["infos"]
        # Our algorithms say whose episodes they learn from; with those of SB3 all count.
        counted = self.locals.get("counted", self.locals["dones"])
        finished = [infos[row] for row in np.flatnonzero(counted)]
        if self.error == "symbols":
            right = (info["symbols_correct"] / info["target_size"] for info in finished)
        else:
            right = (float(info["success"]) for info in finished)
        self.curriculum.record(1.0 - share for share in right)
        return True

    def _on_rollout_end(self) -> None:
        if "infos" in self.locals:
            self._update()

    def _take_marked(self) -> Marked | None:
        """Returns the episodes that an update has marked since this was asked last."""
        marked: Marked | None = getattr(self.model, "marked", None)
        if marked is not None:
            self.model.marked = None  # type: ignore[attr-defined]  # SB3 knows no such attribute
        return marked

    def _count_marked(self) -> None:
        marked = self._take_marked()
        if marked is not None:
            right = marked.shares if self.error == "symbols" else marked.successes
            self.curriculum.record(1.0 - float(share) for share in right)
            self._update()

    def _update(self) -> None:
        self.curriculum.update()
        self.logger.record("curriculum/level", self.curriculum.level)
        self.logger.record("curriculum/error", self.curriculum.running_error)


def make_curriculum_callback(
    settings: Mapping[str, Any], env_id: str, env_kwargs: Mapping[str, Any]
) -> CurriculumCallback:
    """Makes a curriculum for one environment, and what advances it.

    Args:
        settings: Arguments of `memory_envs.Curriculum`, and `error` of `CurriculumCallback`. The
            `max_level` is the level of the environment's `max_length` unless given.
        env_id: A registered id.
        env_kwargs: Arguments of the environment in place of those that the id stands for.

    Returns:
        The callback; the environments are to be made with its `curriculum`.

    Raises:
        ValueError: If a setting is not valid, or the highest level is not known.
    """
    arguments = {**environment_spec(env_id).kwargs, **env_kwargs}
    complete = {"max_level": _hardest_level(arguments), **settings}
    error = complete.pop("error", "episodes")
    if complete["max_level"] is None:
        raise ValueError(f"{env_id} has no max_length: set curriculum.max_level, or no curriculum")
    try:
        return CurriculumCallback(Curriculum(**complete), error)
    except (TypeError, ValueError) as wrong:
        message = f"curriculum.{wrong}"
        if "max_level" not in settings:
            message = message.replace("curriculum.max_level", "env_kwargs.max_length")
        raise ValueError(message) from wrong


def _hardest_level(arguments: Mapping[str, Any]) -> Any:
    """The level of the longest input of an environment with these arguments, if it has one."""
    longest = arguments.get("max_length")
    if not isinstance(longest, int) or arguments.get("complexity", "input") == "input":
        return longest
    from memory_envs.tape.settings import find_task, level_of  # it needs Numba

    return level_of(find_task(arguments["task"]), longest, arguments["complexity"])
