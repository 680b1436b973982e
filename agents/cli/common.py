"""What the commands share: names are looked up here, with an error that helps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import gymnasium as gym
import tyro
from rich.console import Console
from tyro.constructors import PrimitiveConstructorSpec

from agents.algorithms.pretrained import find_pretrained, load_pretrained, read_index
from agents.training.recipes import read_assignments
from agents.training.run_directory import RunDirectory
from memory_envs.arguments import allowed_names
from memory_envs.scoring.policy import REFERENCES
from memory_envs.spec import check_env

T = TypeVar("T")


def _read_count(words: list[str]) -> int:
    try:
        return int(words[0])
    except ValueError:
        number = float(words[0])
    if not number.is_integer():
        raise ValueError(f"{words[0]} is not a whole number")
    return int(number)


# A whole number, which may be typed as 100000, 100_000 or 1e5.
Count = Annotated[
    int,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="N",
        instance_from_str=_read_count,
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda number: [str(number)],
    ),
]

# What an environment is given as: an id, or a function that makes one.
EnvChoice = str | Callable[[], Any]

_RUNS_SHOWN = 5  # in a message
_PIPE_WIDTH = 200  # wide enough that nothing is broken where there is no terminal


def option(metavar: str, name: str | None = None, help: str | None = None) -> Any:
    """Returns how an optional argument without a default is shown in the help."""
    return tyro.conf.arg(name=name, metavar=metavar, help=help, help_behavior_hint="")


class UsageError(Exception):
    """Something the user asked for cannot be done; the message is one line."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


def checked(check: Callable[..., T], *arguments: Any) -> T:
    """Returns what a check of `memory_envs.arguments`, or something that is read, returns.

    Raises:
        UsageError: For what the check refuses, and for files that are not there.
    """
    try:
        return check(*arguments)
    except (FileNotFoundError, TypeError, ValueError) as error:
        raise UsageError(error) from None


def find_env(env_id: str) -> str:
    """Returns `env_id` if it is registered, see `memory_envs.spec.check_env`.

    Raises:
        UsageError: If it is not.
    """
    return checked(check_env, env_id)


def _find_env(env: EnvChoice) -> EnvChoice:
    return find_env(env) if isinstance(env, str) else env


def make_console() -> Console:
    """Returns the terminal; where there is none, as in a pipe, something wide."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


@dataclass(frozen=True)
class Player:
    """Who plays, and where.

    Attributes:
        name: What the user called it.
        policy: A model, a policy of `memory_envs.scoring.policy`, "random" or "oracle".
        env: A registered id, or a function that makes an environment.
        env_kwargs: Arguments of the environment.
    """

    name: str
    policy: Any
    env: Any
    env_kwargs: dict[str, Any]


def find_player(
    name: str | None,
    env: EnvChoice | None,
    pretrained: str | None = None,
    changes: Sequence[str] = (),
) -> Player:
    """Looks up who shall play, and where.

    Args:
        name: What the user calls MODEL: a model file, a run's folder, or one of `REFERENCES`.
        env: Where to play; None for where the model was trained.
        pretrained: The name of a model that comes with the package, in place of MODEL.
        changes: Arguments of the environment, such as "max_length=40", that go before others.

    Raises:
        UsageError: If there is no such model, or it cannot play there.
    """
    arguments = checked(read_assignments, changes, "--set")
    player = _find_player(name, env, pretrained)
    if arguments and not isinstance(player.env, str):
        raise UsageError("--set is for environments with an id: the function has its own arguments")
    player = replace(player, env_kwargs={**player.env_kwargs, **arguments})
    if not player.env_kwargs:
        return player
    try:  # the data that a run was trained on may be gone since then
        gym.make_vec(player.env, num_envs=1, **player.env_kwargs).close()
    except (OSError, TypeError, ValueError, gym.error.Error) as error:
        raise UsageError(f"--set: {error}" if arguments else error) from error
    return player


def _find_player(name: str | None, env: EnvChoice | None, pretrained: str | None) -> Player:
    if pretrained is not None:
        if name is not None:
            raise UsageError(f"{name} and --pretrained {pretrained} are two models: give one")
        return _pretrained_player(pretrained, env)
    if name is None:
        raise UsageError("say who shall play: MODEL, or --pretrained NAME")
    path = Path(name)
    if not path.exists():
        if name not in REFERENCES:
            raise UsageError(f"model is {name!r}; {_allowed_models(name)}")
        if env is None:
            raise UsageError(f"say where {name} shall play: --env ID")
        return Player(name, name, _find_env(env), {})
    settings = _settings_of(path)
    if env is None and "env" not in settings:
        raise UsageError(f"{name} does not say where it was trained: --env ID")
    trained_here = env in (None, settings.get("env"))
    recipe = settings.get("recipe", {})
    return Player(
        name,
        load_model(path),
        _find_env(env or settings["env"]),
        {**recipe.get("env_kwargs", {}), **recipe.get("evaluation_kwargs", {})}
        if trained_here
        else {},
    )


def _pretrained_player(name: str, env: EnvChoice | None) -> Player:
    try:
        found = find_pretrained(name)
        model = load_pretrained(name)
    except ValueError as error:
        raise UsageError(error) from error
    env_kwargs = found.env_kwargs if env in (None, found.env) else {}
    return Player(name, model, _find_env(env or found.env), env_kwargs)


def load_model(path: Path) -> Any:
    """Loads one of our models, from its file or its run.

    Raises:
        UsageError: If there is none.
    """
    from agents.algorithms.loading import load

    try:
        return load(path if path.is_file() else RunDirectory(path).newest_model())
    except (OSError, ValueError) as error:
        raise UsageError(error) from error


def find_model(name: str) -> Any:
    """Returns the model that a user means by a file, a run's folder or a pretrained one's name.

    Raises:
        UsageError: If there is none.
    """
    if Path(name).exists():
        return load_model(Path(name))
    try:
        return load_pretrained(name)
    except ValueError as error:
        raise UsageError(f"there is no file or folder {name}, and {error}") from error


def _settings_of(path: Path) -> dict[str, Any]:
    """Returns the settings of the run that a path belongs to; {} if there are none."""
    folders = [path] if path.is_dir() else [path.parent, path.parent.parent]
    for folder in folders:
        if RunDirectory(folder).settings.exists():
            try:
                return RunDirectory(folder).read_settings()
            except ValueError as error:
                raise UsageError(error) from error
    return {}


def _allowed_models(name: str) -> str:
    """Returns the end of a message: what MODEL can be, but of many runs the newest alone."""
    runs = Path("runs")
    found = [path for path in runs.iterdir() if path.is_dir()] if runs.is_dir() else []
    names = [str(path) for path in sorted(found, key=lambda path: path.stat().st_mtime)][::-1]
    others = [f"--pretrained {model}" for model in read_index()]
    more = len(names) - _RUNS_SHOWN
    shown = [*names[:_RUNS_SHOWN], *([f"{more} more below {runs}"] if more > 0 else [])]
    summary = ", ".join([*REFERENCES, *shown, *others])
    return allowed_names(name, [*REFERENCES, *names, *others], summary)
