"""POPGym beside its paper: what is kept, what it is compared with, and the page of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.benchmark.reading import Run
from agents.benchmark.results import Point, Result
from agents.benchmark.suites import SUITES
from benchmarks import popgym_results
from benchmarks.popgym_page import AGENTS, page
from benchmarks.popgym_paper import read_paper
from tests.benchmarks.published import check_first_page, check_pages

COMMIT = "0123456789" * 4
PUBLISHED = popgym_results.RESULTS
PAGE = popgym_results.PAGE
PAPER = read_paper()
BATCH = PAPER.batch


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popgym_results, "RESULTS", tmp_path / "popgym.json")


def result(task: str, agent: str, seed: int = 0, **changes: Any) -> Result:
    returns = (0.1, 0.7, 0.5)
    fields: dict[str, Any] = {
        "suite": "popgym",
        "env": f"agents.benchmark.popgym_tasks:previous-action/{task}-v0",
        "timesteps": 1_000_000,
        "steps": 0 if agent == "random" else 1_001_472,
        "evaluation": {"return_mean": 0.4},
        "curve": tuple(Point(i * BATCH, None, mean, None) for i, mean in enumerate(returns)),
        "minutes": 3.0,
        "parts": 1,
        "command": "memory-envs benchmark popgym",
        "provenance": {
            "commit": COMMIT,
            "machine": {"processor": "P", "cores": 2},
            "versions": {"torch": "2", "popgym": "1.0.7"},
        },
    }
    if agent == "random":
        fields["curve"] = ()
    return Result(task=task, agent=agent, seed=seed, **{**fields, **changes})


def part(folder: Path, number: int, returns: dict[int, float]) -> None:
    """Writes what is read of a training: that it was begun, and its progress."""
    here = folder / f"part-{number}"
    here.mkdir(parents=True)
    (here / "settings.json").write_text("{}", encoding="utf-8")
    rows = "".join(f"{steps},{mean}\n" for steps, mean in returns.items())
    rows = f"time/total_timesteps,rollout/ep_rew_mean\n0,\n{rows}"
    (here / "progress.csv").write_text(rows, encoding="utf-8")


def trained(folder: Path, *means: float) -> Path:
    """Writes a training with these means in one batch after the other."""
    ends = ((i + 1) * BATCH for i in range(len(means)))
    curve = {end - back: mean for end, mean in zip(ends, means, strict=True) for back in (100, 0)}
    part(folder, 0, curve)
    return folder


def test_the_maximum_is_of_means_over_whole_batches() -> None:
    curve = [(50, 0.0), (100, 1.0), (101, 0.9), (150, 0.2), (200, 0.2), (201, 5.0)]
    assert popgym_results.training_mmer(curve, 100) == pytest.approx(0.5)
    assert popgym_results.training_mmer(curve[:1], 100) is None
    assert popgym_results.training_mmer([], 100) is None


def test_a_training_that_was_continued_is_one_curve(tmp_path: Path) -> None:
    """Of what was done twice, after a kill, the second is what was learned from."""
    part(tmp_path, 0, {1: 0.1, 2: 0.2, 3: 9.0, 4: 9.0})
    part(tmp_path, 10, {6: 0.6})
    part(tmp_path, 2, {3: 0.3, 5: 0.5})
    part(tmp_path, 3, {})
    found = popgym_results.training_curve(tmp_path)
    assert found == [(1, 0.1), (2, 0.2), (3, 0.3), (5, 0.5), (6, 0.6)]


def test_results_are_kept_once_in_the_order_of_the_suite(tmp_path: Path) -> None:
    folder = trained(tmp_path / "run", 0.25, 0.71236, 0.5)
    late, early = "popgym-RepeatFirstMedium", "popgym-AutoencodeEasy"
    last = "ppo/mnm-p"
    first = [Run(result(late, "ppo/gru", seed), folder) for seed in (1, 0)]
    untrained = result(early, "random", evaluation={"return_mean": 0.41236})
    popgym_results.keep([*first, *(Run(one, tmp_path) for one in (result(early, last), untrained))])
    again = replace(first[0].result, minutes=9.126)
    popgym_results.keep([Run(again, folder)])
    kept = popgym_results.kept()
    keys = [(run["task"], run["agent"], run["seed"], run["minutes"]) for run in kept]
    assert keys == [
        (early, "random", 0, 3.0),
        (early, last, 0, 3.0),
        (late, "ppo/gru", 0, 3.0),
        (late, "ppo/gru", 1, 9.13),
    ]
    trained_one = kept[2]
    assert (trained_one["training"], trained_one["held_out"]) == (0.7124, 0.7)
    assert (trained_one["evaluations"], trained_one["return_mean"]) == (3, 0.4)
    assert (kept[0]["training"], kept[0]["held_out"]) == (None, None)
    assert kept[0]["return_mean"] == 0.4124
    assert trained_one["versions"]["popgym"] == "1.0.7"
    assert trained_one["command"] == "memory-envs benchmark popgym"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"suite": "quick"}, r"of quick, seed 0: suite is 'quick'; allowed: popgym"),
        ({"task": "popgym-X"}, r"task is 'popgym-X'; allowed: popgym-AutoencodeEasy"),
        (
            {"env": "popgym:popgym-AutoencodeEasy-v0"},
            r"env is 'popgym:popgym-AutoencodeEasy-v0'; allowed: .*:previous-action/popgym-Auto",
        ),
        ({"agent": "ppo/ntm"}, r"agent is 'ppo/ntm'; allowed: random, ppo/gru"),
        ({"seed": 3}, r"seed is 3; allowed: integers from 0 to 2"),
        ({"timesteps": 2_000_000}, r"timesteps is 2000000; allowed: 1000000$"),
        ({"steps": 1_200_000}, r"steps is 1200000; allowed: 1000000 and a rollout more"),
        ({"provenance": {"commit": f"{COMMIT}+"}}, r"commit is '.*\+'; allowed: one of a clean"),
        ({"provenance": {}}, r"allowed: one of a clean tree"),
    ],
)
def test_what_is_not_compared_is_refused(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    good = result("popgym-AutoencodeEasy", "ppo/gru")
    with pytest.raises(ValueError, match=complaint):
        popgym_results.keep([Run(good, tmp_path), Run(replace(good, **changes), tmp_path)])
    assert not popgym_results.RESULTS.exists()


def test_the_papers_numbers_are_of_tasks_of_the_suite() -> None:
    names = {task.name for task in SUITES["popgym"].tasks}
    assert set(PAPER.tasks) < names
    for numbers in PAPER.tasks.values():
        assert -1 <= numbers.gru <= numbers.best <= 1
        assert 0 <= numbers.gru_deviation < 0.1
    assert len(PAPER.carried_by["commit"]) == len(PAPER.measure["commit"]) == 40


def test_the_page_shows_ours_beside_the_papers(tmp_path: Path) -> None:
    low, high = trained(tmp_path / "low", -0.3, -0.5), trained(tmp_path / "high", -0.2)
    known, unknown = "popgym-AutoencodeEasy", "popgym-BattleshipMedium"
    popgym_results.keep(
        [
            Run(result(known, "random", evaluation={"return_mean": -0.5}), tmp_path),
            Run(result(known, "ppo/gru", 0), low),
            Run(result(known, "ppo/gru", 1), high),
            Run(result(known, "ppo/mnm-p"), low),
            Run(result(unknown, "ppo/mnm-p"), high),
        ]
    )
    text = page(popgym_results.kept(), PAPER)
    ours = "-0.500 | -0.250 ± 0.071 | -0.300"
    assert f"| AutoencodeEasy | {ours} | -0.283 ± 0.029 | -0.283 | GRU |" in text
    assert "| BattleshipMedium |  |  | -0.200 |  |  |  |" in text
    assert "| HigherLowerMedium |  |  |  | 0.511 ± 0.002 | 0.513 | IndRNN |" in text
    assert "| `ppo/gru` | 1 | -0.250 | -0.283 | -0.283 | 1 | 1 |" in text
    assert "| `ppo/mnm-p` | 1 | -0.300 | -0.283 | -0.283 | 0 | 0 |" in text, "one has no number"
    assert "| AutoencodeEasy | -0.500 | 0.700 ± 0.000 | 0.400 ± 0.000 | 0.700 | 0.400 |" in text
    assert "| AutoencodeEasy | 3.0 ± 0.0 | 3.0 |" in text
    assert "| all runs | 6 | 6 |" in text
    agents = "--agent random --agent ppo/gru --agent ppo/mnm-p --seeds 2"
    assert f"memory-envs benchmark popgym {agents}\n" in text
    assert "gated-delta" not in text, "there is no run of it"
    assert "BattleshipMedium, " in text.partition("It has no\nnumbers for")[2]
    assert "Commits 0123456; popgym 1.0.7." in text


def check_published(docs: Path) -> None:
    """Compares the page with what was kept, and what names the page with whether there is one."""
    check_pages(docs, "popgym", [popgym_results.PAGE], popgym_results.pages())


def test_what_is_published_is_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popgym_results, "RESULTS", PUBLISHED)
    check_published(PAGE.parents[1])


def test_what_is_kept_was_run_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popgym_results, "RESULTS", PUBLISHED)
    for run in popgym_results.kept():
        assert run["command"].startswith("memory-envs benchmark popgym ")
        assert run["agent"] in AGENTS
        assert (run["training"] is None) == (run["agent"] == "random")


def test_the_page_is_written_once_there_is_a_result_and_is_held_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    monkeypatch.setattr(popgym_results, "PAGE", docs / "results" / "popgym.md")
    monkeypatch.setattr("sys.argv", ["popgym_results"])
    folder = trained(tmp_path / "run", 0.5)
    first = Run(result("popgym-RepeatFirstEasy", "ppo/gru"), folder)
    named = {"index.md": "results\nresults/popgym\n", "results/index.md": "[POPGym](popgym.md)"}
    check_first_page(
        docs, named, popgym_results.main, lambda: popgym_results.keep([first]), check_published
    )
    popgym_results.keep([Run(result("popgym-RepeatFirstEasy", "random"), folder)])
    with pytest.raises(AssertionError, match=r"run its generator"):
        check_published(docs)
