"""The text of docs/environments.md and of a page for each task, which docs/generate.py writes."""

import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import gymnasium as gym
from tasks import FAMILIES, Task, tasks

from agents.algorithms.pretrained import read_index
from agents.cli.optima import read_optima
from agents.training.presets.results import preset_results
from memory_envs import ENVIRONMENTS
from memory_envs.certificates import Interval, read_certificates
from memory_envs.spec import environment_spec
from memory_envs.stream.task import LARGEST_LENGTH
from memory_envs.stream.tasks import TASKS as STREAM_TASKS

README = Path(__file__).parents[1] / "README.md"
_SECTIONS = ("Rewards", "Episode End", "Info", "Success", "Memory Demand", "Optimal Return")
_RETURNS = """\
Mean returns, of random and optimal play over the seeds 0 to 999. Without memory: the best that a
policy can get that sees the present observation alone, between
[certified bounds](../certificates.md); with memory: the same of all that was seen. A dash: not
certified. `memory-envs certify {}` says how each bound is known."""
# Pages of results beside those of the presets, by family.
_RESULTS = {"maze": "maze", "stream": "streams"}


def overview() -> str:
    """Returns the page of all families as Markdown."""
    parts = [
        "# Environments\n\nWritten by `docs/generate.py` from the classes' docstrings. "
        "Every task has a page of its own,\nwith a moving picture of optimal play:\n",
        _contents(),
    ]
    for family in FAMILIES:
        ids = "\n".join(f"- `{spec.id}`" for spec in ENVIRONMENTS.values() if spec.family == family)
        # The class docstrings use second-level headings; below a family they go one deeper.
        body = _docstring(family).replace("\n## ", "\n### ")
        parts.append(f"## {family.title()} family\n\n{ids}\n\n{body}\n")
    return "\n".join(parts)


def task_page(task: Task) -> str:
    """Returns the page of a task as Markdown."""
    sections = _sections(task.family)
    shown = task.shown.id
    parts = [
        f"# {task.family.title()}: {task.name}",
        *_readme_lines(task),
        f"![Optimal play of {shown}](../images/environments/{task.slug}.gif)",
        "The picture shows optimal play of a short episode "
        f"([the rules of the family](../environments.md#{task.family}-family)).",
        *_starting_state(task),
        "## What can be had",
        _returns(task),
        _RETURNS.format(shown),
        *_learnt(task),
        "## Spaces",
        _spaces(task),
        *_arguments(task),
        *(f"## {name}\n\n{sections[name]}" for name in _SECTIONS),
    ]
    return "<!-- Written by docs/generate.py. -->\n" + "\n\n".join(parts) + "\n"


def _contents() -> str:
    lines = "\n".join(f"environments/{task.slug}" for task in tasks())
    return f"```{{toctree}}\n:maxdepth: 1\n\n{lines}\n```\n"


@cache
def _docstring(family: str) -> str:
    spec = next(spec for spec in ENVIRONMENTS.values() if spec.family == family)
    module, _, name = spec.entry_point.partition(":")
    docstring = inspect.getdoc(getattr(importlib.import_module(module), name))
    assert docstring is not None
    return docstring.replace("``", "`")


def _sections(family: str) -> dict[str, str]:
    """Returns the sections of a family's docstring, by heading."""
    parts = _docstring(family).split("\n## ")[1:]
    return {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}


def _readme_lines(task: Task) -> list[str]:
    """What the table of README says of a task: what it is, and what has to be remembered."""
    for row in README.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        named = re.findall(r"`([A-Z][A-Za-z]+-[A-Za-z]+)", cells[0]) if len(cells) == 3 else []
        if f"{task.family.title()}-{task.name}" in named:
            what, remembered = cells[1][:1].upper() + cells[1][1:], cells[2]
            return [f"{what}.", f"**What has to be remembered:** {remembered}."]
    return []


def _starting_state(task: Task) -> list[str]:
    """What the family's docstring says of how an episode begins, of this task if it tells tasks."""
    text = _sections(task.family)["Starting State"]
    listed = re.search(rf"^- {task.name}: (.*(?:\n  .*)*)", text, re.MULTILINE)
    if listed is not None:
        text = re.sub(r"\n +", "\n", listed[1])
        text = text[0].upper() + text[1:]
    elif f"\n`{task.name}-" in text:  # whose paragraphs come last
        text = text[text.index(f"\n`{task.name}-") + 1 :]
    return ["## Starting State", text]


def _returns(task: Task) -> str:
    rows = [
        "| id | random | without memory | with memory | optimal | steps at most |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for spec in task.specs:
        optimum, certificate = read_optima()[spec.id], read_certificates().get(spec.id)
        numbers = (
            f"{optimum['random']:.2f}",
            _interval(certificate.memoryless) if certificate else "-",
            _interval(certificate.best) if certificate else "-",
            f"{optimum['optimum']:.2f}",
            str(optimum["max_steps"]),
        )
        rows.append(f"| `{spec.id}` | {' | '.join(numbers)} |")
    return "\n".join(rows)


def _interval(interval: Interval) -> str:
    ends = dict.fromkeys(f"{end:.2f}" for end in (interval.lower, interval.upper))
    return " to ".join(ends)


def _learnt(task: Task) -> list[str]:
    """What agents of ours reach, and which trained ones come with the package."""
    rows = [
        f"| `{spec.id}` | {result.agent} | {result.solved} of {result.runs} "
        f"| {result.lowest:.3f} | {result.highest:.3f} |"
        for spec in task.specs
        for result in preset_results(spec.id)
    ]
    ids = {spec.id for spec in task.specs}
    trained = [f"`{name}`" for name, model in read_index().items() if model.env in ids]
    table = [
        "| id | agent | seeds that solve it | lowest success | highest success |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    parts = ["## What agents reach"]
    if rows:
        parts += [
            "\n".join([*table, *rows]),
            "Runs of presets; a seed solves the task with a success of 0.95 on fresh episodes. "
            "[All runs](../results/presets.md),\nand [those of RL-NTM](../results/rl-ntm.md).",
        ]
    else:
        parts.append("No run of a preset is kept for this task.")
    if task.family in _RESULTS:
        parts.append(f"[Results of the family](../results/{_RESULTS[task.family]}.md).")
    if trained:
        parts.append(f"[Trained models](../pretrained.md): {', '.join(trained)}.")
    return parts


def _arguments(task: Task) -> list[str]:
    """What the numbers of a stream's task are called, what they are and what they may be."""
    stream = STREAM_TASKS.get(task.name) if task.family == "stream" else None
    if stream is None:
        return []
    given = dict(environment_spec(task.shown.id).kwargs)
    delays = f"0 to {LARGEST_LENGTH:,}" if stream.question else "0"
    lengths = f"{stream.lowest_length:,} to {stream.highest_length:,}"
    rows = [
        ("min_length", stream.min_length, lengths),
        ("max_length", stream.max_length, lengths),
        *(
            (name, default, f"{low:,} to {high:,}")
            for name, default, low, high in stream.parameters
        ),
        ("delay", 0, delays),
    ]
    lines = ["| argument | by default | allowed |", "| --- | ---: | ---: |"]
    lines += [f"| `{name}` | {given.get(name, value)} | {range_} |" for name, value, range_ in rows]
    return [
        "## Arguments",
        f"Whole numbers; the defaults are those of `{task.shown.id}`.",
        "\n".join(lines),
        "`distractors`, `curriculum` and `render_mode` are those of "
        "[the family](../environments.md#stream-family).",
    ]


def _spaces(task: Task) -> str:
    env = gym.make(task.shown.id)
    return (
        f"Of `{task.shown.id}`:\n\n- actions: `{env.action_space}`\n"
        f"- observations: `{env.observation_space}`"
    )
