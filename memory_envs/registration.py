"""One table of ids; importing `memory_envs` registers it with Gymnasium."""

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from memory_envs.arguments import check_instance

if TYPE_CHECKING:  # imported when a task is registered: it needs Numba
    from memory_envs.stream.task import StreamTask
    from memory_envs.tape.tasks import TapeTask


@dataclass(frozen=True)
class EnvironmentSpec:
    """A registered environment.

    Attributes:
        id: The id that `gym.make` takes.
        family: One of "tape", "algorithmic", "maze" and "stream".
        task: The task's name within its family.
        tier: One of "easy", "plain" and "hard"; "plain" where there are no tiers.
        entry_point: The scalar environment.
        vector_entry_point: The native vector environment.
        kwargs: The arguments that the id stands for.
        reward_threshold: The mean return at which Gym called the task solved, or None.
    """

    id: str
    family: str
    task: str
    tier: str
    entry_point: str
    vector_entry_point: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    reward_threshold: float | None = None


_TAPE_TASKS = (
    "Copy",
    "DuplicatedInput",
    "Reverse",
    "RepeatCopy",
    "ForwardReverse",
    "RepeatCopyForward",
    "Sort",
    "Addition",
)
_TIERS: dict[str, tuple[str, dict[str, int]]] = {
    "easy": ("-Easy", {"symbols": 5, "max_length": 5}),
    "plain": ("", {"symbols": 10, "max_length": 10}),
    "hard": ("-Hard", {"symbols": 30, "max_length": 30}),
}
# The numbers are the thresholds that Gym registered.
_ALGORITHMIC_TASKS = {
    "Copy": 25.0,
    "DuplicatedInput": 9.0,
    "RepeatCopy": 75.0,
    "Reverse": 25.0,
    "ReversedAddition": 25.0,
    "ReversedAddition3": 25.0,
}
_MAZE_SIZES = (9, 11, 13)
_STREAM_TASKS = (
    "Copy",
    "RepeatCopy",
    "AssociativeRecall",
    "PrioritySort",
    "DynamicNGrams",
    "DoubleCopy",
)
_TEXTS = (
    *("Logic", "Tagging", "Sentences"),
    *("bAbI", *(f"bAbI-QA{number}" for number in range(1, 21))),
)
_DICTIONARIES = ((4, 1), (8, 4), (12, 8), (16, 12))  # examples, and letters to a sequence


def _tape_specs(task: "str | TapeTask", name: str) -> list[EnvironmentSpec]:
    return [
        EnvironmentSpec(
            f"Tape-{name}{suffix}-v0",
            "tape",
            name,
            tier,
            "memory_envs.tape:TapeEnv",
            "memory_envs.tape:TapeVectorEnv",
            {"task": task, "min_length": 1, **sizes},
        )
        for tier, (suffix, sizes) in _TIERS.items()
    ]


def _stream_spec(task: "str | StreamTask", name: str, **kwargs: int) -> EnvironmentSpec:
    return EnvironmentSpec(
        f"Stream-{name}-v0",
        "stream",
        task if isinstance(task, str) else task.name,
        "plain",
        "memory_envs.stream:StreamEnv",
        "memory_envs.stream:StreamVectorEnv",
        {"task": task, **kwargs},
    )


def _table() -> dict[str, EnvironmentSpec]:
    specs = [spec for task in _TAPE_TASKS for spec in _tape_specs(task, task)]
    specs += [
        EnvironmentSpec(
            f"Algorithmic/{task}-v0",
            "algorithmic",
            task,
            "plain",
            "memory_envs.algorithmic:AlgorithmicEnv",
            "memory_envs.algorithmic:AlgorithmicVectorEnv",
            {"task": task},
            threshold,
        )
        for task, threshold in _ALGORITHMIC_TASKS.items()
    ]
    specs += [
        EnvironmentSpec(
            f"Maze-InvisibleGoal-{size}x{size}-v0",
            "maze",
            "InvisibleGoal",
            "plain",
            "memory_envs.maze:InvisibleGoalEnv",
            "memory_envs.maze:InvisibleGoalVectorEnv",
            {"size": size},
        )
        for size in _MAZE_SIZES
    ]
    specs += [_stream_spec(task, task) for task in (*_STREAM_TASKS, *_TEXTS)]
    dictionary = "DictionaryInference"
    for support, length in _DICTIONARIES:
        sizes = {"support": support, "min_length": length, "max_length": length}
        specs.append(_stream_spec(dictionary, f"{dictionary}-{support}x{length}", **sizes))
    return {spec.id: spec for spec in specs}


ENVIRONMENTS: dict[str, EnvironmentSpec] = _table()


def _register(spec: EnvironmentSpec) -> None:
    # Gymnasium's wrappers would check again, at each step, what the environments check themselves.
    gym.register(
        spec.id,
        entry_point=spec.entry_point,
        vector_entry_point=spec.vector_entry_point,
        order_enforce=False,
        disable_env_checker=True,
        kwargs=dict(spec.kwargs),
        reward_threshold=spec.reward_threshold,
    )


def register_all() -> None:
    """Registers every id that is not registered yet."""
    for spec in ENVIRONMENTS.values():
        if spec.id not in gym.registry:
            _register(spec)


def register_tape_task(task: "TapeTask") -> tuple[str, ...]:
    """Registers a tape task of your own in three tiers, as the built-in ones are.

    Args:
        task: A `memory_envs.TapeTask`; its name must be new.

    Returns:
        The three ids.

    Raises:
        TypeError: If `task` is not a TapeTask.
        ValueError: If the name is taken.
    """
    from memory_envs.tape.tasks import TapeTask

    check_instance("task", task, TapeTask, "memory_envs.TapeTask")
    return _register_own(task.name, _tape_specs(task, task.name))


def register_stream_task(task: "StreamTask") -> str:
    """Registers a stream task of your own, as the built-in ones are.

    Args:
        task: A `memory_envs.StreamTask`; its name must be new.

    Returns:
        The id.

    Raises:
        TypeError: If `task` is not a StreamTask.
        ValueError: If the name is taken.
    """
    from memory_envs.stream.task import StreamTask

    check_instance("task", task, StreamTask, "memory_envs.StreamTask")
    return _register_own(task.name, [_stream_spec(task, task.name)])[0]


def _register_own(name: str, specs: list[EnvironmentSpec]) -> tuple[str, ...]:
    for spec in specs:
        if spec.id in gym.registry:
            raise ValueError(
                f"task.name is {name!r}; allowed: new names, but {spec.id!r} is registered"
            )
    for spec in specs:
        _register(spec)
    return tuple(spec.id for spec in specs)


def family_of(env_id: str) -> str:
    """Returns the family of an id, also of a task of one's own; "" if it is not of this package.

    Args:
        env_id: A registered id; ``module:id`` imports the module first, as Gymnasium does.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    if name in ENVIRONMENTS:
        return ENVIRONMENTS[name].family
    entry = gym.spec(name).vector_entry_point if name in gym.registry else None
    for spec in ENVIRONMENTS.values():
        if entry == spec.vector_entry_point:
            return spec.family
    return ""
