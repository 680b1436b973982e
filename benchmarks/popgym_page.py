"""The page that shows our runs on POPGym beside the numbers of its paper."""

import shlex
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

from agents.benchmark.suites import SUITES
from benchmarks.popgym_paper import Paper
from benchmarks.recorded import Record, head, machines, row, short_commit

# The GRU is the paper's best memory, so the difference between the two GRUs is not the memory. The
# others are the two best of ours on what they were tried on before: the published leaderboards
# have them, too. Random play says where a scale begins.
AGENTS = {
    "random": "uniformly random actions",
    "ppo/gru": "the memory that is the paper's best, 128 numbers",
    "ppo/gated-delta": "gated delta network, 1,600 numbers",
    "ppo/mnm-p": "metalearned neural memory with a learned rule, 3,360 numbers",
}
LEVELS = ("Easy", "Medium")
_DIFFERENCES = """\
To our disadvantage:

- A fifteenth of the steps.
- "Best of 13" picks the best memory on each task. Ours were picked on other tasks.

To our advantage:

- On held-out episodes ours take the most probable actions, where the paper's are drawn. In training
  both are drawn: that is the table to compare.
- Settings are those of our preset for any environment, the same for every task and every memory, as
  in the paper. But the first weights of our GRU were chosen with those of the LSTM, on
  [four tasks of which three are POPGym's](defaults.md).
- The paper's memories are vectors of 256 numbers. Ours have the numbers that the table of agents
  says.

Neither, or unknown:

- A maximum is higher the more values it is of and the noisier these are. The paper's values are
  means of the episodes of a batch, of which 15 million steps have 228. Ours are means of what was
  logged during as many steps, of the latest 100 episodes each; a million steps have 15 of them. A
  held-out value is the mean of 256 episodes, and there are about a hundred.
- The paper's trials are three. A number of ours without a deviation is of one.
- Both see their last action, and a flag at an episode's first step (POPGym's wrappers
  `PreviousAction` and `Antialias`): so it is in the script for the paper's experiments at the tag
  `paper` (commit e397e5e, February 2023), and since December 2022. Before, Battleship, MineSweeper
  and MultiarmedBandit showed the action themselves, RepeatFirst flagged the first step and
  RepeatPrevious the steps that are paid for, and the other tasks had neither. Which of the two made
  the numbers is not said. The paper counts the last action as part of the observation.
- Networks, batches and learning rates differ; ours has rollouts of 128 steps and cuts gradients
  there, the paper's goes through whole episodes of up to 1,024.
- POPGym itself has changed: since its release for the paper (0.0.2), CountRecall has one action
  more, without which the highest count could not be answered, and MineSweeper ends one step
  earlier. PositionOnlyCartPole and PositionOnlyPendulum were StatelessCartPole and
  StatelessPendulum; VelocityOnlyCartpole is new and has no published number.
"""


def command(records: Iterable[Record]) -> str:
    """Returns the command that makes what the records say."""
    known = list(records)
    found = {run["agent"] for run in known}
    agents = [f"--agent {shlex.quote(agent)}" for agent in AGENTS if agent in found]
    seeds = 1 + max(run["seed"] for run in known)
    return f"memory-envs benchmark popgym {' '.join(agents)} --seeds {seeds}"


def page(records: Sequence[Record], paper: Paper) -> str:
    """Returns the page, in Markdown.

    Args:
        records: What was kept of our runs; at least one.
        paper: What the paper published.
    """
    found = {run["agent"] for run in records}
    agents = [agent for agent in AGENTS if agent in found]
    commits = ", ".join(sorted({short_commit(run) for run in records}))
    popgyms = sorted({str(run["versions"].get("popgym")) for run in records})
    lines = [
        "# POPGym beside its paper",
        "",
        "POPGym's Easy and Medium tasks, a million steps each, beside the numbers that its paper",
        f"published, of {paper.timesteps / 1e6:.0f} million ({paper.title}). Written by",
        "",
        "```console",
        command(records),
        "python -m benchmarks.popgym_results --results results/",
        "```",
        "",
        f"Commits {commits}; popgym {', '.join(popgyms)}.",
        "",
        "MMER is the maximum over a training of the mean episodic reward. The paper takes the",
        f"mean over the episodes of one batch of {paper.batch:,} steps, with actions drawn as in",
        f"training, and gives mean and standard deviation over {paper.trials} trials. So do the",
        "first tables, with ours over as many seeds as there are.",
        "",
        *head(["agent", "what it is"], [], []),
        *(row([f"`{agent}`", AGENTS[agent]]) for agent in agents),
        "",
        "## In training, as the paper counts",
        "",
        *_summary(records, agents, paper),
        *_levels(records, agents, paper),
        "",
        "## Held-out episodes",
        "",
        "What `memory-envs benchmark` itself evaluates, with the most probable actions: the",
        "highest mean of 256 episodes on the way, and the mean of 1,000 at the end. Random play",
        "has the latter alone.",
        "",
        *_held_out(records, agents),
        "",
        "## Time",
        "",
        "Minutes of the clock for a run, evaluations included; one thread each.",
        "",
        *_minutes(records, agents),
        *machines(records),
        "",
        "## What differs from the paper",
        "",
        _DIFFERENCES.rstrip("\n"),
        "",
        "## The published numbers",
        "",
        *_source(paper),
    ]
    return "\n".join(lines) + "\n"


def _of(records: Iterable[Record], agent: str, task: str, name: str) -> list[float]:
    runs = (run for run in records if (run["agent"], run["task"]) == (agent, task))
    return [run[name] for run in runs if run[name] is not None]


def _shown(values: Sequence[float], digits: int = 3) -> str:
    """Returns mean and standard deviation of several runs, the number of one, nothing of none."""
    if not values:
        return ""
    text = f"{fmean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {stdev(values):.{digits}f}"


def _tasks(level: str | None = None) -> list[str]:
    names = [task.name for task in SUITES["popgym"].tasks]
    return [name for name in names if level is None or name.endswith(level)]


def _short(task: str) -> str:
    return task.removeprefix("popgym-")


def _measure(agent: str) -> str:
    """Returns what of an agent stands beside the paper's MMER: random play is not trained."""
    return "return_mean" if agent == "random" else "training"


def _levels(records: Sequence[Record], agents: Sequence[str], paper: Paper) -> list[str]:
    lines: list[str] = []
    columns = [*(f"`{agent}`" for agent in agents), "paper's GRU", "best of 13"]
    for level in LEVELS:
        lines += ["", f"### {level}", "", *head(["task"], columns, ["which"])]
        for task in _tasks(level):
            ours = [_shown(_of(records, agent, task, _measure(agent))) for agent in agents]
            theirs = ["", "", ""]
            if (numbers := paper.tasks.get(task)) is not None:
                gru = f"{numbers.gru:.3f} ± {numbers.gru_deviation:.3f}"
                theirs = [gru, f"{numbers.best:.3f}", numbers.best_memory]
            lines.append(row([_short(task), *ours, *theirs]))
    return lines


def _summary(records: Sequence[Record], agents: Sequence[str], paper: Paper) -> list[str]:
    """Returns a table of means over the tasks that have both a run and a published number."""
    numbers = ["tasks", "mean", "paper's GRU", "best of 13", "not below the GRU", "nor the best"]
    lines = [
        "Over the tasks that have a published number and a run of the agent; on how many of them",
        "it is not below the paper's GRU, and not below the best of its memories:",
        "",
        *head(["agent"], numbers, []),
    ]
    for agent in agents:
        every = {task: _of(records, agent, task, _measure(agent)) for task in paper.tasks}
        means = {task: round(fmean(values), 3) for task, values in every.items() if values}
        if not means:
            continue
        theirs = {task: paper.tasks[task] for task in means}
        cells = [
            len(means),
            f"{fmean(means.values()):.3f}",
            f"{fmean(one.gru for one in theirs.values()):.3f}",
            f"{fmean(one.best for one in theirs.values()):.3f}",
            sum(means[task] >= one.gru for task, one in theirs.items()),
            sum(means[task] >= one.best for task, one in theirs.items()),
        ]
        lines.append(row([f"`{agent}`", *cells]))
    return lines


def _held_out(records: Sequence[Record], agents: Sequence[str]) -> list[str]:
    columns = [f"`{agent}`, {what}" for agent in agents for what in _ends(agent)]
    lines = head(["task"], columns, [])
    for task in _tasks():
        cells = [
            _shown(_of(records, agent, task, name))
            for agent in agents
            for name in _ends(agent).values()
        ]
        if any(cells):
            lines.append(row([_short(task), *cells]))
    return lines


def _ends(agent: str) -> dict[str, str]:
    end = {"end": "return_mean"}
    return end if agent == "random" else {"highest": "held_out", **end}


def _minutes(records: Sequence[Record], agents: Sequence[str]) -> list[str]:
    trained = [agent for agent in agents if agent != "random"]
    lines = head(["task"], [f"`{agent}`" for agent in trained], [])
    for task in _tasks():
        cells = [_shown(_of(records, agent, task, "minutes"), 1) for agent in trained]
        if any(cells):
            lines.append(row([_short(task), *cells]))
    sums = (sum(run["minutes"] for run in records if run["agent"] == agent) for agent in trained)
    return [*lines, row(["all runs", *(f"{minutes:,.0f}" for minutes in sums)])]


def _source(paper: Paper) -> list[str]:
    missing = [_short(task) for task in _tasks() if task not in paper.tasks]
    carried, measure = paper.carried_by, paper.measure
    name = carried["repository"].removeprefix("https://github.com/")
    return [
        f"They stand in {paper.table}, of the paper, and were read from code that carries them",
        f"over: `{carried['file']}` of [{name}]({carried['repository']}),",
        f"commit {carried['commit'][:7]}. They were not compared with the paper itself. That file",
        "has the paper's GRU and the best of its 13 memories, not the other ones. It has no",
        f"numbers for {', '.join(missing)}.",
        f"How the paper measures is said in the `{measure['file']}` of",
        f"[POPGym]({measure['repository']}), commit {measure['commit'][:7]}; its settings are",
        "those of the script for its experiments, `popgym/baselines/ppo.py`.",
    ]
