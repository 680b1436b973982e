"""Players that see a window, and get the best return: lower bounds that are upper bounds, too.

What such a player does depends on the kinds of symbols that it sees, content, end mark or blank,
and on the number of repetitions where there is one; it emits what it sees. So that it always gets
the best return is checked by an episode for each length and number.

Where nothing is emitted, the symbol of the action means nothing, and is a note for the next step.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

Symbols = tuple[int, ...]
# Tape: input_move, then memory_move and memory_write, emit and symbol. Algorithmic: move, write and
# symbol.
Action = tuple[int, ...]
_LEFT, _STAY, _RIGHT = range(3)
_GO = 4  # a note that is no number of copies


class Player(NamedTuple):
    """A player of one task.

    Attributes:
        window: How many of the last actions it sees, and observations; 0 if it sees the present
            observation alone.
        act: Function from the observations and the actions in the window, the oldest first, and the
            number of content symbols, to an action.
        min_symbols: The fewest content symbols that it can do with, as it needs so many notes.
    """

    window: int
    act: Callable[[Sequence[Symbols], Sequence[Action], int], Action]
    min_symbols: int = 1


def _seeing_one(act: Callable[[Symbols, Action | None, int], Action]) -> Callable[..., Action]:
    """Returns the function of a player that sees one observation, and the last action if any."""

    def act_in_window(seen: Sequence[Symbols], done: Sequence[Action], K: int) -> Action:
        return act(seen[-1], done[-1] if done else None, K)

    return act_in_window


def _copy(seen: Symbols, last: Action | None, K: int) -> Action:
    """Emits what it sees, and goes on."""
    return _RIGHT, 1, min(seen[0], K)


def _duplicated_input(seen: Symbols, last: Action | None, K: int) -> Action:
    """Notes how many of the three it has seen since it emitted."""
    note = 2 if last is None or seen[0] == K else last[2] + 1 if not last[1] else 0
    if note == 2:
        return _RIGHT, 1, min(seen[0], K)
    return _RIGHT, 0, note


def _reverse(seen: Symbols, last: Action | None, K: int) -> Action:
    """Goes right up to the end mark, then left."""
    if seen[0] == K:
        return _LEFT, 0, 0
    if last is None or last[0] == _RIGHT:
        return _RIGHT, 0, 0
    return _LEFT, 1, min(seen[0], K)


def _repeat_copy(seen: Symbols, last: Action | None, K: int) -> Action:
    """Notes how many copies are still to be given, and where it is on its way.

    On the way through a phrase, each symbol takes a step to emit, whose move says how many copies
    are left: right for the last one, stay for two, left for three. Silent steps follow, where it
    has to go right again. On the way back it goes to the blank before the count, as this cell alone
    looks unlike the phrase.
    """
    content = seen[0] < K
    if last is None:
        return _RIGHT, 0, seen[0]  # the count, which is 2 or 3
    move, emitted, note = last
    if emitted:
        if move == _RIGHT:  # the last copy
            return (_RIGHT, 1, seen[0]) if content else (_STAY, 1, K)
        return (_RIGHT, 0, 2) if move == _STAY else (_RIGHT, 0, 0)
    if move == _RIGHT and note == 0:  # back on the cell of the first of three copies
        return _RIGHT, 0, 3
    if move == _RIGHT and note >= _GO:  # on the count again
        return _RIGHT, 0, note - _GO + 1
    if move == _RIGHT and content:
        return (_RIGHT, _STAY, _LEFT)[note - 1], 1, seen[0]
    if move == _RIGHT:  # the end mark
        return (_STAY, 1, K) if note == 1 else (_LEFT, 0, note - 1)
    if seen[0] > K:  # the blank before the count
        return _RIGHT, 0, note - 1 + _GO
    return _LEFT, 0, note


def _forward_reverse(seen: Symbols, last: Action | None, K: int) -> Action:
    """Writes everything down, then reads it backwards; where the input head is tells which."""
    source, memory = seen
    keep = K + 1
    if source < K:
        return 1, _RIGHT, source, 0, 0
    if memory < K:
        return 1, _LEFT, keep, 1, memory
    if source == K:  # behind what was written
        return 0, _LEFT, keep, 0, 0
    return 0, _STAY, keep, 1, K


def _repeat_copy_forward(seen: Symbols, last: Action | None, K: int) -> Action:
    """Writes everything down, and emits it at once; then plays it back from the memory.

    The input head stays on the end mark as long as another copy follows the next one, and goes on
    to the blank before the last one. Going back, the note is 0 after the first copy, 1 later.
    """
    source, memory = seen
    keep = K + 1
    if last is None:
        return 1, _RIGHT, source, 0, 0  # the count, which is 2 or 3
    if source < K:
        return 1, _RIGHT, source, 1, source
    input_move, memory_move, _, emitted, note = last
    if memory >= K and emitted:  # at the end of a copy
        if source > K:
            return 0, _STAY, keep, 1, K
        return 0, _LEFT, keep, 0, 1 - input_move
    if memory >= K:  # before the count
        return 0, _RIGHT, keep, 0, note
    if memory_move == _LEFT:
        return 0, _LEFT, keep, 0, note
    if emitted or note == _GO:
        return 0, _RIGHT, keep, 1, memory
    another = memory == 3 and note == 0  # it is on the count
    return 1 - another, _RIGHT, keep, 0, _GO


# The algorithmic family's moves: there is none to stay, and rows can be changed.
_WEST, _EAST, _UP, _DOWN = range(4)


def _walk_east(seen: Symbols, last: Action | None, K: int) -> Action:
    return _EAST, 1, seen[0] % K


def _every_second(seen: Symbols, last: Action | None, K: int) -> Action:
    return _EAST, int(last is None or not last[1]), seen[0] % K


def _walk_back(seen: Symbols, last: Action | None, K: int) -> Action:
    if last is None or (last[0] == _EAST and seen[0] < K):
        return _EAST, 0, 0
    return _WEST, int(seen[0] < K), seen[0] % K


def _to_and_fro(seen: Symbols, last: Action | None, K: int) -> Action:
    east = last is None or last[0] == _EAST
    if seen[0] == K:
        east = not east
    return (_EAST if east else _WEST), int(seen[0] < K), seen[0] % K


def _add(seen: Sequence[Symbols], done: Sequence[Action], K: int, height: int) -> Action:
    """Reads a column downwards and the next one upwards, and writes the sum at its last cell.

    What was carried into the last column follows from its digits and what was written for it.
    """
    since = next((i for i, action in enumerate(reversed(done)) if action[1]), len(done))
    first = since == len(done)  # the first column, as a full window would show a written symbol
    digits = [symbol for (symbol,) in seen[len(seen) - since - 1 :]]
    carry, vertical = 0, _DOWN
    if not first:
        written = done[-since - 1][2]
        total = sum(symbol for (symbol,) in seen[: len(seen) - since - 1][-height:])
        carry = (total + (written - total) % K) // K
        vertical = _UP if done[-since - 2][0] == _DOWN else _DOWN
    if digits[-1] == K:  # behind the last column
        return _EAST, 1, carry
    if len(digits) < height:
        return vertical, 0, 0
    return _EAST, 1, (sum(digits) + carry) % K


def _add_two(seen: Sequence[Symbols], done: Sequence[Action], K: int) -> Action:
    return _add(seen, done, K, 2)


def _add_three(seen: Sequence[Symbols], done: Sequence[Action], K: int) -> Action:
    return _add(seen, done, K, 3)


TAPE_PLAYERS = {
    "Copy": Player(0, _seeing_one(_copy)),
    "DuplicatedInput": Player(1, _seeing_one(_duplicated_input)),
    "Reverse": Player(1, _seeing_one(_reverse)),
    "RepeatCopy": Player(1, _seeing_one(_repeat_copy), min_symbols=5),
    "ForwardReverse": Player(0, _seeing_one(_forward_reverse)),
    "RepeatCopyForward": Player(1, _seeing_one(_repeat_copy_forward)),
}
ALGORITHMIC_PLAYERS = {
    "Copy": Player(0, _seeing_one(_walk_east)),
    "DuplicatedInput": Player(1, _seeing_one(_every_second)),
    "Reverse": Player(1, _seeing_one(_walk_back)),
    "RepeatCopy": Player(1, _seeing_one(_to_and_fro)),
    "ReversedAddition": Player(4, _add_two),
    "ReversedAddition3": Player(6, _add_three),
}
