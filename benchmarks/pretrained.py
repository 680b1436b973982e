"""The models in `agents.algorithms.pretrained`, and the table of what they reach.

python -m benchmarks.pretrained add RUN      takes in the model of a run's folder
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
from agents.algorithms.pretrained import INDEX, Pretrained, read_index
from agents.environments.spec import environment_spec
from agents.evaluation.actors import model_policy
from agents.evaluation.evaluate import evaluation_env, play
from agents.saving.atomic import write_text
from agents.training.run_directory import RunDirectory
from benchmarks.results import without_folder
from memory_envs import ENVIRONMENTS

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "agents" / "algorithms" / "pretrained"
PAGE = ROOT / "docs" / "results" / "pretrained.md"
EPISODES = 1000
FIRST_SEED = 10**9  # neither trained on nor evaluated during training; see `run_directory`


def measure(
    model: Any, about: Pretrained, levels: Iterable[int], episodes: int, first_seed: int
) -> dict[int, float]:
    """Share of fresh episodes that a model solves, by level.

    Args:
        model: plays its most probable actions.
        about: says in which environment.
        levels: lengths of the input.
        episodes: of each level.
        first_seed: see `Pretrained`.
    """
    shares = {}
    for level in levels:
        kwargs = {**about.env_kwargs, "min_length": level, "max_length": level}
        env = evaluation_env(about.env, episodes, **kwargs)
        try:
            seed = first_seed + level * episodes
            success = play(model_policy(model, True), env, episodes, seed).success
        finally:
            env.close()
        assert success is not None
        shares[level] = success
    return shares


def measured(model: Any, about: Pretrained) -> Pretrained:
    """What is known of a model, with its success at every level up to the hardest."""
    levels = range(1, about.env_kwargs["max_length"] + 1)
    shares = measure(model, about, levels, EPISODES, FIRST_SEED)
    return replace(about, success=shares, episodes=EPISODES, first_seed=FIRST_SEED)


def describe(run: RunDirectory, steps: int) -> Pretrained:
    """What a run's settings say of its model, not yet measured.

    Raises:
        ValueError: if one command does not train it again.
    """
    settings = run.read_settings()
    env_id = settings["env"]
    if settings["part"]:
        raise ValueError(f"{run.path} continues another run; allowed: what one command trains")
    env_kwargs = settings["recipe"]["env_kwargs"]
    hardest = {**environment_spec(env_id).kwargs, **env_kwargs}["max_length"]
    return Pretrained(
        env=env_id,
        env_kwargs={**env_kwargs, "min_length": hardest, "max_length": hardest},
        controller=settings["memory"],
        seed=settings["seed"],
        command=without_folder(settings["command"]),
        commit=settings["commit"],
        steps=steps,
        success={},
        episodes=0,
        first_seed=0,
    )


def add(folder: Path, name: str | None = None) -> str:
    """Take in the model of a run.

    Args:
        folder: of the run.
        name: of the model; by default the algorithm's and the task's, such as "rl-ntm/Copy".

    Returns:
        The name.

    Raises:
        ValueError: if the folder holds no run, or no model, or continues another run.
    """
    run = RunDirectory(folder)
    model = agents.load(run.newest_model())
    about = measured(model, describe(run, model.num_timesteps))
    algorithm = run.read_settings()["algorithm"].replace("_", "-")
    name = name or f"{algorithm}/{ENVIRONMENTS[about.env].task}"
    model.save(MODELS / f"{name}.zip", exclude=["optimizer"])
    write({**read_index(), name: about})
    return name


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
        "Written by `python -m benchmarks.pretrained` from `pretrained/index.json`. Success",
        "is the share of 1,000 episodes of one length, with fresh seeds, that are solved whole,",
        "with the most probable moves. The preset was chosen on these tasks, seed 0 among others",
        "([how far to trust it](rl-ntm.md)). Training stopped at the first evaluation with enough",
        "success; there is one every 300,000 steps. [How to use them](../pretrained.md).",
        "",
        "| model | environment | controller | hardest length | success there | lowest at any "
        "| seed | steps | commit |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, about in models.items():
        level, shares = about.hardest_level, about.success
        lines.append(
            f"| `{name}` | {about.env} | {about.controller} | {level} | {shares[level]:.3f} "
            f"| {min(shares.values()):.3f} | {about.seed} | {about.steps:,} "
            f"| {(about.commit or 'unknown')[:7]} |"
        )
    lines += ["", "## By length", "", "| length | " + " | ".join(f"`{n}`" for n in models) + " |"]
    lines.append("| ---: |" + " ---: |" * len(models))
    for level in range(1, max((about.hardest_level for about in models.values()), default=0) + 1):
        shares_here = (about.success.get(level) for about in models.values())
        cells = ("" if share is None else f"{share:.3f}" for share in shares_here)
        lines.append(f"| {level} | " + " | ".join(cells) + " |")
    lines += ["", "## Training", "", "One run each, with these commands:", "", "```console"]
    lines += [about.command for about in models.values()]
    return "\n".join([*lines, "```", ""])


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrained")
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("add", help="take in the model of a run's folder")
    adding.add_argument("run", type=Path)
    adding.add_argument("--name", help="such as rl-ntm/Copy")
    commands.add_parser("measure", help="measure all models again")
    commands.add_parser("page", help="write the page again")
    arguments = parser.parse_args()
    if arguments.command == "add":
        name = add(arguments.run, arguments.name)
        about = read_index()[name]
        print(f"{name}: success {about.success[about.hardest_level]:.3f} at the hardest level")
    elif arguments.command == "measure":
        index = read_index().items()
        write({name: measured(agents.load_pretrained(name), about) for name, about in index})
    else:
        write(read_index())


if __name__ == "__main__":
    main()
