"""The maze's oracle: it gets what it claims, and no play gets more."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest

import memory_envs
from memory_envs.core.rng import seed_rows
from memory_envs.core.rules import new_outcome
from memory_envs.maze.rules import MazeRules, MazeState
from memory_envs.oracles import maze
from tests.memory_envs.playing import play_oracle

IDS = [spec.id for spec in memory_envs.ENVIRONMENTS.values() if spec.family == "maze"]


@pytest.mark.parametrize("name", IDS)
def test_the_oracle_reaches_the_optimum_on_1000_seeds(name: str) -> None:
    played = play_oracle(gym.make_vec(name, 1000), seed=0)
    np.testing.assert_allclose(played.returns, played.expected, rtol=0, atol=1e-9)
    assert (played.lengths == 250).all()
    assert (played.infos["goals"] > 10).all()
    bumps = np.rint(10 * (10 * played.infos["goals"] - played.returns))
    assert 0 < np.count_nonzero(bumps) < 500  # both with and without a deliberate bump


@pytest.mark.parametrize("size", [5, 9])
def test_the_oracle_gets_what_it_claims_after_any_play(size: int) -> None:
    generator = np.random.default_rng(0)

    def stray(actions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return generator.integers(4, size=len(actions))

    env = gym.make_vec("Maze-InvisibleGoal-9x9-v0", 1000, size=size, max_steps=60)
    played = play_oracle(env, seed=0, prefix=generator.integers(0, 60, 1000), stray=stray)
    np.testing.assert_allclose(played.returns, played.expected, rtol=0, atol=1e-9)


def test_no_play_beats_the_optimum() -> None:
    """Exhaustive search over all actions from every state that can be reached."""
    rules = MazeRules(5, 10, True)
    everyone, actions = np.arange(4), np.arange(4)[:, None]

    def best(rows: npt.NDArray[np.void], known: dict[Any, float]) -> float:
        key = tuple(rows[["cell", "steps", "rng_counter"]][0])
        if key not in known:
            after = MazeState(rows.repeat(4))
            outcome = new_outcome(rules, 4)
            rules.advance(after, actions, everyone, outcome).run()
            values = outcome.results["reward"].copy()
            for action in range(4):
                if not outcome.results["truncated"][action]:
                    values[action] += best(after.rows[[action]], known)
            known[key] = values.max()
            claimed = maze.optimal_return(rules, MazeState(rows), 0)
            assert claimed == pytest.approx(known[key], abs=1e-9)
            assert values[maze.best_action(rules, MazeState(rows), 0)] == pytest.approx(claimed)
        return known[key]

    bumped = 0
    for seed in range(20):
        state = rules.new_state(1)
        seed_rows(state.rows, [0], [seed])
        rules.advance(state, actions[:1], everyone[:1], new_outcome(rules, 1)).run()
        bumped += best(state.rows, {}) % 10 > 1e-9
    assert 0 < bumped < 20
