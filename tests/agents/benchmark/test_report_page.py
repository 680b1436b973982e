"""How a browser shows the page of a report: sorted, filtered, opened, small and dark."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from agents.benchmark.reading import Run
from agents.benchmark.report.leaderboard import leaderboards
from agents.benchmark.report.page import report_page
from agents.benchmark.results import Result
from tests.browser import NEEDS_BROWSER, open_page

Make = Callable[..., Result]
PHONE, DESKTOP = "--window-size=500,900", "--window-size=1200,900"


@pytest.fixture
def page(make_result: Make) -> str:
    """Two agents with three seeds on two tasks, and one with a single seed."""
    scores = {"best": (0.9, 3), "<b>worst</b>": (0.1, 3), "once": (0.5, 1)}
    results = [
        make_result(agent, task, seed, score + 0.01 * seed)
        for agent, (score, seeds) in scores.items()
        for task in ("one", "two")
        for seed in range(seeds)
    ]
    return report_page(leaderboards(results), [Run(result, Path()) for result in results])


def browse(tmp_path: Path, page: str, script: str, *options: str) -> str:
    """What the browser prints of the page after a script."""
    path = tmp_path / "report.html"
    driver = f"<script>{script}</script></body>"
    path.write_text(page.replace("</body>", driver), encoding="utf-8")
    return open_page(tmp_path, path.as_uri(), *options)


def title(dom: str) -> str:
    (found,) = re.findall(r"<title>(.*?)</title>", dom)
    return str(found)


@NEEDS_BROWSER
def test_rows_are_sorted_filtered_and_opened(tmp_path: Path, page: str) -> None:
    dom = browse(
        tmp_path,
        page,
        """
        const names = () => [...document.querySelectorAll("#board .name button")]
          .map(button => button.textContent).join(",");
        const seen = [names()];
        const head = () => [...document.querySelectorAll("#board th button")];
        head()[1].click(); seen.push(names());
        head()[0].click(); seen.push(names());
        const filter = document.getElementById("filter");
        filter.value = "ONC"; filter.dispatchEvent(new Event("input")); seen.push(names());
        document.querySelector("#board tbody tr").click();
        seen.push(document.querySelectorAll("#detail .card").length);
        document.querySelector("#detail .close").click();
        seen.push(document.getElementById("detail").hidden);
        document.title = seen.join("; ");
        """,
        "--dump-dom",
    )
    orders = ["best,once,<b>worst</b>", "<b>worst</b>,once,best", "<b>worst</b>,best,once"]
    expected = [*orders, "once", "2", "true"]
    assert title(dom) == "; ".join(expected).replace("<", "&lt;").replace(">", "&gt;")
    assert 'aria-label="0.500, of a single run"' in dom


@NEEDS_BROWSER
def test_a_phone_shows_the_page_without_scrolling_sideways(tmp_path: Path, page: str) -> None:
    script = """
    document.querySelector("#board tbody tr").click();
    document.title = document.documentElement.scrollWidth - window.innerWidth;
    """
    for size in (PHONE, DESKTOP):
        assert int(title(browse(tmp_path, page, script, "--dump-dom", size))) <= 0


@NEEDS_BROWSER
def test_the_page_is_dark_where_the_reader_wants_it_so(tmp_path: Path, page: str) -> None:
    brightness = []
    for scheme in (1, 0):  # light, dark
        picture = tmp_path / f"page{scheme}.png"
        setting = f"--blink-settings=preferredColorScheme={scheme}"
        browse(tmp_path, page, "", f"--screenshot={picture}", DESKTOP, setting)
        brightness.append(float(np.median(imread(picture)[..., :3])))
    assert brightness[0] > 0.8
    assert brightness[1] < 0.3
