"""The published leaderboards: what is kept, and that the pages show what is kept."""

from pathlib import Path
from typing import Any

import pytest

from agents.benchmark.results import Point, Result
from agents.benchmark.submission import check_submission, read_submission
from agents.benchmark.suites import SUITES
from benchmarks import leaderboards
from tests.benchmarks.published import check_first_page, check_pages

PUBLISHED = leaderboards.SUBMISSIONS
PAGES = (leaderboards.PAGE, leaderboards.BOARD)
LSTM = "benchmarks.baselines:lstm"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaderboards, "SUBMISSIONS", tmp_path)


def result(agent: str, seed: int = 0, score: float = 0.5, **changes: Any) -> Result:
    task = SUITES[changes.get("suite", "quick")].tasks[0]
    scale = {"random_return": 0.0, "optimal_return": 2.0}
    evaluation = {"episodes": 1000, "seed": 7, "success": 0.5, "return_mean": 2 * score}
    fields = {
        "suite": "quick",
        "env": task.env,
        "task": task.name,
        "timesteps": task.timesteps,
        "steps": task.timesteps,
        "evaluation": {**evaluation, **scale, "length_mean": 5.0, "score": score},
        "curve": (Point(0, 0.0, 0.0, 0.0),),
        "minutes": 1.0,
        "parts": 1,
        "command": leaderboards.command("quick"),
        "provenance": {"commit": "0123456", "machine": {"processor": "P", "cores": 2}},
    }
    return Result(agent=agent, seed=seed, **{**fields, **changes})


def test_results_join_the_submission_of_their_agent() -> None:
    leaderboards.keep([result(LSTM, 1), result("random")])
    leaderboards.keep([result(LSTM, 1, score=0.75), result(LSTM, 0)])
    (lstm, random) = (read_submission(leaderboards.path_of(a)) for a in (LSTM, "random"))
    assert [found.score for found in lstm.results] == [0.5, 0.75]
    assert len(random.results) == 1
    page = leaderboards.page(leaderboards.published())
    assert "0.625 ± 0.125" in page
    assert leaderboards.command("quick") in page
    assert leaderboards.command("maze") not in page, "there is no result of it"
    assert "Machine: P, 2 cores;" in page
    assert page.count("Recurrent PPO of this project, LSTM.") == 1, "it has two results"


def test_the_page_names_all_suites_and_machines() -> None:
    machine = {"commit": "0123456", "machine": {"processor": "Q", "cores": 4}}
    leaderboards.keep([result("random"), result("random", suite="maze", provenance=machine)])
    page = leaderboards.page(leaderboards.published())
    assert leaderboards.command("quick") + "\n" + leaderboards.command("maze") in page
    assert "Machine: P, 2 cores; Q, 4 cores;" in page


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"agent": "ppo/ntm"}, r"ppo/ntm on .*: agent is 'ppo/ntm'; allowed: random, benchmarks"),
        ({"seed": 3}, r"seed 3: seed is 3; allowed: integers from 0 to 2"),
        ({"suite": "streams"}, r"of streams, .*: suite is 'streams'; allowed: quick, tape-easy"),
        ({"task": "Tape-Copy"}, r"task is 'Tape-Copy'; allowed: Tape-Copy-Easy, "),
        ({"env": "Tape-Copy-v0"}, r"env is 'Tape-Copy-v0'; allowed: Tape-Copy-Easy-v0"),
        ({"timesteps": 200_000}, r"timesteps is 200000; allowed: 100000$"),
        ({"steps": 200_000}, r"steps is 200000; allowed: 100000 and a rollout more"),
        ({"provenance": {"commit": "0123456+"}}, r"commit is '0123456\+'; allowed: one of a clean"),
        ({"provenance": {}}, r"allowed: one of a clean tree"),
    ],
)
def test_what_is_not_of_the_plan_is_refused(changes: dict[str, Any], complaint: str) -> None:
    good = result(LSTM)
    with pytest.raises(ValueError, match=complaint):
        leaderboards.keep([good, result(**{"agent": LSTM, **changes})])
    assert not leaderboards.path_of(LSTM).exists()


def test_each_agent_has_a_file_of_its_own() -> None:
    assert len({leaderboards.path_of(agent) for agent in leaderboards.AGENTS}) == 8


def check_published(docs: Path) -> None:
    """Compares the pages with the submissions, and what names pages with those that there are.

    Without submissions there are no pages, and none is named.
    """
    pages = leaderboards.PAGE, leaderboards.BOARD
    check_pages(docs, "leaderboard", pages, leaderboards.pages(leaderboards.published()))


def test_what_is_published_is_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaderboards, "SUBMISSIONS", PUBLISHED)
    check_published(leaderboards.PAGE.parents[1])


def test_what_is_published_passes_the_checks_of_submissions() -> None:
    """Played again, random and optimal play give the scale that the files say."""
    for path in sorted(PUBLISHED.glob("*.json")):
        wrong = [found for found in check_submission(read_submission(path)) if found.wrong]
        assert not wrong, path


def test_pages_are_written_once_there_is_a_result_and_are_held_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, path in zip(("PAGE", "BOARD"), PAGES, strict=True):
        monkeypatch.setattr(leaderboards, name, tmp_path / "docs" / path.name)
    monkeypatch.setattr("sys.argv", ["leaderboards"])
    docs = tmp_path / "docs"
    named = {
        "index.md": "results\nresults/leaderboard\n",
        "results/index.md": "[Leaderboards](leaderboard.md)",
    }
    first = [result(LSTM), result("random")]
    check_first_page(
        docs, named, leaderboards.main, lambda: leaderboards.keep(first), check_published
    )
    text = leaderboards.PAGE.read_text(encoding="utf-8")
    said = f"Recurrent PPO of this project, LSTM. | `{LSTM}` | memory-envs |"
    assert f"| `PPO/LSTM` | {said}" in text
    assert "have presets" in text
    leaderboards.keep([result("random", score=0.9)])
    with pytest.raises(AssertionError, match=r"run its generator"):
        check_published(docs)
