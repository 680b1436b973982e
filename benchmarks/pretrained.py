"""The models in `agents.algorithms.pretrained`, and the table of what they reach.

python -m benchmarks.pretrained add RUN NAME takes in the model of a run's folder
python -m benchmarks.pretrained measure      measures all of them again
python -m benchmarks.pretrained page         writes docs/results/pretrained.md again

Each file is written whole or not at all. Measuring plays 1,000 episodes of every level.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import agents
from agents.algorithms.pretrained import INDEX, Pretrained, Score, read_index
from agents.saving.atomic import write_text
from agents.training.run_directory import RunDirectory
from benchmarks.results import without_folder
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.opening import opened
from memory_envs.scoring.play import play
from memory_envs.spec import environment_spec

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "agents" / "algorithms" / "pretrained"
PAGE = ROOT / "docs" / "results" / "pretrained.md"
EPISODES = 1000
FIRST_SEED = 10**9  # neither trained on nor evaluated during training; see `run_directory`


def measure(
    model: Any, about: Pretrained, levels: Iterable[int], episodes: int, first_seed: int
) -> dict[int, Score]:
    """What a model reaches in fresh episodes, by level.

    Args:
        model: plays its most probable actions.
        about: says in which environment.
        levels: lengths of the input, or 0 alone where there are none.
        episodes: of each level.
        first_seed: see `Pretrained`.
    """
    scores = {}
    for level in levels:
        length = {"min_length": level, "max_length": level} if level else {}
        with opened(about.env, episodes, {**about.env_kwargs, **length}) as rows:
            played = play(from_predict(model), rows, episodes, first_seed + level * episodes)
        returns = played.returns
        scores[level] = Score(played.success, float(returns.mean()), float(returns.std()))
    return scores


def measured(model: Any, about: Pretrained) -> Pretrained:
    """What is known of a model, with what it reaches at every level up to the hardest."""
    hardest = about.env_kwargs.get("max_length")
    levels = range(1, hardest + 1) if hardest else [0]
    scores = measure(model, about, levels, EPISODES, FIRST_SEED)
    return replace(about, scores=scores, episodes=EPISODES, first_seed=FIRST_SEED)


def describe(run: RunDirectory, steps: int) -> Pretrained:
    """What a run's settings say of its model, not yet measured.

    Raises:
        ValueError: if one command does not train it again.
    """
    settings = run.read_settings()
    env_id = settings["env"]
    if settings["part"]:
        raise ValueError(f"{run.path} continues another run; allowed: what one command trains")
    recipe = settings["recipe"]
    # Where texts are parted, what it reaches is measured on a part that it did not learn from.
    env_kwargs = {**recipe["env_kwargs"], **recipe["evaluation_kwargs"]}
    hardest = {**environment_spec(env_id).kwargs, **env_kwargs}.get("max_length")
    length = {"min_length": hardest, "max_length": hardest} if hardest else {}
    return Pretrained(
        env=env_id,
        env_kwargs={**env_kwargs, **length},
        memory=settings["memory"],
        seed=settings["seed"],
        command=without_folder(settings["command"]),
        commit=settings["commit"],
        steps=steps,
        scores={},
        episodes=0,
        first_seed=0,
    )


def add(folder: Path, name: str) -> None:
    """Take in the model of a run.

    Args:
        folder: of the run.
        name: of the model, such as "rl-ntm/Copy" or "maze/lstm".

    Raises:
        ValueError: if the folder holds no run, or no model, or continues another run.
    """
    run = RunDirectory(folder)
    model = agents.load(run.newest_model())
    about = measured(model, describe(run, model.num_timesteps))
    path = MODELS / f"{name}.zip"
    path.parent.mkdir(exist_ok=True)
    model.save(path, exclude=["optimizer"])
    write({**read_index(), name: about})


def write(models: Mapping[str, Pretrained]) -> None:
    """Write the index and its page."""
    ordered = dict(sorted(models.items()))
    fields = {name: about.to_dict() for name, about in ordered.items()}
    write_text(MODELS / INDEX, json.dumps(fields, indent=1) + "\n")
    write_text(PAGE, page(ordered))
    read_index.cache_clear()


def page(models: Mapping[str, Pretrained]) -> str:
    """The models as a page in Markdown."""
    lines = [
        "# Pretrained models",
        "",
        "Written by `python -m benchmarks.pretrained` from `pretrained/index.json`. Return and",
        "success, the share of episodes that are solved, are those of 1,000 episodes with fresh",
        "seeds and the most probable actions; where inputs have lengths, of the greatest length.",
        "The presets were chosen on these tasks, seed 0 among others ([how far to trust",
        "RL-NTM's](rl-ntm.md)). RL-NTM's training stopped at the first evaluation with enough",
        "success; there is one every 300,000 steps. [How to use them](../pretrained.md).",
        "",
        "| model | environment | memory | length | return | success | lowest at any length | seed "
        "| steps | commit |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, about in models.items():
        hardest = about.scores[about.hardest_level]
        shares = [score.success for score in about.scores.values() if score.success is not None]
        lowest = min(shares) if about.hardest_level else None
        lines.append(
            f"| `{name}` | {about.env} | {about.memory} | {about.hardest_level or ''} "
            f"| {hardest.return_mean:.2f} | {_share(hardest.success)} | {_share(lowest)} "
            f"| {about.seed} | {about.steps:,} | {(about.commit or 'unknown')[:7]} |"
        )
    by_length = {name: about for name, about in models.items() if about.hardest_level}
    lines += ["", "## Success by length", ""]
    lines.append("| length | " + " | ".join(f"`{name}`" for name in by_length) + " |")
    lines.append("| ---: |" + " ---: |" * len(by_length))
    for level in range(
        1, max((about.hardest_level for about in by_length.values()), default=0) + 1
    ):
        scores = (about.scores.get(level) for about in by_length.values())
        cells = (_share(score.success if score else None) for score in scores)
        lines.append(f"| {level} | " + " | ".join(cells) + " |")
    lines += ["", "## Training", "", "One run each, with these commands:", "", "```console"]
    lines += [about.command for about in models.values()]
    return "\n".join([*lines, "```", ""])


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrained")
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("add", help="take in the model of a run's folder")
    adding.add_argument("run", type=Path)
    adding.add_argument("name", help="such as rl-ntm/Copy")
    commands.add_parser("measure", help="measure all models again")
    commands.add_parser("page", help="write the page again")
    arguments = parser.parse_args()
    if arguments.command == "add":
        add(arguments.run, arguments.name)
        about = read_index()[arguments.name]
        print(f"{arguments.name}: {about.scores[about.hardest_level]}")
    elif arguments.command == "measure":
        index = read_index().items()
        write({name: measured(agents.load_pretrained(name), about) for name, about in index})
    else:
        write(read_index())


if __name__ == "__main__":
    main()
