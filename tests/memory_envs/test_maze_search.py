"""What a player can get in the maze who has to find the goal first."""

from functools import cache
from itertools import product

import numpy as np
import pytest

import memory_envs
from memory_envs.maze.layout import make_layout
from memory_envs.oracles.maze_search import known_goal_values, search_value

# Sums of up to 10,000 numbers of some hundreds.
ROUNDING = 1e4 * 1e3 * np.finfo(np.float64).eps


def by_trying_everything(size: int, max_steps: int) -> float:
    """The rules once more, without a search that is clever: every sequence of moves is tried."""
    layout = make_layout(size)
    cells = range(len(layout.cells))

    @cache
    def known(left: int, goal: int, cell: int) -> float:
        if left == 0:
            return 0.0
        values = []
        for neighbour in layout.neighbours[cell]:
            reached, reward = (cell, -0.1) if neighbour < 0 else (int(neighbour), 0.0)
            if reached == goal:
                later = [known(left - 1, goal, new) for new in cells]
                values.append(reward + 10.0 + sum(later) / len(later))
            else:
                values.append(reward + known(left - 1, goal, reached))
        return max(values)

    def plan_value(moves: tuple[int, ...], goal: int) -> float:
        cell, value = layout.start, 0.0
        for step, move in enumerate(moves, start=1):
            neighbour = int(layout.neighbours[cell, move])
            value -= 0.1 * (neighbour < 0)
            cell = cell if neighbour < 0 else neighbour
            if cell == goal:
                later = [known(max_steps - step, goal, new) for new in cells]
                return value + 10.0 + sum(later) / len(later)
        return value

    return max(
        sum(plan_value(moves, goal) for goal in cells) / len(cells)
        for moves in product(range(4), repeat=max_steps)
    )


def by_what_is_seen(size: int, max_steps: int) -> float:
    """The rules once more: every choice after every history of views and rewards is tried."""
    layout = make_layout(size)
    cells = range(len(layout.cells))

    def value(left: int, chances: dict[tuple[int, int], float]) -> float:
        """What is still to come, times the chance of the history; by goal and the agent's cell."""
        if left == 0:
            return 0.0
        values = []
        for move in range(4):
            paid = 0.0
            seen: dict[tuple[float, bytes], dict[tuple[int, int], float]] = {}
            for (goal, cell), chance in chances.items():
                neighbour = int(layout.neighbours[cell, move])
                reached, reward = (cell, -0.1) if neighbour < 0 else (neighbour, 0.0)
                ends = cells if reached == goal else [reached]
                reward += 10.0 * (reached == goal)
                paid += chance * reward
                for end in ends:
                    after = seen.setdefault((reward, layout.views[end].tobytes()), {})
                    after[goal, end] = after.get((goal, end), 0.0) + chance / len(ends)
            values.append(paid + sum(value(left - 1, after) for after in seen.values()))
        return max(values)

    return value(max_steps, {(goal, layout.start): 1 / len(cells) for goal in cells})


@pytest.mark.parametrize(("size", "max_steps"), [(5, 1), (5, 2), (5, 4), (7, 4)])
def test_no_play_by_what_is_seen_is_better_and_one_is_as_good(size: int, max_steps: int) -> None:
    expected = by_what_is_seen(size, max_steps)
    value = search_value(size, max_steps)
    assert value.lower == value.upper
    assert value.lower == pytest.approx(expected, rel=0, abs=ROUNDING)


@pytest.mark.parametrize(("size", "max_steps"), [(5, 1), (5, 2), (5, 6), (7, 5)])
def test_no_sequence_of_moves_is_better_and_one_is_as_good(size: int, max_steps: int) -> None:
    expected = by_trying_everything(size, max_steps)
    value = search_value(size, max_steps, knows_place=True)
    assert value.lower == value.upper
    assert value.lower == pytest.approx(expected, rel=0, abs=ROUNDING)


def test_the_complete_search_does_not_depend_on_the_first_one() -> None:
    exact = search_value(7, 60)
    assert search_value(7, 60, beam=1) == pytest.approx(exact, rel=0, abs=ROUNDING)
    bounds = search_value(7, 60, beam=1, most_walks=50)
    assert bounds.lower < exact.lower < bounds.upper


def test_to_know_the_goal_is_worth_more_and_to_know_the_future_still_more() -> None:
    env = memory_envs.maze.env.InvisibleGoalVectorEnv(4000, size=7, max_steps=100)
    env.reset(seed=0)
    optima = env.get_state().rows["optimum"]
    start = make_layout(7).start
    known = known_goal_values(7, 100)[100][:, start].mean()
    told = search_value(7, 100, knows_place=True)
    assert search_value(7, 100).upper < told.lower
    assert told.upper < known - 10.0
    # The optimum of each episode knows the cells to come: it is higher, by less than one goal, and
    # its mean has an error.
    error = 4 * optima.std() / len(optima) ** 0.5
    assert known - error < optima.mean() < known + 10.0 + error


def test_a_flag_that_is_none_is_named() -> None:
    with pytest.raises(TypeError, match="knows_place is 1; allowed: False, True"):
        search_value(5, knows_place=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["max_steps", "beam", "most_walks"])
def test_bad_numbers_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0; allowed: integers from 1"):
        search_value(5, **{name: 0})  # type: ignore[arg-type]
