"""The tape environments that `gym.make` and `gym.make_vec` build."""

from gymnasium.vector import AutoresetMode

from memory_envs.core.env import MemoryEnv
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.curriculum import Curriculum
from memory_envs.tape.layout import TapeState
from memory_envs.tape.rules import TapeRules
from memory_envs.tape.settings import TapeSettings, find_task
from memory_envs.tape.tasks import TapeTask


class TapeEnv(MemoryEnv[TapeState]):
    """Read a string through a movable head and write another, symbol by symbol.

    ## Action Space

    ``MultiDiscrete`` over, in this order: `input_move` (left, stay, right; forward-only tasks:
    stay, right), where the task has a memory tape `memory_move` (left, stay, right) and
    `memory_write` (the K content symbols, the end mark, and "keep"), `emit` (silent, emit) and
    `symbol` (the K content symbols and the end mark). `action_names` and `rules.action_values` name
    them.

    ## Observation Space

    ``MultiDiscrete`` of the symbols in a window around the input head and, where there is one, the
    memory head: 0 .. K-1 content, K the end mark, K+1 blank.

    ## Rewards

    +1 for each right symbol, `wrong_reward` for a wrong one, `timeout_reward` at the time limit.

    ## Starting State

    Both heads at cell 0, the memory blank. The length is uniform on `min_length .. max_length`, or
    drawn from the curriculum.

    ## Episode End

    Terminated by the last symbol of the target or by a wrong symbol. Truncated after `max_steps`
    steps, by default twice the oracle's steps plus 10.

    ## Info

    At every reset and step: `success`, `complexity` (the length that was drawn, or what the
    argument of that name says), `symbols_correct`, `target_size` and `target`.

    ## Success

    The whole target was emitted, end mark included, without a mistake.

    ## Arguments

    Args:
        task: A name from `memory_envs.tape.TASKS` or a `TapeTask` of your own.
        symbols: Number of content symbols, K.
        min_length: The shortest string.
        max_length: The longest string.
        memory_size: Cells of the memory tape; by default as many as the longest input, and no
            fewer than its window.
        input_radius: Cells seen on either side of the input head.
        memory_radius: Cells seen on either side of the memory head.
        wrong_reward: Reward of a wrong symbol; at most 0.
        timeout_reward: Reward at the time limit; at most 0.
        on_error: Either "terminate", or "continue" with the next target symbol.
        forced_emission: Whether every step emits once as many steps as symbols remain (section 2).
        max_steps: The time limit, the same for every episode; by default each has its own.
        complexity: What a level of the curriculum, and the `complexity` in `info`, counts: "input",
            the length itself, or "output", the symbols of the longest desired output but for the
            end mark, as section 7 of the paper does. Only for RepeatCopy and Addition they differ.
        curriculum: A `memory_envs.Curriculum` to draw the lengths from.
        render_mode: One of "ansi", "rgb_array" and "human".

    ## Memory Demand

    An observation shows one cell, so what was read earlier has to be remembered, by the agent or on
    the memory tape: a count for DuplicatedInput, a direction for Reverse and RepeatCopy, the whole
    string for ForwardReverse, RepeatCopyForward, Sort and Addition. Copy needs none: it is the
    control.

    ## Optimal Return

    The number of target symbols, end mark included; see `memory_envs.oracles`.

    ## References

    - Zaremba & Sutskever 2015, *Reinforcement Learning Neural Turing Machines*, arXiv:1505.00521;
      the sections named above are its.

    ## Version History

    - v0: first version.
    """

    def __init__(
        self,
        task: str | TapeTask = "Copy",
        render_mode: str | None = None,
        *,
        symbols: int = 10,
        min_length: int = 1,
        max_length: int = 10,
        memory_size: int | None = None,
        input_radius: int = 0,
        memory_radius: int = 0,
        wrong_reward: float = 0.0,
        timeout_reward: float = 0.0,
        on_error: str = "terminate",
        forced_emission: bool = False,
        max_steps: int | None = None,
        complexity: str = "input",
        curriculum: Curriculum | None = None,
    ) -> None:
        settings = TapeSettings(
            task=find_task(task),
            symbols=symbols,
            min_length=min_length,
            max_length=max_length,
            memory_size=memory_size,
            input_radius=input_radius,
            memory_radius=memory_radius,
            wrong_reward=wrong_reward,
            timeout_reward=timeout_reward,
            on_error=on_error,
            forced_emission=forced_emission,
            max_steps=max_steps,
            complexity=complexity,
            curriculum=curriculum,
        )
        super().__init__(TapeRules(settings), render_mode)


class TapeVectorEnv(MemoryVectorEnv[TapeState]):
    """B tape environments, stepped together; the arguments are those of `TapeEnv`."""

    def __init__(
        self,
        num_envs: int = 1,
        task: str | TapeTask = "Copy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        *,
        symbols: int = 10,
        min_length: int = 1,
        max_length: int = 10,
        memory_size: int | None = None,
        input_radius: int = 0,
        memory_radius: int = 0,
        wrong_reward: float = 0.0,
        timeout_reward: float = 0.0,
        on_error: str = "terminate",
        forced_emission: bool = False,
        max_steps: int | None = None,
        complexity: str = "input",
        curriculum: Curriculum | None = None,
    ) -> None:
        settings = TapeSettings(
            task=find_task(task),
            symbols=symbols,
            min_length=min_length,
            max_length=max_length,
            memory_size=memory_size,
            input_radius=input_radius,
            memory_radius=memory_radius,
            wrong_reward=wrong_reward,
            timeout_reward=timeout_reward,
            on_error=on_error,
            forced_emission=forced_emission,
            max_steps=max_steps,
            complexity=complexity,
            curriculum=curriculum,
        )
        super().__init__(TapeRules(settings), num_envs, autoreset_mode, render_mode)
