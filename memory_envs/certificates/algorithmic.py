"""Certificates of the algorithmic family: of the first episode after seeding, at its level."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from memory_envs.algorithmic.rules import AlgorithmicRules
from memory_envs.algorithmic.settings import LENGTHS, AlgorithmicSettings
from memory_envs.certificates import heads
from memory_envs.certificates.certificate import Certificate
from memory_envs.certificates.interval import Interval, exact, up_to
from memory_envs.certificates.players import ALGORITHMIC_PLAYERS
from memory_envs.certificates.search import Templates, found_value
from memory_envs.certificates.windows import solved, with_windows
from memory_envs.core.rules import IntArray

_WRONG = -0.5  # the least that an episode costs which is not brought to its end


def certify_algorithmic(env_id: str, rules: AlgorithmicRules, ks: Sequence[int]) -> Certificate:
    """Returns the certificate of an algorithmic task; see `memory_envs.certificates.certify`."""
    settings = rules.settings
    best = _best(settings)
    player = ALGORITHMIC_PLAYERS[settings.task.name]
    if player.window == 0:
        memoryless = solved(best)
    else:
        widest = max(_widths(settings))
        returns = settings.task.target_cells(widest) + 1.5
        lower = found_value(rules, _templates(settings), returns, np.random.default_rng(0))
        memoryless = up_to(best, min(lower, best.upper), "sampled")
        upper = _upper_bound(settings)
        if upper is not None and upper < best.upper:
            memoryless = Interval(lower, upper, "sampled", "proven")
    observations, windows = with_windows(best, memoryless, ks, player.window)
    method = "by theorems on heads"
    return Certificate(env_id, "algorithmic", best, memoryless, observations, windows, method)


def _widths(settings: AlgorithmicSettings) -> dict[int, float]:
    """Returns how likely each width of the input is."""
    copies = settings.task.duplication
    lengths = (max(settings.starting_min_length + extra, copies) for extra in range(LENGTHS))
    counts = Counter(length - length % copies for length in lengths)
    return {width: count / LENGTHS for width, count in counts.items()}


def _best(settings: AlgorithmicSettings) -> Interval:
    """Returns what best play gets: the whole target, but for sums of three numbers.

    To read three digits a column takes more steps than Gym's time limit has for long numbers. The
    upper end is then the whole target, too; the lower one that of `players`, who misses a last
    carry that comes late, and pays for it.
    """
    task, base = settings.task, settings.base
    upper = lower = 0.0
    for width, chance in _widths(settings).items():
        if task.height == 1:
            size = float(width * task.passes // task.duplication)
            upper, lower = upper + chance * size, lower + chance * size
            continue
        carry = _chance_of_carry(width, task.height, base)
        late = task.height * width + 1 > 2 * width + 4
        if task.height * width > 2 * width + 4:
            return Interval(0.0, _mean_sum(settings), "trivial", "exact")
        upper += chance * (width + carry)
        lower += chance * (width - carry if late else width + carry)
    if lower == upper:
        return exact(upper)
    return Interval(lower, upper, "found", "trivial")


def _mean_sum(settings: AlgorithmicSettings) -> float:
    task = settings.task
    return sum(
        chance * (width + _chance_of_carry(width, task.height, settings.base))
        for width, chance in _widths(settings).items()
    )


def _chance_of_carry(width: int, height: int, base: int) -> float:
    """Returns how likely the sum of `height` numbers has a digit more than they have."""
    digits = np.ones(1)
    for _ in range(height):
        digits = np.convolve(digits, np.full(base, 1 / base))
    carries = np.zeros(height)
    carries[0] = 1.0
    for _ in range(width):
        following = np.zeros(height)
        for carry, likely in enumerate(carries):
            for total, chance in enumerate(digits):
                following[(total + carry) // base] += likely * chance
        carries = following
    return float(1 - carries[0])


def _upper_bound(settings: AlgorithmicSettings) -> float | None:
    """Returns the bound without memory; None if there is none but the best there is."""
    task, base = settings.task, settings.base
    if task.height > 1 or task.name == "Copy":
        return None
    bound = 0.0
    for width, chance in _widths(settings).items():
        size = width * task.passes // task.duplication
        likely, before = 1.0, 1  # that all goes well, and how many are right if it does not
        if task.backward and width > 1:
            likely = heads.turned_round(base)
        elif task.duplication > 1 and size > 1:
            likely = heads.counted(task.duplication, base)
        elif task.passes > 1 and width > 1:
            likely, before = heads.turned_back(width, base), width + 1
        bound += chance * (likely * size + (1 - likely) * (before + _WRONG))
    return bound


def _templates(settings: AlgorithmicSettings) -> Templates:
    """Returns all policies: a kind is what is seen, a template an action."""
    moves, symbols = len(settings.sub_actions()[1][0]), settings.base

    def kinds(observations: Any) -> IntArray:
        numbers: IntArray = observations.astype(np.int64)
        return numbers

    def actions(observations: Any, numbers: IntArray) -> IntArray:
        move, written = np.unravel_index(numbers, (moves, symbols + 1))
        writes = written < symbols
        return np.stack([move, writes, np.where(writes, written, 0)], axis=1).astype(np.int64)

    return Templates(kinds, symbols + 1, actions, moves * (symbols + 1))
