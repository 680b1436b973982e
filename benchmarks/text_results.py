"""The texts' results as a page: ``python -m benchmarks.text_results --runs FOLDER``.

Reads what `benchmarks.text_runs` left in FOLDER, scores each model on its training set and on
held-out sequences, and adds that to benchmarks/results/text.json, where earlier results of other
runs stay. From that it writes docs/results/text.md and its picture. Each file is written whole or
not at all.
"""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from agents.algorithms.loading import load
from agents.saving.atomic import write_text
from agents.training.run_directory import RunDirectory
from benchmarks import curves
from benchmarks.recorded import (
    Record,
    head,
    machines,
    notes,
    row,
    short_commit,
    span,
    update,
)
from benchmarks.runs import PresetRun, has_ended, parts
from benchmarks.text_runs import LOGIC, PLANS, SENTENCES, TAGGING, plan
from benchmarks.text_scores import SPLITS, Scores, answers, most_frequent_tags, score, sequences

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "text.json"
PAGE = ROOT / "docs" / "results" / "text.md"
FIGURE = ROOT / "docs" / "images" / "text-question.png"
PAPER = {LOGIC: 0.99, TAGGING: 0.97, SENTENCES: 0.97}  # F1 on the training set
_TITLES = {
    "tasks": "The paper's three tasks",
    "next-loss": "The same, paid for the next step's loss",
    "ending": "Paid so, with learning rates that end at 0",
    "question": "What does Q-learning add?",
}
_MEASURES = {"f1": "F1", "right": "right", "whole": "whole"}


def scores(part: Path, env: str) -> dict[str, dict[str, float]] | None:
    """Returns `Scores` of a run's newest model on each split; None if it has no model yet.

    Those of a training that has ended are kept in its folder, since to play takes a while.

    Args:
        part: The run's folder.
        env: The id that it was trained on.
    """
    kept = part / "scores.json"
    if kept.exists():
        found: dict[str, dict[str, float]] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    try:
        model: Any = load(RunDirectory(part).newest_model())
    except ValueError:
        return None
    task = env.removeprefix("Stream-").removesuffix("-v0")
    found = {}
    for split in SPLITS:
        text = sequences(task, split)
        found[split] = _rounded(score(text, answers(model, text)))
    if has_ended(part):
        write_text(kept, json.dumps(found))
    return found


def _rounded(found: Scores) -> dict[str, float]:
    return {name: round(value, 4) for name, value in found._asdict().items()}


def read_run(run: PresetRun, folder: Path) -> Record | None:
    """What a training and its continuations did, with its scores; None if it has not begun."""
    record = curves.read_run(run, folder)
    if record is None:
        return None
    # One that was killed before its first checkpoint left what it was continued from.
    found = [scores(part, run.env) for part in reversed(parts(folder)[-2:])]
    return {**record, "scores": next((each for each in found if each), None)}


def _name(env: str) -> str:
    return env.removeprefix("Stream-").removesuffix("-v0")


def _columns(scored: list[Record], finished: bool) -> list[str]:
    """Each measure on each split: the lowest and the highest of some trainings."""
    shown = []
    for measure in _MEASURES:
        for split in SPLITS:
            text = span([each[split][measure] for each in scored], 3)
            shown.append(text if finished or not text else f"({text})")
    return shown


def _head(texts: list[str], numbers: list[str], last: list[str]) -> list[str]:
    measured = [f"{name}{of}" for name in _MEASURES.values() for of in ("", ", held out")]
    return head(texts, [*measured, *numbers], last)


def _cells(runs: list[Record]) -> list[Any]:
    """What a row says of some trainings that differ in their seeds alone."""
    scored = [run["scores"] for run in runs if run["scores"]]
    return [
        *_columns(scored, all(run["finished"] for run in runs)),
        span([run["steps"] for run in runs]),
        span([run["minutes"] for run in runs]),
        span([run["cpu_minutes"] for run in runs]),
        ", ".join(dict.fromkeys(map(short_commit, runs))),
    ]


_LAST = ["tokens", "minutes", "processor's"]


def _tasks_table(runs: list[Record]) -> list[str]:
    lines = _head(["task"], ["paper's F1", *_LAST], ["commit"])
    for run in runs:
        cells = _cells([run])
        place = len(_MEASURES) * len(SPLITS)
        cells.insert(place, PAPER[run["env"]])
        lines.append(row([_name(run["env"]), *cells]))
    return lines


def _baselines(empty: int) -> list[str]:
    """The rows of who knows words and no sentences."""
    lines = []
    for capitals in (False, True):
        found = {split: _rounded(most_frequent_tags(split, capitals)) for split in SPLITS}
        name = "Tagging, most frequent tag" + (", capitals told apart" if capitals else "")
        lines.append(row([name, *_columns([found], True), *[""] * empty]))
    return lines


def _question_table(runs: list[Record]) -> list[str]:
    lines = _head(["task", "agent", "seeds"], _LAST, ["commit"])

    def kind(run: Record) -> tuple[str, str]:
        return run["env"], run["agent"]

    first = {key: place for place, key in reversed(list(enumerate(map(kind, runs))))}
    ordered = sorted(runs, key=lambda run: (run["env"], first[kind(run)]))
    for (env, agent), found in groupby(ordered, key=kind):
        group = list(found)
        lines.append(row([_name(env), agent, len(group), *_cells(group)]))
    return lines


def page(results: dict[str, list[Record]]) -> str:
    """The page in Markdown."""
    lines = [
        "# Texts: results",
        "",
        "Written by `python -m benchmarks.text_results` from the folders that",
        "`python -m benchmarks.text_runs` left. Each model answers every sequence of its training",
        "set once, and every held-out one (`split=dev`), the most probable answer at each token.",
        "F1 is what the paper reports: the mean over the kinds of answers, weighted by how often",
        "each is right, on the training set; `right` is the share of right tokens, `whole` that of",
        "sequences without a mistake.",
        "What is in brackets is of a training that was cut off: of its newest model. Minutes are",
        "those of the clock and of the processor; each training has one thread of a machine with",
        "two cores that did other work at the same time.",
    ]
    for name, title in _TITLES.items():
        runs = results.get(name)
        if runs:
            lines += ["", f"## {title}", "", f"For example: `{runs[0]['command']}`", ""]
            if name == "question":
                lines += [*_QUESTION, "", f"![{title}](../images/{FIGURE.name})", ""]
            lines += _question_table(runs) if name == "question" else _tasks_table(runs)
            lines += _baselines(len(_LAST) + 2) if name == "tasks" else []
    lines += machines(run for runs in results.values() for run in runs)
    return "\n".join(lines) + "\n" + notes(PAGE)


_QUESTION = [
    "The memory-net of MANN-RL, as it began (`fixed`), trained by Q-learning, the same paid for",
    "the loss of the next step (`algorithm.next_loss`), the same without the action network's",
    "output as an input, and as the cell `memory-net` by gradients through time; beside them an",
    "agent without memory. All see the same number of tokens. MANN-RL takes a step of its action",
    "network for every 16 of them, with a learning rate of 0.0001, gradients through time one for",
    "16 sequences, with 0.001, as in their presets. Of several seeds the lowest and the highest",
    "are shown.",
]


def draw(results: dict[str, list[Record]]) -> None:
    """Draws the picture, if there are results for it."""
    runs = results.get("question", [])
    if runs:
        labels = ("tokens", "share of wrong answers in training")
        curves.panels(runs, FIGURE, lambda run: run["errors"], labels)


def main() -> None:
    """Write the results, their page and the picture."""
    results = update(__doc__.splitlines()[0], RESULTS, PLANS, plan, read_run)
    draw(results)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
