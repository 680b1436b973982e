"""Submissions: a file that is whole, and what is wrong with one that is not true."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.benchmark.results import Result, ResultError
from agents.benchmark.run import Job, run
from agents.benchmark.submission import (
    TO_BE_SAID,
    Submission,
    check_submission,
    read_submission,
    write_submission,
)
from agents.benchmark.suites import Suite
from agents.benchmark.trial import Trial
from memory_envs.scoring.makers import from_function
from memory_envs.wrappers import FlatActions


@pytest.fixture
def sent(tiny: Suite, tmp_path: Path) -> Submission:
    """Two seeds of random play, as they would be sent."""
    results = [run(Job("tiny", "copy", "random", seed, str(tmp_path / "out"))) for seed in (0, 1)]
    return Submission(
        "random", "somebody", "https://example.org", "Plays at random.", tuple(results)
    )


def wrongs(submission: Submission, **arguments: Any) -> list[str]:
    return [found.wrong for found in check_submission(submission, **arguments) if found.wrong]


def test_what_was_written_is_read_and_nothing_is_wrong(sent: Submission, tmp_path: Path) -> None:
    write_submission(sent, tmp_path / "sent.json")
    assert read_submission(tmp_path / "sent.json") == sent
    assert wrongs(sent, replay=lambda trial: "random") == []


def changed(result: Result, **evaluation: Any) -> Result:
    return replace(result, evaluation={**result.evaluation, **evaluation})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: replace(r, timesteps=4096), "timesteps is 4096, in the suite it is 2048"),
        (lambda r: replace(r, steps=3000), "it took 3,000 steps of 2,048"),
        (lambda r: replace(r, env="Tape-Copy-v0"), "env is 'Tape-Copy-v0'"),
        (lambda r: replace(r, task="other"), "there is no such task"),
        (lambda r: changed(r, episodes=100), "not evaluated on 1000 episodes"),
        (lambda r: changed(r, success=1.5), "success is 1.5"),
        (lambda r: changed(r, score=0.9), "score is 0.9, by the returns"),
        (lambda r: changed(r, random_return=-5.0), "random_return is -5.0, played again"),
        (lambda r: changed(r, optimal_return=1.0), "optimal_return is 1.0, played again"),
        (lambda r: replace(r, provenance={}), "names no versions"),
        (lambda r: replace(r, seed=1), "is there twice"),
        (lambda r: replace(r, agent="another"), "several agents"),
    ],
)
def test_what_is_not_true_is_found(
    sent: Submission, change: Callable[[Result], Result], message: str
) -> None:
    first, second = sent.results
    found = wrongs(replace(sent, results=(change(first), second)))
    assert any(message in words for words in found), found


def test_what_nobody_filled_in_is_found(sent: Submission) -> None:
    assert wrongs(replace(sent, code=TO_BE_SAID, about=TO_BE_SAID)) == ["code, about not filled in"]


def test_an_agent_that_plays_otherwise_is_found(sent: Submission) -> None:
    found = wrongs(sent, replay=lambda trial: "oracle")
    assert len(found) == 2
    assert all("return_mean is" in words and "played again" in words for words in found)


def test_what_each_seed_came_to_is_played_again_as_it_was_wrapped(
    tiny: Suite, tmp_path: Path
) -> None:
    def writes(trial: Trial) -> Any:
        """Emits one symbol, which depends on the seed, in flat actions."""
        trial.wrap(FlatActions)
        space: Any = trial.make().unwrapped.action_space
        action = int(np.ravel_multi_index((2, 1, trial.seed), space.nvec))
        return from_function(lambda observations: np.full(len(observations), action))

    results = [run(Job("tiny", "copy", "random", seed, str(tmp_path))) for seed in (0, 1)]
    played = [
        replace(result, evaluation=trial.judge(writes(trial)).to_dict())
        for result in results
        for trial in [Trial(tiny.tasks[0], result.seed, tmp_path)]
    ]
    assert played[0].score != played[1].score
    sent = Submission("writer", "somebody", "https://example.org", "Writes.", tuple(played))
    assert wrongs(sent, replay=writes) == []
    swapped = replace(sent, results=tuple(replace(r, seed=1 - r.seed) for r in played))
    assert len(wrongs(swapped, replay=writes)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 7}, "format is 7"),
        ({"authors": ""}, "authors is ''; allowed: some text"),
        ({"results": []}, "results is"),
        ({"email": "x"}, "email is unknown"),
        ({"results": [{"format": 1}]}, "result 1: agent is missing"),
    ],
)
def test_a_file_that_is_no_submission_is_refused(
    sent: Submission, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "sent.json"
    write_submission(sent, path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change))
    with pytest.raises(ResultError, match=message):
        read_submission(path)
