"""`check_recurrent`: makes all checks, and tells what they found."""

from __future__ import annotations

from typing import Any

from agents.evaluation.conformance.adapter import MakeAdapter
from agents.evaluation.conformance.adapters import maker_of
from agents.evaluation.conformance.kit import Check, Kit
from agents.evaluation.conformance.of_play import files_keep, learns, predict_carries, same_seed
from agents.evaluation.conformance.of_returns import episode_ends, time_limits
from agents.evaluation.conformance.of_rollouts import (
    changed_environment,
    gradient_within,
    padding_counts,
    ratio_one,
    rollout_memory,
    terminal_observations,
)
from agents.evaluation.conformance.of_steps import (
    masks_respected,
    outputs_fit,
    rows_apart,
    state_reset,
)
from agents.evaluation.conformance.report import (
    FAILED,
    NOT_CHECKED,
    OK,
    FailedError,
    Finding,
    NotCheckedError,
    Report,
)
from memory_envs.arguments import check_integer
from memory_envs.scoring.policy import name_of

# A failure names its cause because whatever it rests on has passed before.
CHECKS = (
    Check("outputs", outputs_fit),
    Check("rows", rows_apart, ("outputs",)),
    Check("state reset", state_reset, ("rows",)),
    Check("terminal observations", terminal_observations, ("outputs",)),
    Check("rollout memory", rollout_memory, ("state reset", "terminal observations")),
    Check("changed environment", changed_environment, ("rollout memory",)),
    Check("ratio", ratio_one, ("rollout memory",)),
    Check("gradient", gradient_within, ("ratio",)),
    Check("padding", padding_counts, ("ratio",)),
    Check("masks", masks_respected, ("ratio",)),
    Check("episode ends", episode_ends, ("rollout memory",)),
    Check("time limits", time_limits, ("episode ends",)),
    Check("predict", predict_carries, ("state reset",)),
    Check("files", files_keep, ("outputs",)),
    Check("seed", same_seed, ("outputs",)),
    Check("learning", learns, slow=True),
)


def check_recurrent(
    model: Any,
    learn: bool = False,
    name: str | None = None,
    rows: int = 3,
    seed: int = 0,
    train_steps: int = 50_000,
) -> Report:
    """Checks whether a recurrent agent does with its memory what it should.

    Args:
        model: A `MemoryPPO`, `MemoryA2C` or `Reinforce`, or sb3-contrib's `RecurrentPPO`: new
            models of its class and settings are checked, whatever it has learnt. Or a function
            ``make(make_env, rows, seed)`` that returns an `Adapter`.
        learn: Whether to train on a small task, too, which takes seconds to minutes.
        name: What the report calls it.
        rows: Rows of environments, two or more.
        seed: Of everything random, from 0 on.
        train_steps: The most steps of that training.

    Raises:
        TypeError, ValueError: If an argument is something else; says what is allowed.
    """
    check_integer("rows", rows, 2)  # of one row nobody could say whether it depends on others
    check_integer("seed", seed, 0)
    check_integer("train_steps", train_steps, 1)
    make: MakeAdapter = maker_of(model)
    kit = Kit(make, rows, seed, train_steps)
    findings: dict[str, Finding] = {}
    for check in CHECKS:
        findings[check.name] = _made(check, kit, findings, learn)
    return Report(name or name_of(model), tuple(findings.values()))


def _made(check: Check, kit: Kit, findings: dict[str, Finding], learn: bool) -> Finding:
    if check.slow and not learn:
        return Finding(check.name, NOT_CHECKED, "only where it is asked for")
    for needed in check.needs:
        if findings[needed].outcome == FAILED or findings[needed].words.startswith("rests on"):
            return Finding(
                check.name, NOT_CHECKED, f"rests on {needed!r}, which is not as it should be"
            )
    try:
        check.function(kit)
    except FailedError as error:
        return Finding(check.name, FAILED, str(error))
    except NotCheckedError as error:
        return Finding(check.name, NOT_CHECKED, str(error))
    except Exception as error:  # whatever a stranger's functions raise is a finding
        return Finding(check.name, FAILED, f"raised {type(error).__name__}: {error}")
    return Finding(check.name, OK)
