"""bAbI's results as a page: ``python -m benchmarks.babi_results --runs FOLDER``.

Reads what `benchmarks.babi_runs` left in FOLDER, tests it, and adds it to
benchmarks/results/babi.json, where earlier results of other runs stay. From that it writes
docs/results/babi.md. Each file is written whole or not at all.
"""

from pathlib import Path

from agents.saving.atomic import write_text
from benchmarks.babi import FAILED, Errors, choose, failed, mean_error
from benchmarks.babi_runs import PLANS, plan
from benchmarks.recorded import (
    CUT_OFF,
    Record,
    head,
    machines,
    notes,
    read_preset_run,
    row,
    short_commit,
    update,
)
from benchmarks.runs import PresetRun, parts
from memory_envs.stream.text.babi import BABI

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "babi.json"
PAGE = ROOT / "docs" / "results" / "babi.md"
# Table 3 of Munkhdalai et al. (2019), the best runs: per cent of error.
PAPER = {
    "TPR-RNN, sentences": (
        *(0, 0.4, 3.4, 0.2, 1.0, 0.1, 1.0, 0.5, 0.3, 0.4),
        *(1.3, 0.2, 2.1, 0.2, 0, 0.4, 0.6, 0, 4.2, 0),
    ),
    "MNM-p, words": (
        *(0, 0.1, 0.9, 0, 0.3, 0, 0.3, 0, 0, 0),
        *(0, 0, 0, 0.1, 0, 0.7, 0, 0.2, 0.9, 0),
    ),
}
_TASKS = (
    *("one supporting fact", "two supporting facts", "three supporting facts"),
    *("two-argument relations", "three-argument relations", "yes/no questions", "counting"),
    *("lists and sets", "simple negation", "indefinite knowledge", "basic coreference"),
    *("conjunction", "compound coreference", "time reasoning", "basic deduction"),
    *("basic induction", "positional reasoning", "size reasoning", "path finding"),
    "agents' motivations",
)


def read_run(run: PresetRun, folder: Path) -> Record | None:
    """What a training and its continuations did; None if it has not begun."""
    record = read_preset_run(run, folder)
    if record is None or not list(folder.glob("checkpoints/*.zip")):
        return None
    chosen = choose(parts(folder))
    return {
        **record,
        "chosen": chosen.steps,
        "valid": round(100 * mean_error(chosen.valid), 3),
        "mean": round(100 * mean_error(chosen.test), 3),
        "failed": failed(chosen.test),
        "errors": _per_cent(chosen.test),
    }


def _per_cent(errors: Errors) -> list[float]:
    return [round(100 * errors[number].error, 2) for number in BABI]


def page(results: dict[str, list[Record]]) -> str:
    """The page in Markdown."""
    lines = [
        "# bAbI: results",
        "",
        "Written by `python -m benchmarks.babi_results` from the folders that",
        "`python -m benchmarks.babi_runs` left. One model learns the 20 tasks together. Errors are",
        "per cent of the test set's 1,000 questions a task, each asked once; a task with more than",
        f"{100 * FAILED:g} % has failed. Of the checkpoints that a training kept, the one with the",
        "lowest mean error on the validation set is tested. Task 3's training stories are a",
        "stand-in, most of them of the release's generator; its test set is the release's.",
        *CUT_OFF,
        "",
        "Beside them, what Munkhdalai et al. (2019) give as the best runs (Table 3).",
    ]
    for name in PLANS:
        runs = results.get(name, [])
        if runs:
            lines += ["", *_errors(runs), "", *_trainings(runs)]
    lines += machines(run for runs in results.values() for run in runs)
    return "\n".join(lines) + "\n" + notes(PAGE)


def _errors(runs: list[Record]) -> list[str]:
    columns = {run["agent"]: (run["errors"], run["mean"], run["failed"]) for run in runs}
    for name, errors in PAPER.items():
        columns[f"the paper's {name}"] = (
            list(errors),
            sum(errors) / len(errors),
            sum(error > 100 * FAILED for error in errors),
        )
    lines = head(["task"], list(columns), [])
    for index, (number, task) in enumerate(zip(BABI, _TASKS, strict=True)):
        numbers = [f"{errors[index]:.1f}" for errors, _, _ in columns.values()]
        lines.append(row([f"{number}: {task}", *numbers]))
    lines.append(row(["mean error", *(f"{mean:.2f}" for _, mean, _ in columns.values())]))
    lines.append(row(["failed tasks", *(count for _, _, count in columns.values())]))
    return lines


def _trainings(runs: list[Record]) -> list[str]:
    numbers = ["seed", "steps", "chosen", "valid", "test", "minutes", "processor's"]
    lines = [f"For example: `{runs[0]['command']}`", "", *head(["agent"], numbers, ["commit"])]
    for run in runs:
        test = f"{run['mean']:.2f}"
        cells = [run["agent"], run["seed"], f"{run['steps']:,}", f"{run['chosen']:,}"]
        cells += [f"{run['valid']:.2f}", test if run["finished"] else f"({test})"]
        cells += [run["minutes"], run["cpu_minutes"], short_commit(run)]
        lines.append(row(cells))
    return lines


def main() -> None:
    """Write the results and their page."""
    results = update(__doc__.splitlines()[0], RESULTS, PLANS, plan, read_run)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
