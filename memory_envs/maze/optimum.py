"""What optimal play gets in the maze: `success` is measured by it, and the oracle plays by it.

Optimal play knows the goal and walks straight to it. It also knows the cells that the agent will be
put on, since they come from the row's generator, and needs that for one decision only. An agent
that was put on the goal itself can step off and back (two steps) or, where the goal has a wall
beside it, bump into that wall (one step, and 0.1 less). A bump is worth its price only if the steps
saved bring one goal more within the time limit.
"""

from numba import njit

from memory_envs.core.rng import draw

GOAL_REWARD = 10.0
WALL_REWARD = -0.1


@njit(cache=True)
def distance(line, column, other_line, other_column, middle):  # type: ignore[no-untyped-def]
    """Returns the steps between two free cells.

    Between pillars there is always a way without a detour, but for two cells of one even line, or
    of one even column: a pillar that stands between them costs two steps. Where line and column are
    `middle`, there is none.
    """
    down, right = abs(line - other_line), abs(column - other_column)
    detour = 0
    if down == 0 and line % 2 == 0:
        detour = _detour(min(column, other_column), max(column, other_column), line, middle)
    elif right == 0 and column % 2 == 0:
        detour = _detour(min(line, other_line), max(line, other_line), column, middle)
    return down + right + detour


@njit(cache=True)
def _detour(low, high, even, middle):  # type: ignore[no-untyped-def]
    pillar = low + 2 - low % 2
    if even == middle and pillar == middle:
        pillar += 2
    return 2 if pillar < high else 0


@njit(cache=True)
def best_plan(row, steps, cells, neighbours, middle):  # type: ignore[no-untyped-def]
    """Returns what the best number of goals in `steps` steps is worth, and how many bumps it takes.

    `fewest` counts the steps to so many goals with a bump wherever one is possible; the steps that
    are then left over pay for stepping off and back instead. The generator of the row ends where it
    began.
    """
    counter, cell, goal = row.rng_counter, row.cell, row.goal
    line, column = cells[goal, 0], cells[goal, 1]
    beside_wall = False
    for move in range(neighbours.shape[1]):
        beside_wall |= neighbours[goal, move] < 0
    goals, fewest, chances, best, best_bumps = 0, 0, 0, 0.0, 0
    while True:
        if cell != goal:
            fewest += distance(cells[cell, 0], cells[cell, 1], line, column, middle)
        elif beside_wall:
            fewest += 1
            chances += 1
        else:
            fewest += 2
        if fewest > steps:
            row.rng_counter = counter
            return best, best_bumps
        goals += 1
        bumps = max(0, chances - (steps - fewest))
        value = GOAL_REWARD * goals + WALL_REWARD * bumps
        if value > best:
            best, best_bumps = value, bumps
        cell = draw(row, len(cells))
