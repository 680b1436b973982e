"""The six tasks, as data.

Every target but a sum is a walk over the input: symbol after symbol, to and fro, `passes` times,
stepping over the copies of a symbol. A sum adds the digits of each column of the grid, least
significant column first, and has one symbol more than there are columns if a carry is left over.
"""

from dataclasses import dataclass

from numba.extending import register_jitable


@dataclass(frozen=True)
class AlgorithmicTask:
    """A task of the algorithmic environments.

    Attributes:
        name: Its name in ids and messages.
        base: Gym's number of symbols.
        height: Number of lines of the input, which are the numbers to add; 1 for a tape.
        duplication: How often the input repeats each symbol.
        passes: How often the target walks over the input; every second walk goes backward.
        backward: Whether the first walk goes backward.
        starting_min_length: Gym's first level.
        window: Number of good episodes in a row after which the level rises.
        largest_shortfall: The most by which a good episode falls short of the full return.
    """

    name: str
    base: int
    height: int = 1
    duplication: int = 1
    passes: int = 1
    backward: bool = False
    starting_min_length: int = 2
    window: int = 10
    largest_shortfall: float = 1.0

    def target_cells(self, width: int) -> int:
        """Returns the most symbols that the target of an input of `width` cells can have."""
        return width + 1 if self.height > 1 else width * self.passes // self.duplication


@register_jitable
def source_cell(symbol: int, width: int, duplication: int, backward: bool) -> int:
    """Returns the input cell that holds the target's `symbol`-th symbol; not for sums."""
    walk, cell = divmod(symbol * duplication, width)
    return width - 1 - cell if (walk % 2 == 1) != backward else cell


TASKS: dict[str, AlgorithmicTask] = {
    task.name: task
    for task in (
        AlgorithmicTask("Copy", base=5),
        AlgorithmicTask("DuplicatedInput", base=5, duplication=2),
        AlgorithmicTask("RepeatCopy", base=5, passes=3, window=50, largest_shortfall=0.1),
        AlgorithmicTask(
            "Reverse",
            base=2,
            backward=True,
            starting_min_length=1,
            window=50,
            largest_shortfall=0.1,
        ),
        AlgorithmicTask("ReversedAddition", base=3, height=2),
        AlgorithmicTask("ReversedAddition3", base=3, height=3),
    )
}
