"""The callback that advances a curriculum while an algorithm learns."""

from __future__ import annotations

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from memory_envs import Curriculum

ERRORS = ("episodes", "symbols")


class CurriculumCallback(BaseCallback):
    """Advances a curriculum: one update per rollout, from the episodes that ended in it.

    Args:
        curriculum: the one that the training environments draw from.
        error: of an episode: with "episodes", 1 unless ``info["success"]``; with "symbols", the
            paper's, the share of the target that was missed. With the paper's, MemoryPPO on
            RepeatCopy moved on without having emitted an end mark once.

    Raises:
        ValueError: for another `error`.
    """

    def __init__(self, curriculum: Curriculum, error: str = "episodes") -> None:
        super().__init__()
        if error not in ERRORS:
            raise ValueError(f"error is {error!r}; allowed: {', '.join(ERRORS)}")
        self.curriculum = curriculum
        self.error = error

    def _on_step(self) -> bool:
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
        self.curriculum.update()
        self.logger.record("curriculum/level", self.curriculum.level)
        self.logger.record("curriculum/error", self.curriculum.running_error)
