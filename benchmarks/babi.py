"""The errors of a bAbI training, every question of the test set asked once.

    python -m benchmarks.babi RUN [RUN ...]

The parts of a training that was continued are given together. Of all checkpoints that they kept,
the one with the lowest mean error on the validation set is tested (early stopping, Appendix A of
Munkhdalai et al. 2019). A task whose error is above 5 % has failed. What was asked is kept in
``errors.json`` beside the checkpoint, so that nothing is asked twice.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym

import agents
from agents.evaluation.answers import Answered, answer_all
from agents.saving.atomic import write_text
from agents.training.run_directory import RunDirectory
from memory_envs.stream.text.babi import BABI, JOINT, babi_name

FAILED = 0.05
_ROWS = 128  # streams that are read at once
Errors = dict[int, Answered]  # by the number of the task


class Chosen(NamedTuple):
    """A model that was chosen by its errors on the validation set.

    Attributes:
        path: Its file.
        steps: Steps of training until then.
        valid: Its errors there.
        test: Its errors on the test set.
        kept: The mean errors on the validation set of all models, by their steps.
    """

    path: Path
    steps: int
    valid: Errors
    test: Errors
    kept: dict[int, float]


def stream_id(name: str) -> str:
    """Returns the id of a task, or of all together."""
    return f"Stream-{name}-v0"


def numbers_of(env_id: str) -> tuple[int, ...]:
    """Returns the numbers of the tasks that an environment asks.

    Raises:
        ValueError: If it asks none.
    """
    ids = {stream_id(JOINT): BABI, **{stream_id(babi_name(n)): (n,) for n in BABI}}
    if env_id not in ids:
        raise ValueError(f"env is {env_id!r}; allowed: {', '.join(ids)}")
    return ids[env_id]


def ask(
    path: Path, split: str, env_kwargs: Mapping[str, Any], numbers: Iterable[int] = BABI
) -> Errors:
    """Asks a model every question of a split, task by task.

    Args:
        path: The model's file.
        split: One of "train", "valid" and "test".
        env_kwargs: Arguments of the environment in which it was trained.
        numbers: Which tasks.
    """
    model: Any = agents.load(path, device="cpu")  # SB3 declares any policy
    level = env_kwargs.get("level", "word")
    found = {}
    for number in numbers:
        # The stories as they were released, whatever was learnt from.
        kwargs = {**env_kwargs, "split": split, "exchange_names": False}
        env: Any = gym.make_vec(stream_id(babi_name(number)), num_envs=_ROWS, **kwargs)
        # Of words, an answer has as many as are due one after the other.
        found[number] = answer_all(model.policy, env.unwrapped, level == "word")
    return found


def mean_error(errors: Errors) -> float:
    """Returns the mean of the tasks' errors."""
    return sum(answered.error for answered in errors.values()) / len(errors)


def failed(errors: Errors) -> int:
    """Returns the number of tasks with an error of more than 5 %."""
    return sum(answered.error > FAILED for answered in errors.values())


def choose(parts: Iterable[Path]) -> Chosen:
    """Tests the best of a training's models, see the module's docstring.

    Args:
        parts: The folders of the training and of those that continued it.

    Raises:
        ValueError: If there is no model in them.
    """
    asked: dict[int, tuple[Path, Errors]] = {}
    settings: dict[str, Any] = {}
    for part in parts:
        run = RunDirectory(part)
        settings = run.read_settings()
        for path in sorted(run.checkpoints.glob("model-*.zip")):
            steps = agents.load(path, device="cpu").num_timesteps
            if steps not in asked and steps > 0:
                asked[steps] = path, _ask_once(path, steps, "valid", settings)
    if not asked:
        raise ValueError("there is no checkpoint; allowed: folders of trainings that made one")
    steps, (path, valid) = min(asked.items(), key=lambda item: mean_error(item[1][1]))
    kept = {number: mean_error(errors) for number, (_, errors) in sorted(asked.items())}
    return Chosen(path, steps, valid, _ask_once(path, steps, "test", settings), kept)


def _ask_once(path: Path, steps: int, split: str, settings: Mapping[str, Any]) -> Errors:
    """Returns what `ask` returns; it is kept beside the checkpoint, whose steps say which it is."""
    file, key = path.parent / "errors.json", f"{split} {steps}"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if key not in known:
        numbers = numbers_of(settings["env"])
        known[key] = ask(path, split, settings["recipe"]["env_kwargs"], numbers)
        write_text(file, json.dumps(known))
    return {int(number): Answered(*counts) for number, counts in known[key].items()}


def main() -> None:
    """Prints the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="+", help="folders of a training, the first first")
    chosen = choose(parser.parse_args().run)
    print(f"{chosen.path}, after {chosen.steps:,} steps; errors in per cent")
    print("task  valid   test  questions")
    for number, test in chosen.test.items():
        valid = chosen.valid[number]
        print(f"{number:4} {valid.error:6.1%} {test.error:6.1%} {test.questions:10,}")
    print(f"mean {mean_error(chosen.valid):6.2%} {mean_error(chosen.test):6.2%}")
    print(f"failed tasks (above {FAILED:.0%}): {failed(chosen.test)} of {len(chosen.test)}")


if __name__ == "__main__":
    main()
