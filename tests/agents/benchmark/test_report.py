"""The leaderboard: who is where, what is missing, and a page that needs nothing else."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.benchmark.reading import Run, read_runs
from agents.benchmark.report.certified import certified_scores
from agents.benchmark.report.curves import mean_curve
from agents.benchmark.report.leaderboard import leaderboards
from agents.benchmark.report.markdown import report_markdown
from agents.benchmark.report.page import page_data
from agents.benchmark.report.write import write_report
from agents.benchmark.results import Point, Result, ResultError, write_result
from agents.benchmark.submission import Submission, write_submission
from agents.benchmark.suites import SUITES, Suite, Task
from memory_envs import evaluate

Make = Callable[..., Result]
Patch = pytest.MonkeyPatch


@pytest.fixture
def results(make_result: Make) -> list[Result]:
    scores = {"good": (0.9, 0.8), "bad": (0.2, 0.3)}
    found = [
        make_result(agent, task, seed, mean + 0.01 * seed)
        for agent, means in scores.items()
        for task, mean in zip(("one", "two"), means, strict=True)
        for seed in range(3)
    ]
    return [*found, make_result("partial", "one", 0, 1.0)]


def test_the_best_comes_first_and_who_misses_a_task_last(results: list[Result]) -> None:
    (board,) = leaderboards(results)
    assert [standing.agent for standing in board.standings] == ["good", "bad", "partial"]
    good, bad, partial = board.standings
    assert good.score is not None
    assert bad.score is not None
    assert good.score.low is not None
    assert good.score.high is not None
    assert good.score.low <= good.score.value <= good.score.high
    assert good.score.value == pytest.approx((0.81 + 0.82 + 0.9 + 0.91) / 4)
    assert partial.score is None
    assert partial.missing == ("two",)
    assert (good.seeds, partial.seeds) == (3, 0)
    ((first, second, chance),) = board.improvements
    assert (first, second, chance.value) == ("good", "bad", 1.0)


def test_without_a_score_returns_are_shown(make_result: Make) -> None:
    (board,) = leaderboards([make_result("a", "one", 0, None)])
    assert board.standings[0].score is None
    assert "2.000 (return)" in report_markdown([board])


def test_markdown_has_a_line_for_each_agent_and_task(results: list[Result]) -> None:
    text = report_markdown(leaderboards(results))
    assert re.search(r"\| `good` \| 0\.\d{3} \| 0\.\d{3} to 0\.\d{3} \|", text)
    assert "`partial` (missing: two)" in text
    assert re.search(r"\| two \| - \| - \| 0\.810 ± 0\.008 \| 0\.310 ± 0\.008 \| - \|", text)


def test_a_curve_is_the_mean_at_common_steps(make_result: Make) -> None:
    curves = [
        (Point(0, None, 0.0, 0.0), Point(100, None, 0.0, 1.0)),
        (Point(0, None, 0.0, 0.0), Point(50, None, 0.0, 0.5), Point(100, None, 0.0, 0.8)),
    ]
    runs = [make_result("a", "t", k, 1.0, curve=curve) for k, curve in enumerate(curves)]
    found = mean_curve(runs)
    assert found is not None
    assert (found.steps[0], found.steps[-1], found.quantity) == (0, 100, "score")
    middle = found.steps.index(min(step for step in found.steps if step >= 50))
    assert (found.means[middle], found.lows[middle], found.highs[middle]) == (0.25, 0.0, 0.5)
    assert found.means[-1] == pytest.approx(0.9)


def test_a_report_is_two_files_and_the_page_loads_nothing(
    results: list[Result], tmp_path: Path
) -> None:
    for result in results:
        folder = tmp_path / result.agent / result.task / str(result.seed)
        write_result(result, folder)
    trace = tmp_path / "good" / "one" / "0" / "part-0" / "trace.txt"
    trace.parent.mkdir()
    trace.write_text("step by step </script>", encoding="utf-8")
    text, page = write_report([tmp_path], tmp_path / "out")
    assert text.read_text(encoding="utf-8").startswith("# Leaderboard")
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)""", html)
    assert html.count("</script>") == 2
    embedded = re.search(r'<script type="application/json" id="data">(.*)</script>', html)
    assert embedded
    (board,) = json.loads(embedded[1])["boards"]
    assert board["agents"][0]["tasks"]["one"]["trace"] == "step by step </script>"


def test_page_data_is_what_the_board_says(results: list[Result], tmp_path: Path) -> None:
    boards = leaderboards(results)
    data = page_data(boards, [Run(result, tmp_path) for result in results])
    agent = data["boards"][0]["agents"][0]
    assert agent["score"] == boards[0].standings[0].score
    assert agent["tasks"]["two"]["values"] == [0.8, 0.81, 0.82]
    json.dumps(data, allow_nan=False)


def evaluated(score: float, **changes: float | None) -> dict[str, float | None]:
    known = {"success": 0.5, "return_mean": 1.0, "length_mean": 5.0}
    return {"episodes": 1000, "seed": 7, "score": score, **known, **changes}


@pytest.mark.parametrize(
    ("env", "scale", "words"),
    [
        # The certificate of Reverse says 0.79 to 3.44, of Copy 4, of the maze 111 and no more; with
        # memory 4, 4 and 467.9, for optimal play is shown the goal.
        ("Tape-Reverse-Easy-v0", (0.0, 4.0), ("0.198 to 0.860", "1.000")),
        ("Tape-Reverse-Easy-v0", (3.9, 4.0), ("0.000", "1.000")),  # random play has no memory
        ("Tape-Copy-Easy-v0", (0.0, 4.0), ("1.000", "1.000")),
        ("Tape-Copy-Easy-v0", (0.0, 3.99), ("1.000", "1.000")),  # no more than optimal play
        ("Maze-InvisibleGoal-9x9-v0", (0.0, 520.0), ("from 0.213", "0.900")),
        ("Maze-InvisibleGoal-9x9-v0", (120.0, 520.0), ("unknown", "0.870")),
        ("Maze-InvisibleGoal-11x11-v0", (0.0, 400.0), ("from 0.161", "0.735 to 0.748")),
        ("Tape-Reverse-Easy-v0", (None, None), ("-", "-")),
        ("Tape-Reverse-Easy-v0", (4.0, 4.0), ("-", "-")),
    ],
)
def test_what_the_best_score_stands_beside_a_task(
    env: str,
    scale: tuple[float, float],
    words: tuple[str, str],
    make_result: Make,
    monkeypatch: Patch,
) -> None:
    suite = Suite("some", "one task", (Task("one", env, 1000),))
    monkeypatch.setitem(SUITES, "some", suite)
    evaluation = evaluated(0.5, random_return=scale[0], optimal_return=scale[1])
    result = make_result("a", "one", 0, 0.5, evaluation=evaluation)
    other = make_result("a", "another", 0, 0.5, evaluation=evaluated(0.5, random_return=3.0))
    boards = leaderboards([other, result])
    assert f"| one | {words[0]} | {words[1]} | 0.500 |" in report_markdown(boards)
    runs = [Run(run, Path()) for run in (other, result)]
    shown = page_data(boards, runs)["boards"][0]["certified"].get("one", {})
    found = [shown.get(name, {"words": "-"})["words"] for name in ("memoryless", "best")]
    assert tuple(found) == words


@pytest.mark.parametrize(
    ("suite", "task", "most"),
    [
        ("maze", "Maze-InvisibleGoal-9x9", 0.88),
        ("maze", "Maze-InvisibleGoal-11x11", 0.72),
        ("maze", "Maze-InvisibleGoal-13x13", 0.72),
        ("streams", "Stream-DynamicNGrams", 0.55),
    ],
)
def test_where_nobody_scores_1_is_as_the_documentation_says(
    suite: str, task: str, most: float, make_result: Make
) -> None:
    known = SUITES[suite].find(task)
    assert known is not None
    evaluation = evaluate("random", known.env).to_dict()
    found = certified_scores(suite, task, [make_result("a", task, 0, 0.0, evaluation=evaluation)])
    assert found is not None
    assert found.best.high == pytest.approx(most, abs=0.005)


def test_another_task_in_evaluations_has_no_certificate(
    make_result: Make, monkeypatch: Patch
) -> None:
    task = Task("one", "Tape-Reverse-Easy-v0", 1000, {"min_length": 9, "max_length": 9})
    monkeypatch.setitem(SUITES, "some", Suite("some", "longer", (task,)))
    evaluation = evaluated(0.5, random_return=0.0, optimal_return=10.0)
    (board,) = leaderboards([make_result("a", "one", 0, 0.5, evaluation=evaluation)])
    assert board.certified == {}


def test_no_results_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no results below"):
        write_report([tmp_path], tmp_path)
    with pytest.raises(ResultError, match="is not there"):
        write_report([tmp_path / "nowhere"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_submissions_stand_beside_results(make_result: Make, tmp_path: Path) -> None:
    own, other = (make_result(agent, "one", 0, 0.5) for agent in ("own", "other"))
    write_result(own, tmp_path / "results" / "deep")
    submission = tmp_path / "other.json"
    write_submission(Submission("Guess", "some", "somewhere", "a guess", (other,)), submission)
    runs = read_runs([tmp_path / "results", submission])
    # By the name that the submission gives, not by what its sender's command line said.
    assert [run.result.agent for run in runs] == ["Guess", "own"]
    assert [run.source for run in runs] == [submission, tmp_path / "results" / "deep"]
    text, _ = write_report([submission, tmp_path / "results"], tmp_path / "out")
    assert "`Guess`" in text.read_text(encoding="utf-8")
    with pytest.raises(ResultError, match=r"other.json and .*other.json are results of the same"):
        read_runs([submission, submission])
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    with pytest.raises(ResultError, match=r"broken.json: format is missing"):
        read_runs([broken])
