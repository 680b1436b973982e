"""Playing many episodes with an oracle, for the tests of the families."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memory_envs.oracles import optimal_return, oracle

Floats = npt.NDArray[np.float64]


class Played(NamedTuple):
    """One episode per row; rows whose episode ended within its prefix have NaN in `expected`."""

    expected: Floats  # the return of the prefix, and what the oracle claimed for the rest
    returns: Floats  # what the episode paid
    lengths: npt.NDArray[np.int64]
    infos: dict[str, Any]  # of each row's last step


def play_oracle(
    env: Any,
    seed: int,
    prefix: npt.NDArray[np.int64] | int = 0,
    stray: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]] | None = None,
) -> Played:
    """Play the first episode of every row of a vector environment.

    Args:
        env: the environment, in NEXT_STEP mode.
        seed: for its reset.
        prefix: the number of steps in each row that are not the oracle's.
        stray: what to do there, given the oracle's actions.
    """
    _, infos = env.reset(seed=seed)
    rows = env.num_envs
    expected, returns = np.full(rows, np.nan), np.zeros(rows)
    lengths = np.zeros(rows, np.int64)
    over = np.zeros(rows, np.bool_)
    last_infos = {name: np.array(values) for name, values in infos.items()}
    step = 0
    while not over.all():
        claimed = (prefix == np.full(rows, step)) & ~over
        if claimed.any():
            expected[claimed] = (returns + optimal_return(env))[claimed]
        actions = oracle(env)
        if stray is not None:
            straying = step < np.broadcast_to(prefix, rows)
            actions[straying] = stray(actions)[straying]
        _, rewards, terminated, truncated, infos = env.step(actions)
        returns[~over] += rewards[~over]
        lengths[~over] += 1
        for name, values in last_infos.items():
            values[~over] = infos[name][~over]
        over |= terminated | truncated
        step += 1
    return Played(expected, returns, lengths, last_infos)
