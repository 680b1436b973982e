"""The text of docs/environments.md and of the pages below it, which docs/generate.py writes."""

import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
from arguments import arguments_list
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
_SECTIONS = (
    "Rewards",
    "Episode End",
    "Info",
    "Success",
    "Memory Demand",
    "Optimal Return",
    "References",
    "Version History",
)
_RETURNS = """\
Mean returns, of random and optimal play over the seeds 0 to 999. Without memory: the best that a
policy can get that sees the present observation alone, between
[certified bounds](../certificates.md); with memory: the same of all that was seen. A dash: not
certified. `memory-envs certify {}` says how each bound is known."""
_WRITTEN = "<!-- Written by docs/generate.py. -->\n"
_TOCTREE = """\
```{{toctree}}
:hidden:
:maxdepth: 1

{}
```"""
_INTRODUCTION = """\
Every task has a page of its own: optimal play as a moving picture, what it pays, and what can be
had with and without memory. Tasks of one kind are a family, which shares rules and arguments.
After `pip install .` in the project's folder:

```python
import gymnasium as gym

env = gym.make("memory_envs:Tape-Reverse-v0")
observation, info = env.reset(seed=0)
```

`memory-envs list` shows all ids with what optimal play gets, `memory-envs play ID` lets you try
one. That command comes with [the agents](install.md)."""
# Pages of results beside those of the presets, by family.
_RESULTS = {"maze": "maze", "stream": "streams"}


def overview() -> str:
    """Returns the page of all environments, a gallery, as Markdown."""
    pages = "\n".join(f"environments/{family}" for family in FAMILIES)
    parts = [f"{_WRITTEN}# Environments", _INTRODUCTION, _TOCTREE.format(pages)]
    for family in FAMILIES:
        rules = f"[Rules, ids and arguments](environments/{family}.md)."
        parts += [f"## {_title(family)}", f"{_summary(family)} {rules}", _gallery(family)]
    return "\n\n".join(parts) + "\n"


def family_page(family: str) -> str:
    """Returns the page of a family, with what holds for all its tasks, as Markdown."""
    intro, _, rest = _docstring(family).partition("\n## ")
    text = f"## {rest}".partition("## Arguments\n")
    sections = text[2].partition("\n## ")[2]
    pages = "\n".join(f"{task.name} <{task.slug}>" for task in _tasks_of(family))
    parts = [
        f"{_WRITTEN}# {_title(family)}",
        intro.strip(),
        "## Tasks",
        _ids(family),
        text[0].strip(),
        "## Arguments",
        f'Of `gym.make`, such as `gym.make("memory_envs:{_tasks_of(family)[0].shown.id}", ...)`; '
        "an id stands for some of them.",
        arguments_list(_environment(family)),
        f"## {sections.strip()}",
        _TOCTREE.format(pages),
    ]
    return "\n\n".join(parts) + "\n"


def task_page(task: Task) -> str:
    """Returns the page of a task as Markdown."""
    sections = _sections(task.family)
    shown = task.shown.id
    parts = [
        f"{_WRITTEN}# {task.family.title()}: {task.name}",
        *_told(task),
        f"![Optimal play of {shown}](../images/environments/{task.slug}.gif)",
        "The picture shows optimal play of a short episode "
        f"([rules of the family]({task.family}.md), [arguments]({task.family}.md#arguments)).",
        _in_code(task),
        *_starting_state(task),
        "## What can be had",
        _returns(task),
        _RETURNS.format(shown),
        *_learnt(task),
        *_arguments(task),
        *(f"## {name}\n\n{sections[name]}" for name in _SECTIONS),
    ]
    return "\n\n".join(parts) + "\n"


def _title(family: str) -> str:
    return f"{family.title()} family"


def _tasks_of(family: str) -> list[Task]:
    return [task for task in tasks() if task.family == family]


def _gallery(family: str) -> str:
    """A tile for each task: its picture, its name, and what it is."""
    tiles = [
        f"""\
:::{{container}} tile
[![](images/environments/{task.slug}.gif)**{task.name}**](environments/{task.slug}.md)

{_what(task)}
:::"""
        for task in _tasks_of(family)
    ]
    return "\n".join(["::::{container} gallery", *tiles, "::::"])


def _ids(family: str) -> str:
    rows = ["| task | what it is | ids |", "| --- | --- | --- |"]
    for task in _tasks_of(family):
        ids = [f"`{spec.id}`" for spec in task.specs]
        if len(ids) > 4:  # the tasks of bAbI
            ids = [ids[0], ids[1], f"... {ids[-1]}"]
        rows.append(f"| [{task.name}]({task.slug}.md) | {_what(task)} | {', '.join(ids)} |")
    return "\n".join(rows)


def _environment(family: str) -> type[Any]:
    """The class of a family's environments."""
    spec = next(spec for spec in ENVIRONMENTS.values() if spec.family == family)
    module, _, name = spec.entry_point.partition(":")
    found: type[Any] = getattr(importlib.import_module(module), name)
    return found


@cache
def _docstring(family: str) -> str:
    docstring = inspect.getdoc(_environment(family))
    assert docstring is not None
    docstring = docstring.replace("``", "`")
    return re.sub(r"`docs/([\w/-]+)\.md`", r"[\1](../\1.md)", docstring)


def _sections(family: str) -> dict[str, str]:
    """Returns the sections of a family's docstring, by heading."""
    parts = _docstring(family).split("\n## ")[1:]
    return {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}


def _told(task: Task) -> list[str]:
    """What a task is, and what has to be remembered where the table of README says so."""
    remembered = [row[2] for row in _readme_rows(task)]
    return [_what(task), *(f"**What has to be remembered:** {text}." for text in remembered)]


def _what(task: Task) -> str:
    """What a task is, by the table of README; else by the list in the family's docstring."""
    texts = [row[1] for row in _readme_rows(task)]
    if not texts:
        intro = _docstring(task.family).partition("\n## ")[0]
        listed = re.search(rf"^- {task.name}: (.*(?:\n  .*)*)\.$", intro, re.MULTILINE)
        assert listed is not None, task.slug
        texts = [re.sub(r"\n +", " ", listed[1])]
    return f"{texts[0][:1].upper()}{texts[0][1:]}."


def _readme_rows(task: Task) -> list[list[str]]:
    """The row of a task in the table of README, if it has one of its own."""
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in README.read_text(encoding="utf-8").splitlines()
    ]
    named = re.compile(rf"`{task.family.title()}-{task.name}\b(?!/)")
    return [row for row in rows if len(row) == 3 and named.match(row[0])][:1]


def _summary(family: str) -> str:
    """The first sentence of a family's docstring."""
    return _docstring(family).partition("\n\n")[0].replace("\n", " ")


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
        "`distractors`, `curriculum` and `render_mode` are those of [the family](stream.md).",
    ]


def _in_code(task: Task) -> str:
    """How it is made, and its spaces."""
    env = gym.make(task.shown.id)
    return f"""\
```python
import gymnasium as gym

env = gym.make("memory_envs:{task.shown.id}")
```

- actions: `{_space(env.action_space)}`
- observations: `{_space(env.observation_space)}`"""


def _space(space: gym.Space[Any]) -> str:
    """A space without the blanks that line up its numbers."""
    return re.sub(" +", " ", str(space)).replace("[ ", "[")
