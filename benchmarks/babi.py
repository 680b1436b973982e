"""The errors of a bAbI training, every question of the test set asked once.

    python -m benchmarks.babi RUN [RUN ...]

The parts of a training that was continued are given together. Of all checkpoints that they kept,
the one with the lowest mean error on the validation set is tested (early stopping, Appendix A of
Munkhdalai et al. 2019). A task whose error is above 5 % has failed.
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym

import agents
from agents.evaluation.answers import Answered, answer_all
from agents.training.run_directory import RunDirectory
from memory_envs.stream.text.babi import BABI

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
    """

    path: Path
    steps: int
    valid: Errors
    test: Errors


def ask(path: Path, split: str, env_kwargs: Mapping[str, Any]) -> Errors:
    """Asks a model every question of a split, task by task.

    Args:
        path: The model's file.
        split: One of "train", "valid" and "test".
        env_kwargs: Arguments of the environment in which it was trained.
    """
    model: Any = agents.load(path, device="cpu")  # SB3 declares any policy
    level = env_kwargs.get("level", "word")
    found = {}
    for number in BABI:
        kwargs = {**env_kwargs, "split": split}
        env: Any = gym.make_vec(f"Stream-bAbI-QA{number}-v0", num_envs=_ROWS, **kwargs)
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
    env_kwargs: dict[str, Any] = {}
    for part in parts:
        run = RunDirectory(part)
        env_kwargs = run.read_settings()["recipe"]["env_kwargs"]
        for path in sorted(run.checkpoints.glob("model-*.zip")):
            steps = agents.load(path, device="cpu").num_timesteps
            if steps not in asked and steps > 0:
                asked[steps] = path, ask(path, "valid", env_kwargs)
    if not asked:
        raise ValueError("there is no checkpoint; allowed: folders of trainings that made one")
    steps, (path, valid) = min(asked.items(), key=lambda item: mean_error(item[1][1]))
    return Chosen(path, steps, valid, ask(path, "test", env_kwargs))


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
