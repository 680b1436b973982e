"""Certificates of the tape family."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from memory_envs.certificates import heads
from memory_envs.certificates.certificate import Certificate
from memory_envs.certificates.concentration import deviation
from memory_envs.certificates.interval import Interval, exact, up_to
from memory_envs.certificates.players import TAPE_PLAYERS
from memory_envs.certificates.scripts import NotEnumerableError
from memory_envs.certificates.search import Templates, found_value
from memory_envs.certificates.strings import list_strings, turns_round
from memory_envs.certificates.windows import solved, with_windows
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import IntArray, new_outcome
from memory_envs.tape.rules import TapeRules
from memory_envs.tape.settings import TapeSettings
from memory_envs.tape.tasks import TASKS, TapeTask

_SAMPLED = 100_000
# What the theorems ask for: the arguments that change what is seen or what a mistake does.
_STANDARD = {
    "memory_size": None,
    "input_radius": 0,
    "memory_radius": 0,
    "wrong_reward": 0.0,
    "timeout_reward": 0.0,
    "on_error": "terminate",
    "forced_emission": False,
    "max_steps": None,
    "curriculum": None,
}


def certify_tape(env_id: str, rules: TapeRules, ks: Sequence[int]) -> Certificate:
    """Returns the certificate of a tape task; see `memory_envs.certificates.certify`.

    Raises:
        ValueError: If an argument of the environment is one for which there is no theorem.
    """
    settings = rules.settings
    for name, value in _STANDARD.items():
        given = getattr(settings, name)
        if given != value:
            raise ValueError(f"{name} is {given!r}; allowed where certified: {value!r}")
    task = settings.task
    if task in TASKS.values():
        best = exact(_mean_size(settings))
        upper = upper_bound(settings)
        method = "by theorems on heads"
    else:
        best, upper, method = _own(rules)
    player = TAPE_PLAYERS.get(task.name) if task in TASKS.values() else None
    if player is not None and settings.symbols < player.min_symbols:
        player = None
    window = None if player is None else player.window
    if window == 0:
        memoryless = solved(best)
    else:
        width = float(settings.task.target_cells(settings.max_length) + 1)
        lower = max(found_value(rules, _templates(settings), width, np.random.default_rng(0)), 0.0)
        memoryless = up_to(best, min(lower, best.upper), "sampled")
        if upper is not None and upper < best.upper:
            memoryless = Interval(lower, upper, "sampled", "proven")
    observations, windows = with_windows(best, memoryless, ks, window)
    return Certificate(env_id, "tape", best, memoryless, observations, windows, method)


def _mean_size(settings: TapeSettings) -> float:
    """Returns the mean number of symbols to emit, end mark included."""
    sizes: dict[str, Callable[[int], float]] = {
        "RepeatCopy": lambda n: 2.5 * n,
        "RepeatCopyForward": lambda n: 2.5 * n,
        "Addition": lambda n: n + 1.0,
    }
    size = sizes.get(settings.task.name, float)
    lengths = range(settings.min_length, settings.max_length + 1)
    return 1 + sum(size(n) for n in lengths) / len(lengths)


def upper_bound(settings: TapeSettings) -> float | None:
    """Returns the bound for a built-in task; None if there is none but the best there is."""
    K = settings.symbols
    lengths = range(settings.min_length, settings.max_length + 1)
    name = settings.task.name
    if name == "Reverse":
        values = [_after_two(n, heads.turned_round(K)) for n in lengths]
    elif name == "DuplicatedInput":
        values = [_after_two(n, heads.counted(3, K)) for n in lengths]
    elif name == "RepeatCopy":
        values = [2.5 * n + heads.repeated(n, K) for n in lengths]
    else:
        return None
    return sum(values) / len(lengths)


def _after_two(length: int, chance: float) -> float:
    """Returns the most for a string whose first two symbols are both right with this chance."""
    return 1 + length * (chance if length > 1 else 1.0)


def _own(rules: TapeRules) -> tuple[Interval, float | None, str]:
    """Returns best, upper bound and method for a user's task."""
    settings = rules.settings
    lengths = range(settings.min_length, settings.max_length + 1)
    total, lost, listed = 0.0, 0.0, 0
    for n in lengths:
        try:
            strings = list_strings(settings, n)
        except NotEnumerableError:
            break
        listed += 1
        size = sum(string.probability * len(string.target) for string in strings)
        total += size + 1
        if not settings.task.memory and turns_round(strings, settings.symbols):
            lost += size * (1 - heads.turned_round(settings.symbols))
    if listed == len(lengths):
        best = exact(total / listed)
        method = f"by listing the strings of all {listed} lengths, and theorems on heads"
    else:
        best = _sampled_size(rules)
        method = (
            f"by listing the strings of {listed} of {len(lengths)} lengths, theorems on heads, "
            f"and the targets of {_SAMPLED} sampled strings"
        )
    upper = best.upper - lost / len(lengths)
    # With its own count of steps, a task may leave too few to read first and emit afterwards.
    if settings.task.steps is not TapeTask("", _no_steps, _no_steps).steps:
        best = Interval(0.0, best.upper, "trivial", best.upper_by)
    return best, upper, method


def _no_steps(*arguments: Any) -> int:
    raise AssertionError


def _sampled_size(rules: TapeRules) -> Interval:
    """Returns the mean number of symbols to emit, by sampled strings."""
    state, outcome = rules.new_state(_SAMPLED), new_outcome(rules, _SAMPLED)
    seed_rows(state.rows, range(_SAMPLED), range(_SAMPLED))
    actions = np.zeros((_SAMPLED, len(rules.action_names)), np.int64)
    rules.advance(state, actions, np.arange(_SAMPLED), outcome).run()
    most = float(rules.settings.task.target_cells(rules.settings.max_length) + 1)
    mean, off = float(state.rows["target_size"].mean()), deviation(most, _SAMPLED)
    return Interval(max(mean - off, 0.0), min(mean + off, most), "sampled", "sampled")


def _templates(settings: TapeSettings) -> Templates:
    """Returns what policies without memory are made of: kinds of what is seen, and actions.

    A cell holds content, the end mark or a blank. Of actions there are all moves, what is written
    (what the input shows, the end mark, or nothing), and what is emitted (what the input or the
    memory shows, the end mark, or nothing).
    """
    K, memory = settings.symbols, settings.task.memory
    moves = 2 if settings.task.forward_only else 3
    shape = (moves, 3, 3, 4) if memory else (moves, 3)

    def kinds(observations: Any) -> IntArray:
        parts = np.minimum(np.maximum(observations.astype(np.int64) - K + 1, 0), 2)
        numbers: IntArray = parts[:, 0] * 3 + parts[:, 1] if memory else parts[:, 0]
        return numbers

    def emission(what: IntArray, observations: Any) -> list[IntArray]:
        shown = observations.astype(np.int64)
        choices = [shown[:, 0], np.full(len(what), K), shown[:, -1]]
        symbol = np.select([what == 1, what == 2], choices[:2], choices[2])
        return [(what > 0).astype(np.int64), np.minimum(symbol, K)]

    def actions(observations: Any, numbers: IntArray) -> IntArray:
        parts = np.unravel_index(numbers, shape)
        columns = [parts[0]]
        if memory:
            shown = np.minimum(observations[:, 0].astype(np.int64), K)
            written = np.select(
                [parts[2] == 0, parts[2] == 1], [shown, np.full(len(shown), K)], K + 1
            )
            columns += [parts[1], written]
        columns += emission(parts[-1], observations)
        return np.stack(columns, axis=1)

    return Templates(kinds, 9 if memory else 3, actions, int(np.prod(shape)))
