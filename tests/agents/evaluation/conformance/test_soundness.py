"""Agents that are right in unusual ways pass; what a check would not see is never called ok."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.algorithms.a2c import MemoryA2C
from agents.evaluation.conformance import Report, check_recurrent
from agents.evaluation.conformance.adapter import MakeEnv
from tests.agents.evaluation.conformance import toy
from tests.agents.evaluation.conformance.toy import Toy


def report_on(kind: type[Toy]) -> Report:
    return check_recurrent(lambda *made_of: kind(*made_of).adapter(), name=kind.__name__)


class SeesStarts(Toy):
    """Is shown whether an episode starts, as an input of its network."""

    def make_network(self, size: int, choices: int, seed: int) -> None:
        super().make_network(size + 1, choices, seed)

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        return super().remember(torch.cat([shown, starts[:, None].float()], 1), state, starts)


class LargeValues(Toy):
    """Values are thousands: sums of them are rounded by more than those of small ones."""

    def heads(self, hidden: Tensor, masks: Any) -> tuple[Tensor, Tensor]:
        log_probs, values = super().heads(hidden, masks)
        return log_probs, 1e4 * (values + 1.0)


class LooksAtASpareEnvironment(Toy):
    """Makes one environment more, first, to learn its spaces."""

    def __init__(self, make_env: MakeEnv, rows: int, seed: int) -> None:
        make_env()
        super().__init__(make_env, rows, seed)


@pytest.mark.parametrize("kind", [SeesStarts, LargeValues, LooksAtASpareEnvironment])
def test_an_unusual_agent_that_is_right_passes(kind: type[Toy]) -> None:
    report = report_on(kind)
    assert report.failed == (), "\n".join(report.lines())
    assert report.not_checked == ("learning",), "\n".join(report.lines())


class CriticOfZeros(Toy):
    """Begins with a critic that expects nothing, and takes a time limit for an end."""

    def make_network(self, size: int, choices: int, seed: int) -> None:
        super().make_network(size, choices, seed)
        critic: Any = self.net["critic"]
        nn.init.zeros_(critic.weight)
        nn.init.zeros_(critic.bias)

    def after_time_limit(self, row: int, shown: Any, env: Any) -> float:
        return 0.0


def test_a_time_limit_is_not_checked_where_nothing_is_expected_anyway() -> None:
    report = report_on(CriticOfZeros)
    assert report.ok
    assert {"episode ends", "time limits"} <= set(report.not_checked)
    assert any("would make no difference if nothing is expected" in x for x in report.lines())


def test_rollouts_in_which_nothing_ends_are_not_called_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(toy, "STEPS", 1)
    report = report_on(Toy)
    assert report.ok, "\n".join(report.lines())
    missing = {"terminal observations", "gradient", "episode ends", "time limits"}
    assert missing <= set(report.not_checked)


def test_a_memory_that_cannot_be_seen_is_not_called_carried() -> None:
    report = check_recurrent(
        MemoryA2C("MemoryPolicy", "Tape-Copy-Easy-v0", policy_kwargs={"memory": "none"})
    )
    assert report.ok
    unseen = {"state reset", "rollout memory", "changed environment", "predict"}
    assert unseen <= set(report.not_checked)


class WeakInOneRow(Toy):
    """Row 0 starts with a state that cannot be told from a new one, and is never reset."""

    def reset(self, state: Tensor, starts: Tensor) -> Tensor:
        return state

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        weight = torch.where(shown[:, :1] == shown[0, 0], 1e-7, 1.0)
        return super().remember(shown, weight * state, starts)


def test_a_reset_is_not_called_right_where_the_row_that_starts_shows_nothing() -> None:
    found = {found.check: found.outcome for found in report_on(WeakInOneRow).findings}
    assert found["state reset"] != "ok"


def test_shapes_that_do_not_fit_are_said_of_which_part() -> None:
    def make(*made_of: Any) -> Any:
        adapter = Toy(*made_of).adapter()

        def rollout() -> Any:
            played = adapter.rollout()
            return played._replace(actions=played.actions[..., None])

        return dataclasses.replace(adapter, rollout=rollout)

    report = check_recurrent(make)
    words = "the rollout's actions have shape (16, 3, 1); allowed: (16, 3), steps before rows"
    assert report.failed == ("terminal observations",)
    assert any(words in line for line in report.lines())


def test_an_agent_that_cannot_be_made_is_told_once() -> None:
    def make(*made_of: Any) -> Any:
        raise TypeError("only pictures")

    report = check_recurrent(make)
    assert report.failed == ("outputs",)
    assert "no agent can be made" in report.lines()[0]
    assert "TypeError: only pictures" in report.lines()[0]


def test_what_is_no_adapter_is_said_to_be_none() -> None:
    kind: Any = Toy
    report = check_recurrent(lambda *made_of: kind(*made_of))
    assert "allowed: an Adapter" in report.lines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 1}, "rows is 1; allowed: integers from 2 on"),
        ({"seed": -1}, "seed is -1; allowed: integers from 0 on"),
        ({"train_steps": 0}, "train_steps is 0; allowed: integers from 1 on"),
    ],
)
def test_arguments_that_would_blame_the_agent_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_recurrent(lambda *made_of: Toy(*made_of).adapter(), **arguments)


def test_steps_are_given_what_the_page_says() -> None:
    """Where there is no state yet, all rows are said to start."""

    class Strict(Toy):
        def step(self, shown: Any, state: Any, starts: Any, masks: Any) -> Any:
            assert state is not None or np.all(starts)
            return super().step(shown, state, starts, masks)

    assert report_on(Strict).failed == ()
