"""What the controller is connected to: input tape, memory tape, output tape.

Zaremba & Sutskever (2015), section 2 and Tables 1 and 2. Input and output tape are the
environment's. The memory tape is the agent's own: its cells are vectors of real numbers, through
which gradients flow; its head moves by sampled actions that the environment never sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from agents.environments.vec_env import GymnasiumVecEnv
from memory_envs import ENVIRONMENTS
from memory_envs.view import NOTHING, Output, View


class InterfaceError(ValueError):
    """An environment does not have the interfaces that RL-NTM needs; says what to do."""


@dataclass(frozen=True)
class Interfaces:
    """The sizes of all tapes, windows and moves.

    Attributes:
        symbols: K, the number of content symbols.
        input_cells: Number of cells that are seen around the input head.
        input_moves: Number of moves of the input head: 3, or 2 where the head cannot move left.
        memory_cells: Number of cells of the agent's memory tape, which is circular; 0 for none.
        read_window: Number of cells that are read around the memory head; 0 without a tape.
        write_window: Number of cells that are written around the memory head; 0 without a tape.
        unused: Number of sub-actions of the environment's own memory tape, which stays blank.
    """

    symbols: int
    input_cells: int
    input_moves: int
    memory_cells: int
    read_window: int
    write_window: int
    unused: int

    @property
    def vocabulary(self) -> int:
        """Symbols that can be read: content, end mark, blank. A memory cell is as wide."""
        return self.symbols + 2

    @property
    def outputs(self) -> int:
        """Symbols that can be emitted: content and end mark."""
        return self.symbols + 1

    @property
    def move_sizes(self) -> list[int]:
        """Number of choices of each move: of the input head, of the memory head, to emit."""
        memory = [3] if self.memory_cells else []
        return [self.input_moves, *memory, 2]

    def env_actions(
        self, moves: npt.NDArray[np.int64], symbols: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Returns what the environment takes, ``(B, sub-actions)``.

        Args:
            moves: Moves, ``(B, len(move_sizes))``.
            symbols: Symbols to emit, ``(B,)``.
        """
        actions = np.empty((len(moves), 3 + self.unused), np.int64)
        actions[:, 0], actions[:, -2], actions[:, -1] = moves[:, 0], moves[:, -1], symbols
        if self.unused:  # stay, and leave the cell as it is
            actions[:, 1], actions[:, 2] = 1, self.symbols + 1
        return actions

    def move_masks(self, env_masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Returns which moves are allowed, ``(B, sum(move_sizes))``.

        Args:
            env_masks: The environment's `action_masks`, ``(B, sum of its choices)``.
        """
        emit = slice(-(self.outputs + 2), -self.outputs)
        memory = np.ones((len(env_masks), 3 if self.memory_cells else 0), np.bool_)
        return np.concatenate(
            [env_masks[:, : self.input_moves], memory, env_masks[:, emit]], axis=1
        )


def find_interfaces(
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    memory: bool | None,
    memory_size: int,
    memory_radius: int,
    write_radius: int | None,
) -> Interfaces:
    """Returns the interfaces to an environment of the tape family, from its spaces.

    Args:
        observation_space: ``MultiDiscrete`` of the symbols in the windows.
        action_space: ``MultiDiscrete`` of the sub-actions.
        memory: Whether the agent has a memory tape; None for where the environment has one.
        memory_size: Number of its cells.
        memory_radius: Number of cells read on either side of its head.
        write_radius: Number of cells written on either side of it; None for as many as are read.

    Raises:
        InterfaceError: If the spaces are not those of a tape environment, or the memory is too
            small for its windows.
    """
    if not _are_tapes(observation_space, action_space):
        raise no_tape(f"the spaces are {observation_space} and {action_space}")
    assert isinstance(observation_space, spaces.MultiDiscrete)
    assert isinstance(action_space, spaces.MultiDiscrete)
    sizes = action_space.nvec.tolist()
    unused = len(sizes) - 3
    has_memory = bool(unused) if memory is None else memory
    radii = {"memory_radius": memory_radius}
    radii["write_radius"] = memory_radius if write_radius is None else write_radius
    for name, radius in radii.items():
        given: tuple[Any, ...] = (memory_size, radius)  # from a command line, anything
        whole = all(type(number) is int for number in given)
        if not (whole and radius >= 0 and (not has_memory or memory_size > 2 * radius)):
            raise InterfaceError(
                f"memory_size is {memory_size!r} and {name} {radius!r}; allowed: a radius from 0 "
                "on, and a size of at least 2 * radius + 1"
            )
    # The environment's own memory tape stays blank: its window shows nothing, and is left out.
    cells = len(observation_space.nvec) - (1 if unused else 0)
    return Interfaces(
        symbols=sizes[-1] - 1,
        input_cells=cells,
        input_moves=sizes[0],
        memory_cells=memory_size if has_memory else 0,
        read_window=2 * radii["memory_radius"] + 1 if has_memory else 0,
        write_window=2 * radii["write_radius"] + 1 if has_memory else 0,
        unused=unused,
    )


def _are_tapes(observation_space: Any, action_space: Any) -> bool:
    both = (observation_space, action_space)
    if not all(isinstance(space, spaces.MultiDiscrete) for space in both):
        return False
    sizes, seen = action_space.nvec.tolist(), observation_space.nvec.tolist()
    if len(sizes) not in (3, 5) or sizes[0] not in (2, 3) or sizes[-2] != 2:
        return False
    own_memory = len(sizes) == 3 or (sizes[1] == 3 and sizes[2] == sizes[-1] + 1)
    cells = len(seen) - (len(sizes) == 5)
    return own_memory and cells % 2 == 1 and set(seen) == {sizes[-1] + 1}


def no_tape(reason: str) -> InterfaceError:
    """Returns what to raise where the tape family is missing; `reason` says how that shows."""
    ids = ", ".join(id for id, spec in ENVIRONMENTS.items() if spec.family == "tape")
    return InterfaceError(f"RL-NTM plays the tape family, but {reason}; take one of {ids}")


def check_targets(env: GymnasiumVecEnv) -> None:
    """Checks that the environment, which was just reset, says what the targets are.

    Raises:
        InterfaceError: If not.
    """
    if not all("target" in info for info in env.reset_infos):
        raise InterfaceError(
            f"the infos of {env.env} hold no target at a reset, and RL-NTM learns from it; take "
            "off the wrapper that removes it"
        )


def output_view(env: GymnasiumVecEnv) -> tuple[View, Output]:
    """Returns what the environment shows of itself, and the output that is part of it.

    Raises:
        InterfaceError: If it shows no tape, or no output.
    """
    base = env.env.unwrapped
    view: View | None = base.view() if hasattr(base, "view") else None
    closed = view is not None and view.end_mark != NOTHING  # an end mark closes each string
    if view is None or view.output is None or not (view.tapes and closed):
        raise no_tape(f"the environment is {env.env}")
    return view, view.output


def check_rules(env: GymnasiumVecEnv) -> None:
    """Checks what the spaces cannot tell: that a target is there, and must be emitted.

    Raises:
        InterfaceError: If not.
    """
    view, output = output_view(env)
    memory = view.tape("memory")
    for name, found, wanted in (
        ("forced_emission", output.forced_emission, True),
        ("on_error", output.on_error, "continue"),
        ("memory_radius", 0 if memory is None else memory.radius, 0),
    ):
        if found != wanted:
            raise InterfaceError(
                f"the environment's {name} is {found!r}; RL-NTM needs {wanted!r}: its objective is "
                "the log-probability of the whole target. Give it the environment's id, or "
                'make_vec_env(id, n_envs, forced_emission=True, on_error="continue")'
            )
