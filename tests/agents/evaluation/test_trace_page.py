"""The page of a trace: its data, its safety, its files, and how a browser shows it."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from matplotlib.image import imread

from agents.cli.main import main
from agents.evaluation.trace import Trace, run_trace, trace_text
from agents.evaluation.trace.failure import NoFailureError, failing_trace
from agents.evaluation.trace.page import page_data, trace_html, trace_page
from memory_envs.scoring.policy import Turn
from tests.browser import NEEDS_BROWSER, open_page

FORWARD = "Tape-ForwardReverse-Easy-v0"
NASTY = "</script><script>alert(1)</script>{{data}}<!-- \u2028 & \"'"


def wrong_policy(turn: Turn, state: Any) -> tuple[Any, Any]:
    """Stay, and emit the end mark, which is never the first symbol."""
    return np.tile([1, 1, 5], (len(turn.starts), 1)), state


def embedded(page: str) -> Any:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(text)


def failure() -> Trace:
    return run_trace(wrong_policy, "Tape-Copy-Easy-v0", 31, env_kwargs={"on_error": "continue"})


def test_the_data_are_those_of_the_trace() -> None:
    trace = run_trace("oracle", FORWARD, seed=3, name="oracle")
    data = page_data(trace)
    assert data["steps"] == len(trace.rewards)
    assert data["facts"] == trace.title().split("   ")
    source, memory = data["tapes"]
    assert (source["writes"], memory["writes"]) == (False, True)
    assert len(source["rows"]) == 1, "a row that stays is stored once"
    for shown, tape in zip((source, memory), trace.history.tapes, strict=True):
        assert shown["heads"] == tape.heads.tolist()
        for step, cells in enumerate(tape.cells.tolist()):
            assert list(shown["rows"][shown["row"][step]]) == [trace.symbol(n) for n in cells]
    assert [symbol for symbol in data["output"]["symbols"] if symbol] == data["output"]["target"]
    header = trace_text(trace).splitlines()[2]
    assert data["table"]["headers"] == ["step", *re.split(r"  +", header)[1:]]
    assert [row[0] for row in data["table"]["rows"]] == [str(n + 1) for n in range(data["steps"])]
    assert data["reason"] == ""


def test_a_failure_says_why() -> None:
    data = page_data(failure())
    assert data["output"]["target"] == ["3", "2", "1", "■"]
    assert data["reason"] == "3 wrong symbols, the first in step 1: ■, not 3"
    short = page_data(run_trace(wrong_policy, "Tape-Copy-Easy-v0", seed=31))
    expected = "1 wrong symbol, in step 1: ■, not 3; the episode ended after 1 of 4 symbols"
    assert short["reason"] == expected


@pytest.mark.parametrize(
    ("policy", "env_id", "kinds"),
    [
        ("oracle", "Maze-InvisibleGoal-9x9-v0", {"path", "curve", "observations"}),
        ("random", "CartPole-v1", {"curve", "observations"}),
        ("random", "Pendulum-v1", {"curve", "observations"}),
        ("oracle", "Algorithmic/ReversedAddition-v0", {"output"}),
        ("oracle", "Tape-Sort-v0", {"output"}),
        ("oracle", "Stream-RepeatCopy-v0", {"output"}),
    ],
)
def test_every_family_has_a_page(policy: Any, env_id: str, kinds: set[str]) -> None:
    data = embedded(trace_page(run_trace(policy, env_id, seed=1)))
    names = ("path", "curve", "observations", "output")
    assert {name for name in names if data[name] is not None} == kinds
    assert bool(data["tapes"]) == ("output" in kinds)


def test_nothing_leaves_its_place_and_nothing_is_loaded() -> None:
    trace = run_trace("random", "CartPole-v1", seed=0, name=NASTY)
    page = trace_page(trace)
    assert embedded(page)["facts"][1] == NASTY
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    assert "alert(1)</script>" not in page
    assert not re.search(r"(?:src|href)=(?!\"data:,\")|@import|url\(", page)
    assert "default-src 'none'" in page
    assert len(page) < 100_000


def test_an_infinite_reward_is_written_and_not_drawn() -> None:
    trace = run_trace("random", "CartPole-v1", seed=0)
    trace.rewards[1] = np.inf
    data = embedded(trace_page(trace))
    assert (data["curve"], data["rewards"][1]) == (None, "inf")


def test_the_page_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trace.html"
    trace = failure()
    trace_html(trace, path)
    before = path.read_text(encoding="utf-8")
    assert before == trace_page(trace)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        trace_html(run_trace("oracle", FORWARD, seed=3), path)
    assert path.read_text(encoding="utf-8") == before
    assert os.listdir(tmp_path) == ["trace.html"]


def test_the_first_failure_is_found() -> None:
    def sometimes(turn: Turn, state: Any) -> tuple[Any, Any]:
        """Copies all symbols but 3."""
        symbols = turn.observations[:, 0]
        actions = np.stack([np.full_like(symbols, 2), np.ones_like(symbols), symbols], axis=1)
        actions[symbols == 3, 2] = 0
        return actions, state

    env = gym.make("Tape-Copy-Easy-v0")
    fails = [3 in env.reset(seed=seed)[1]["target"].tolist() for seed in range(5, 65)]
    start = 5 + fails.index(False)
    trace = failing_trace(sometimes, "Tape-Copy-Easy-v0", start)
    assert (trace.seed, trace.success) == (5 + fails.index(True, start - 5), False)
    with pytest.raises(NoFailureError, match="none of the 60 episodes with seeds 5 to 64 failed"):
        failing_trace("oracle", "Tape-Copy-Easy-v0", 5, tries=60)
    with pytest.raises(NoFailureError, match="does not say whether an episode failed"):
        failing_trace("random", "Pendulum-v1", 5)


def test_the_command_writes_a_page_of_a_failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = f"trace random --env Tape-Copy-v0 --failure --html --out {tmp_path}"
    assert main(command.split()) == 0
    assert sorted(os.listdir(tmp_path)) == ["trace.html", "trace.txt"]
    shown = capsys.readouterr().out
    assert "failure" in shown.splitlines()[0]
    assert main(["trace", "random", "--env", "Tape-Copy-v0", "--failure", "--seed", "7"]) == 0
    assert capsys.readouterr().out == shown, "7 is where seeds start"
    assert "failure" in embedded((tmp_path / "trace.html").read_text(encoding="utf-8"))["facts"]
    assert main(["trace", "random", "--env", "Pendulum-v1", "--failure"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "memory-envs: Pendulum-v1 does not say whether an episode failed"


def browse(tmp_path: Path, page: Path, step: int, *options: str) -> str:
    """What the browser prints of a page at a step."""
    return open_page(tmp_path, f"{page.as_uri()}#step={step}", *options)


@NEEDS_BROWSER
def test_a_browser_shows_the_step_that_the_address_names(tmp_path: Path) -> None:
    trace = failure()
    page, picture = tmp_path / "trace.html", tmp_path / "page.png"
    trace_html(trace, page)
    last = len(trace.rewards)
    for step, shown in ((2, 2), (last, last), (last + 50, last)):
        dom = browse(tmp_path, page, step, "--dump-dom")
        assert f'for="slider">{shown} / {last}</output>' in dom
        (row,) = re.findall(r'<tr class="\w*" aria-current="step"><td[^>]*>(\d+)</td>', dom)
        assert int(row) == shown
        assert dom.count('class="cell head"') == 1
        misses = [step for step in trace.history.output.misses() if step < shown]  # type: ignore[union-attr]
        assert len(re.findall(r'class="cell wrong(?: now)?"', dom)) == len(misses) > 0
    browse(tmp_path, page, 2, f"--screenshot={picture}", "--window-size=900,700")
    pixels = (255 * imread(picture)[..., :3]).round().astype(int).reshape(-1, 3)
    found = set(map(tuple, np.unique(pixels, axis=0).tolist()))
    assert {(0xBF, 0x34, 0x49), (0x2F, 0x6F, 0xDE)} <= found, "a miss and a head"


@NEEDS_BROWSER
def test_slider_keys_and_buttons_move_through_the_steps(tmp_path: Path) -> None:
    trace = run_trace("oracle", FORWARD, seed=3)
    driver = """<script>
      const seen = [], look = () => seen.push(document.getElementById("counter").textContent[0]);
      const key = (name, target = document.body) => {
        target.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true})); look(); };
      const click = (name) => { document.getElementById(name).click(); look(); };
      const slider = document.getElementById("slider");
      slider.value = 4; slider.dispatchEvent(new Event("input")); look();
      key("ArrowRight"); key("ArrowLeft", slider); key("End"); key("ArrowRight"); key("Home");
      click("back"); click("forward"); document.querySelectorAll("tbody tr")[4].click(); look();
      key(" "); seen.push(document.getElementById("play").getAttribute("aria-label"));
      key(" "); seen.push(document.getElementById("play").getAttribute("aria-label"));
      document.title = seen.join(" ");
    </script>"""
    page = tmp_path / "trace.html"
    page.write_text(trace_page(trace).replace("</body>", driver + "</body>"), encoding="utf-8")
    dom = browse(tmp_path, page, 1, "--dump-dom")
    assert "<title>4 5 4 6 6 1 1 2 5 5 Pause 5 Play</title>" in dom
