"""The published leaderboards: ``python -m benchmarks.leaderboards [--results FOLDER]``.

They are made of the submissions in benchmarks/submissions, a file for each agent. Those of the
agents of `benchmarks.baselines` and of random play are this project's own: FOLDER, which
`memory-envs benchmark` filled, replaces in them what it has. Others are left as they are. Without a
submission there are no pages; the first ones are to be named in docs/index.md and
docs/results/index.md.
"""

import argparse
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from agents.benchmark.reading import Run, read_runs
from agents.benchmark.report.leaderboard import leaderboards
from agents.benchmark.report.markdown import report_markdown
from agents.benchmark.report.page import report_page
from agents.benchmark.results import Result
from agents.benchmark.submission import Submission, read_submission, write_submission
from agents.saving.atomic import write_text
from benchmarks.accepted import check_result
from benchmarks.recorded import notes

ROOT = Path(__file__).parents[1]
SUBMISSIONS = ROOT / "benchmarks" / "submissions"
PAGE = ROOT / "docs" / "results" / "leaderboard.md"
BOARD = ROOT / "docs" / "_static" / "leaderboard.html"
SUITES = ("quick", "tape-easy", "tape", "maze")
SEEDS = 3
CODE = "this repository, at the commit that each result names"
OURS = "Recurrent PPO of this project, "
# By what the command line calls an agent: its name, and what it is.
AGENTS = {
    "random": ("random", "Uniformly random actions."),
    "benchmarks.baselines:none": ("PPO/none", f"{OURS}without a memory."),
    "benchmarks.baselines:lstm": ("PPO/LSTM", f"{OURS}LSTM."),
    "benchmarks.baselines:gru": ("PPO/GRU", f"{OURS}GRU."),
    "benchmarks.baselines:gated_delta": ("PPO/gated-delta", f"{OURS}gated delta network."),
    "benchmarks.baselines:mnm_p": (
        "PPO/MNM-p",
        f"{OURS}metalearned neural memory with a learned rule.",
    ),
    "benchmarks.baselines:recurrent_ppo": (
        "RecurrentPPO (sb3-contrib)",
        "RecurrentPPO of sb3-contrib, an LSTM for the policy and one for the critic.",
    ),
    "benchmarks.baselines:frame_stacking": (
        "PPO, 4 frames (SB3)",
        "PPO of Stable-Baselines3, which sees the last four observations.",
    ),
}


def command(suite: str) -> str:
    """Returns the command that makes the results of a suite."""
    agents = [f"--agent {shlex.quote(agent)}" for agent in AGENTS]
    return f"memory-envs benchmark {suite} {' '.join(agents)} --seeds {SEEDS}"


def path_of(agent: str) -> Path:
    """Returns the file of an agent's submission."""
    return SUBMISSIONS / f"{re.sub(r'[^A-Za-z0-9.]+', '-', agent).lower()}.json"


def keep(results: Iterable[Result]) -> None:
    """Adds results to the submissions of their agents, in place of earlier ones of the same runs.

    Raises:
        ValueError: If a result is not one that is published, see `check_result`.
    """
    new: dict[str, dict[tuple[str, str, str, int], Result]] = {agent: {} for agent in AGENTS}
    for result in results:
        check_result(result, SUITES, AGENTS, SEEDS)
        new[result.agent][result.key] = result
    for agent, found in new.items():
        if not found:
            continue
        path = path_of(agent)
        before = read_submission(path).results if path.exists() else ()
        merged = {result.key: result for result in before} | found
        ordered = tuple(merged[key] for key in sorted(merged))
        name, about = AGENTS[agent]
        write_submission(Submission(name, "memory-envs", CODE, about, ordered), path)


def published() -> list[Run]:
    """Returns the results of all submissions."""
    return read_runs(sorted(SUBMISSIONS.glob("*.json")))


def page(runs: Sequence[Run]) -> str:
    """Returns the page of the documentation, in Markdown."""
    results = [run.result for run in runs]
    suites = [name for name in SUITES if any(result.suite == name for result in results)]
    machines = {
        f"{found['processor']}, {found['cores']} cores"
        for result in results
        if (found := result.provenance.get("machine"))
    }
    lines = [
        "[The same as a page](../_static/leaderboard.html) that sorts, filters and shows curves.",
        "[What is measured, and how results are sent](../how-to/benchmark-your-agent.md). Those of",
        "this project are by",
        "",
        "```console",
        *map(command, suites),
        "python -m benchmarks.leaderboards --results results/",
        "```",
        "",
        f"Machine: {'; '.join(sorted(machines))}; each run had one thread. Commits, versions and",
        "curves stand in the files of `benchmarks/submissions/`.",
        "",
        "The agents of `benchmarks.baselines` have one PPO with the same settings for all, no",
        "presets and no curriculum.",
        "",
        "## The agents",
        "",
        *_agents(runs),
        "",
    ]
    title, _, rest = report_markdown(leaderboards(results)).partition("\n")
    return f"{title}\n\n" + "\n".join(lines) + rest + notes(PAGE)


def _agents(runs: Sequence[Run]) -> list[str]:
    """Returns a table of who was sent by whom."""
    lines = ["| agent | what it is | `--agent` | by | code |", "| --- | --- | --- | --- | --- |"]
    for path in dict.fromkeys(run.source for run in runs):
        sent = read_submission(path)
        words = ", ".join(f"`{name}`" for name in sorted({found.agent for found in sent.results}))
        lines.append(f"| `{sent.agent}` | {sent.about} | {words} | {sent.authors} | {sent.code} |")
    return lines


def pages(runs: Sequence[Run]) -> dict[Path, str]:
    """Returns the files that show results; none if there are none."""
    if not runs:
        return {}
    board = report_page(leaderboards([run.result for run in runs]), runs)
    return {PAGE: page(runs), BOARD: board}


def main() -> None:
    """Keeps new results if there are some, and writes the two pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="a folder that `memory-envs benchmark` filled")
    folder = parser.parse_args().results
    if folder is not None:
        keep(run.result for run in read_runs([folder]))
    for path, text in pages(published()).items():
        write_text(path, text)


if __name__ == "__main__":
    main()
