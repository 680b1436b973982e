"""The algorithmic environments that `gym.make` and `gym.make_vec` build."""

from gymnasium.vector import AutoresetMode

from memory_envs.algorithmic.rules import AlgorithmicRules, AlgorithmicState
from memory_envs.algorithmic.settings import AlgorithmicSettings, find_task
from memory_envs.core.env import MemoryEnv
from memory_envs.core.vector import MemoryVectorEnv


class AlgorithmicEnv(MemoryEnv[AlgorithmicState]):
    """The algorithmic tasks of Gym up to 2021, with its rules.

    - Copy: write what is read.
    - DuplicatedInput: every symbol stands twice; write it once.
    - RepeatCopy: write the input three times, forward, backward and forward again.
    - Reverse: write the input backwards.
    - ReversedAddition: add two numbers that stand one below the other, least significant digit
      first.
    - ReversedAddition3: add three numbers that stand one below the other, least significant digit
      first.

    A script written for the old ids changes the id and the API: `reset` returns an info, `step` two
    flags, and an action is an array in place of a tuple.

    ## Action Space

    ``MultiDiscrete`` over `move` (left, right; on the grids of the sums also up, down), `write`
    (silent, write) and `symbol` (0 .. base - 1). The head has no way to stay.

    ## Observation Space

    ``Discrete(base + 1)``: the symbol under the read head, or `base` anywhere off the input.

    ## Rewards

    +1 for each right symbol, -0.5 for a wrong one, -1 for the step past the time limit.

    ## Starting State

    The read head on the first cell, at the top left. The input has `min_length` to `min_length` + 2
    symbols or columns, rounded down to pairs in DuplicatedInput. `min_length` rises by one after 10
    (RepeatCopy and Reverse: 50) episodes in a row with the full return, until it is 30;
    ``info["min_length"]`` shows it. An episode broken off by `reset` counts as well. Seeding takes
    a row back to `starting_min_length`, which Gym did not do.

    ## Episode End

    Terminated by the last symbol of the target or by a wrong symbol. Truncated by the first step
    after input + target + 4 steps; in ReversedAddition after twice the input + 4, whether or not a
    carry is left over. Gym said `done` there and told its own limit from the task's end by nothing
    but the reward of -1. It is a truncation here because it is a limit of time, not an end that
    play leads to; the -1 is paid all the same. What is written at that step is not judged. Gym's
    second limit of 200 steps, at registration, is never met: the longest episode takes 133.

    ## Info

    At every reset and step: `success`, `complexity` (columns of the input), `symbols_correct`,
    `target_size`, `target` and `min_length` (the level).

    ## Success

    The whole target was written.

    ## Arguments

    Args:
        task: A name from `memory_envs.algorithmic.TASKS`.
        base: The number of symbols; by default Gym's: 5, for Reverse 2, for the sums 3.
        starting_min_length: The first level, from 1 to 30; by default Gym's: 2, for Reverse 1.
        level_up: Whether the level rises; False keeps it at `starting_min_length`.
        render_mode: One of "ansi", "rgb_array" and "human".

    ## Memory Demand

    Copy needs none; DuplicatedInput one bit, which of the two copies is in view; RepeatCopy and
    Reverse the direction of the walk. The sums need the digits of the present column and the carry.

    ## Optimal Return

    The number of target symbols; see `memory_envs.oracles`. In ReversedAddition3 the time limit is
    too short to look at every digit once the input has four columns and a carry is left over, or
    five columns: there only a player that knows the input reaches the optimum.

    ## References

    - Zaremba, Mikolov, Joulin & Fergus 2016, *Learning Simple Algorithms from Examples*,
      arXiv:1511.07275.
    - Brockman et al. 2016, *OpenAI Gym*, arXiv:1606.01540.

    ## Version History

    - v0: first version; the rules of Gym's v0.
    """

    def __init__(
        self,
        task: str = "Copy",
        render_mode: str | None = None,
        *,
        base: int | None = None,
        starting_min_length: int | None = None,
        level_up: bool = True,
    ) -> None:
        rules = _rules(task, base, starting_min_length, level_up)
        super().__init__(rules, render_mode)


class AlgorithmicVectorEnv(MemoryVectorEnv[AlgorithmicState]):
    """B algorithmic environments, stepped together; the arguments are those of `AlgorithmicEnv`.

    Each row has a level of its own.
    """

    def __init__(
        self,
        num_envs: int = 1,
        task: str = "Copy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        *,
        base: int | None = None,
        starting_min_length: int | None = None,
        level_up: bool = True,
    ) -> None:
        rules = _rules(task, base, starting_min_length, level_up)
        super().__init__(rules, num_envs, autoreset_mode, render_mode)


def _rules(
    task: str, base: int | None, starting_min_length: int | None, level_up: bool
) -> AlgorithmicRules:
    """Returns the rules; None stands for Gym's value."""
    chosen = find_task(task)
    base = chosen.base if base is None else base
    first = chosen.starting_min_length if starting_min_length is None else starting_min_length
    return AlgorithmicRules(AlgorithmicSettings(chosen, base, first, level_up))
