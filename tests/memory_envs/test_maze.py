"""The invisible-goal maze: its layout, its rules by hand, its arguments, its pictures."""

import sys
from collections import Counter
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.error import DependencyNotInstalled

from memory_envs.core.rules import new_outcome
from memory_envs.maze import InvisibleGoalEnv, InvisibleGoalVectorEnv, make_layout
from memory_envs.maze.optimum import distance
from memory_envs.maze.rules import MazeRules
from memory_envs.oracles import optimal_return, oracle
from memory_envs.oracles.maze import _distances

UP, RIGHT, DOWN, LEFT = range(4)


def make(**arguments: Any) -> Any:
    return gym.make("Maze-InvisibleGoal-9x9-v0", **arguments).unwrapped


def number(cell: tuple[int, int], size: int = 9) -> int:
    """The number of the free cell in this row and column."""
    return [tuple(free) for free in make_layout(size).cells.tolist()].index(cell)


def plant(env: Any, optimum: float | None = None, **cells: tuple[int, int]) -> None:
    """Put the agent (`cell`) or the `goal` on the cell in this row and column."""
    state = env.get_state()
    if optimum is not None:
        state.rows["optimum"] = optimum
    for name, cell in cells.items():
        state.rows[name] = number(cell)
    env.set_state(state)


def place(env: Any) -> tuple[int, int]:
    row, column = make_layout(9).cells[env.get_state().rows["cell"][0]].tolist()
    return row, column


@pytest.mark.parametrize(("size", "free"), [(5, 9), (9, 41), (11, 65), (13, 97)])
def test_the_layout(size: int, free: int) -> None:
    layout = make_layout(size)
    assert layout.walls.shape == (size, size)
    assert (~layout.walls).sum() == len(layout.cells) == free
    for row, column in np.ndindex(size, size):
        outer = row in (0, size - 1) or column in (0, size - 1)
        pillar = row % 2 == 0 and column % 2 == 0 and (row, column) != (size // 2, size // 2)
        assert layout.walls[row, column] == (outer or pillar)
    assert layout.cells[layout.start].tolist() == [size // 2, size // 2]
    for cell, (row, column) in enumerate(layout.cells.tolist()):
        around = layout.walls[row - 1 : row + 2, column - 1 : column + 2]
        np.testing.assert_array_equal(layout.views[cell].reshape(3, 3), around)
        assert layout.views[cell, 4] == 0  # the centre of the view is the agent's own cell
        ahead = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left
        for neighbour, (down, right) in zip(layout.neighbours[cell], ahead, strict=True):
            if layout.walls[row + down, column + right]:
                assert neighbour == -1
            else:
                assert layout.cells[neighbour].tolist() == [row + down, column + right]


def test_the_9x9_maze_is_the_paper_s() -> None:
    picture = make_layout(9).walls.astype(int).tolist()
    assert ["".join(".#"[wall] for wall in line) for line in picture] == [
        "#########",
        "#.......#",
        "#.#.#.#.#",
        "#.......#",
        "#.#...#.#",
        "#.......#",
        "#.#.#.#.#",
        "#.......#",
        "#########",
    ]


def test_an_episode_by_hand() -> None:
    env = make(max_steps=8)
    observation, info = env.reset(seed=0)
    assert place(env) == (4, 4)
    assert observation.tolist() == [0.0] * 15  # the pillars are two cells away from the centre
    assert info == {"success": False, "goals": 0, "complexity": 9}
    plant(env, goal=(1, 3), optimum=19.7)
    below_a_pillar = [0, 1, 0, 0, 0, 0, 0, 0, 0]
    for step, (action, where, view, reward) in enumerate(
        (
            (UP, (3, 4), below_a_pillar, 0.0),
            (UP, (3, 4), below_a_pillar, -0.1),
            (LEFT, (3, 3), [1, 0, 1, 0, 0, 0, 1, 0, 0], 0.0),
            (UP, (2, 3), [0, 0, 0, 1, 0, 1, 0, 0, 0], 0.0),
        ),
        start=1,
    ):
        observation, got, terminated, truncated, info = env.step(action)
        assert place(env) == where
        assert (got, terminated, truncated) == (reward, False, False)
        expected = [*view, step / 8, reward, *np.eye(4)[action]]
        np.testing.assert_array_equal(observation, np.array(expected, np.float32))
        assert (info["goals"], info["success"]) == (0, False)
    observation, reward, terminated, truncated, info = env.step(UP)  # onto the goal
    assert (reward, terminated, truncated) == (10.0, False, False)
    assert info == {"success": True, "goals": 1, "complexity": 9}  # 9.9 of 19.7
    row, column = place(env)
    view = [
        int(wall) for wall in make_layout(9).walls[row - 1 : row + 2, column - 1 : column + 2].flat
    ]
    expected = [*view, 5 / 8, 10.0, 1, 0, 0, 0]
    np.testing.assert_array_equal(observation, np.array(expected, np.float32))
    assert env.get_state().rows["goal"][0] == number((1, 3))  # it stays for the whole episode
    plant(env, cell=(1, 1))
    env.step(LEFT)
    env.step(RIGHT)
    observation, reward, terminated, truncated, info = env.step(UP)
    # The bump has cost the half: 9.8 of 19.7.
    assert (reward, terminated, truncated, info["success"]) == (-0.1, False, True, False)
    expected = [1, 1, 1, 0, 0, 0, 0, 1, 0, 1.0, -0.1, 1, 0, 0, 0]
    np.testing.assert_array_equal(observation, np.array(expected, np.float32))


def test_the_goal_is_looked_for_after_every_move() -> None:
    """An agent on the goal is not paid for being there, but for its next move if that bumps."""
    env = make()
    env.reset(seed=0)
    plant(env, goal=(4, 4))  # the start
    assert env.step(UP)[1] == 0.0
    assert env.step(DOWN)[1] == 10.0
    plant(env, cell=(1, 3), goal=(1, 3))
    observation, reward, *_, info = env.step(UP)
    assert reward == 10.0 - 0.1
    assert observation[10] == np.float32(9.9)
    assert info["goals"] == 2
    plant(env, cell=(1, 3))
    assert env.step(LEFT)[1] == 0.0
    assert env.step(RIGHT)[1] == 10.0


def test_nothing_but_the_time_limit_of_250_steps_ends_an_episode() -> None:
    env = make()
    env.reset(seed=0)
    generator = np.random.default_rng(0)
    for step in range(1, 251):
        _, _, terminated, truncated, info = env.step(int(generator.integers(4)))
        assert (terminated, truncated) == (False, step == 250)
    assert set(info) == {"success", "goals", "complexity"}  # nothing that gives the goal away


@pytest.mark.parametrize("size", [5, 7, 9, 11, 13])
def test_distances_are_those_of_breadth_first_search(size: int) -> None:
    cells = make_layout(size).cells
    for goal, (line, column) in enumerate(cells.tolist()):
        found = [distance(there, across, line, column, size // 2) for there, across in cells]
        assert found == _distances(size, goal).tolist()


@pytest.mark.parametrize("size", [9, 11])
def test_success_is_half_of_what_optimal_play_gets(size: int) -> None:
    env = gym.make_vec(f"Maze-InvisibleGoal-{size}x{size}-v0", 200)
    env.reset(seed=0)
    generator = np.random.default_rng(0)
    base: Any = env.unwrapped
    optimum = np.asarray(optimal_return(env))
    np.testing.assert_array_equal(base.get_state().rows["optimum"], optimum)
    # Row i walks at random, but for a growing number of its last steps.
    last = np.linspace(0, 250, 200)
    returns = np.zeros(200)
    for step in range(250):
        random = generator.integers(4, size=200)
        actions = np.where(step < 250 - last, random, np.asarray(oracle(env)))
        _, rewards, _, truncated, infos = env.step(actions)
        returns += rewards
        np.testing.assert_array_equal(
            infos["success"], (returns >= 0.5 * optimum - 0.01) & (infos["goals"] > 0)
        )
    assert truncated.all()
    assert 40 < infos["success"].sum() < 160
    assert not infos["success"][:20].any()


@pytest.mark.parametrize("optimum", [39.6, 39.7])
def test_rounding_does_not_decide_what_is_a_half(optimum: float) -> None:
    env = make()
    env.reset(seed=0)
    for _ in range(2):
        plant(env, cell=(4, 4), goal=(3, 4))
        assert env.step(UP)[1] == 10.0
    plant(env, optimum, cell=(1, 1))
    env.step(UP)
    info = env.step(UP)[-1]
    assert 10.0 + 10.0 - 0.1 - 0.1 < 19.8, "as floats"
    assert info["success"] == (optimum == 39.6)


def test_where_nothing_can_be_earned_nothing_succeeds() -> None:
    env = make(max_steps=1)
    for seed in range(50):
        assert not env.reset(seed=seed)[1]["success"]
        *_, reward, _, _, info = env.step(UP)
        assert info["success"] == (reward > 0.0)


def test_the_goal_and_the_place_after_it_are_uniform_over_the_free_cells() -> None:
    rules = MazeRules(9, 250, True)
    rows = 41_000
    env: Any = gym.make_vec("Maze-InvisibleGoal-9x9-v0", rows).unwrapped
    env.reset(seed=0)
    state = env.get_state()
    goals = np.bincount(state.rows["goal"], minlength=41)
    assert (state.rows["cell"] == number((4, 4))).all()
    # Send everyone to the goal of their own.
    state.rows["goal"] = number((3, 4))
    outcome = new_outcome(rules, rows)
    rules.advance(state, np.full((rows, 1), UP), np.arange(rows), outcome).run()
    assert (outcome.results["reward"] == 10.0).all()
    places = np.bincount(state.rows["cell"], minlength=41)
    for counts in (goals, places):
        assert counts.size == 41
        chi_square = ((counts - 1000) ** 2 / 1000).sum()
        assert 10 < chi_square < 85  # 40 degrees of freedom: both tails are below 1 in 10,000


def test_observations_without_the_previous_action_lack_the_last_4_numbers() -> None:
    env, other = make(), make(observe_previous_action=False)
    assert (env.observation_space.shape, other.observation_space.shape) == ((15,), (11,))
    env.reset(seed=1)
    other.reset(seed=1)
    for action in Counter({UP: 30, LEFT: 30, DOWN: 30, RIGHT: 30}).elements():
        observation, less = env.step(action)[0], other.step(action)[0]
        assert env.observation_space.contains(observation)
        assert other.observation_space.contains(less)
        np.testing.assert_array_equal(observation[:11], less)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": 8}, ValueError, "size is 8; allowed: odd integers from 5 to 255"),
        ({"size": 3}, ValueError, "size is 3; allowed: integers from 5 to 255"),
        ({"size": "9"}, TypeError, "size is '9'; allowed: integers"),
        ({"max_steps": 0}, ValueError, "max_steps is 0; allowed: integers from 1"),
        ({"max_steps": None}, TypeError, "max_steps is None; allowed: integers"),
        (
            {"observe_previous_action": 1},
            TypeError,
            "observe_previous_action is 1; allowed",
        ),
        ({"goal": (1, 1)}, TypeError, "goal"),
    ],
)
def test_impossible_arguments(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        InvisibleGoalEnv(**arguments)
    with pytest.raises(error, match=message):
        InvisibleGoalVectorEnv(2, **arguments)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cell", -1),
        ("cell", 41),
        ("goal", 41),
        ("goals", 3),
        ("goals", -1),
        ("last_move", 5),
        ("last_reward", 10.1),
        ("last_reward", np.nan),
        ("earned", -26.0),
        ("earned", np.nan),
        ("optimum", -1.0),
        ("optimum", 2501.0),
        ("steps", -1),
        ("steps", 250),
        ("rng_key", 0),
    ],
)
def test_a_corrupted_state_is_refused(field: str, value: float) -> None:
    env = make()
    env.reset(seed=0)
    env.step(UP)
    env.step(UP)
    state, kept = env.get_state(), env.get_state()
    state.rows[field] = value
    with pytest.raises(ValueError, match=r"state\.rows"):
        env.set_state(state)
    assert env.get_state().rows.tolist() == kept.rows.tolist()


def test_text_shows_the_maze_the_agent_and_the_goal() -> None:
    env = make(render_mode="ansi")
    env.reset(seed=0)
    plant(env, goal=(1, 7))
    env.step(LEFT)
    assert env.render().split("\n") == [
        "InvisibleGoal   step 1 / 250",
        "goals 0",
        "#########",
        "#......G#",
        "#.#.#.#.#",
        "#.......#",
        "#.#A..#.#",
        "#.......#",
        "#.#.#.#.#",
        "#.......#",
        "#########",
        "action   move left",
        "status   running",
    ]
    plant(env, goal=(4, 3))
    assert env.render().split("\n")[6] == "#.#X..#.#"


def test_an_image_is_made_of_minigrid_s_tiles() -> None:
    pytest.importorskip("minigrid")
    env = make(render_mode="rgb_array")
    env.reset(seed=0)
    plant(env, goal=(1, 7))
    env.step(LEFT)
    image = env.render()
    assert (image.shape, image.dtype) == ((288, 288, 3), np.uint8)

    def tile(row: int, column: int) -> npt.NDArray[np.uint8]:
        part: npt.NDArray[np.uint8] = image[
            32 * row : 32 * row + 32, 32 * column : 32 * column + 32
        ]
        return part[4:-4, 4:-4].reshape(-1, 3)

    assert (tile(1, 7) == (0, 255, 0)).all()  # the goal
    assert (tile(2, 2) == (100, 100, 100)).all()  # a pillar
    assert (tile(1, 1) == 0).all()  # out of sight
    assert (tile(5, 4) > 0).all()  # in sight, highlighted


@pytest.mark.parametrize("move", [UP, RIGHT, DOWN, LEFT])
def test_the_agent_faces_its_last_move(move: int) -> None:
    pytest.importorskip("minigrid")
    env = make(render_mode="rgb_array")
    env.reset(seed=0)
    plant(env, goal=(1, 7))
    env.step(move)
    row, column = place(env)
    tile = env.render()[32 * row + 4 : 32 * row + 28, 32 * column + 4 : 32 * column + 28]
    red = np.rot90(tile[:, :, 0] > 200, move)  # what was ahead is up
    assert red.any()
    assert red[:8].sum() < red[16:].sum(), "the triangle is narrow ahead"


def test_a_vector_environment_draws_every_row() -> None:
    pytest.importorskip("minigrid")
    env = InvisibleGoalVectorEnv(3, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(np.array([UP, LEFT, DOWN]))
    images = env.render()
    assert images is not None
    for seed, (move, image) in enumerate(zip((UP, LEFT, DOWN), images, strict=True)):
        scalar = make(render_mode="rgb_array")
        scalar.reset(seed=seed)
        scalar.step(move)
        np.testing.assert_array_equal(image, scalar.render())


def test_drawing_without_minigrid_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minigrid.core.grid", None)
    env = make(render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(DependencyNotInstalled, match="Minigrid"):
        env.render()
