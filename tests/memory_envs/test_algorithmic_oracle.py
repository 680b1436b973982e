"""The oracle of the algorithmic family: optimal from every state, and honest while it can be."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest

import memory_envs
from memory_envs.oracles import optimal_return, oracle
from tests.memory_envs.playing import play_oracle

IDS = [spec.id for spec in memory_envs.ENVIRONMENTS.values() if spec.family == "algorithmic"]
WRITE = 1


def make(name: str, **arguments: Any) -> Any:
    return gym.make(f"Algorithmic/{name}-v0", **arguments).unwrapped


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("level", [None, 10])
def test_the_oracle_reaches_the_optimum_on_1000_seeds(name: str, level: int | None) -> None:
    env = gym.make_vec(name, 1000, starting_min_length=level)
    played = play_oracle(env, seed=0)
    np.testing.assert_array_equal(played.returns, played.expected)
    np.testing.assert_array_equal(played.returns, played.infos["target_size"])
    assert played.infos["success"].all()


@pytest.mark.parametrize("name", IDS)
def test_the_oracle_gets_what_it_claims_after_any_play(name: str) -> None:
    env = gym.make_vec(name, 1000, starting_min_length=3)
    generator = np.random.default_rng(0)
    moves = env.single_action_space.nvec[0]  # type: ignore[attr-defined]

    def stray(actions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        strayed = actions.copy()
        strayed[:, 0] = generator.integers(moves, size=len(actions))
        strayed[:, 1] = generator.random(len(actions)) < 0.2
        return strayed

    played = play_oracle(env, seed=5, prefix=generator.integers(0, 18, 1000), stray=stray)
    alive = ~np.isnan(played.expected)
    np.testing.assert_array_equal(played.returns[alive], played.expected[alive])
    failed = ~played.infos["success"]
    assert 20 < (failed & alive).sum() < 900  # both with and without time enough


def test_no_play_beats_the_optimum() -> None:
    """Exhaustive search over all actions from every state that can be reached."""
    env = make("Reverse", level_up=False)
    actions = [(m, w, s) for m in range(2) for w in range(2) for s in range(2) if w or not s]

    def best(state: Any, known: dict[Any, float]) -> float:
        key = state.rows.item()
        if key not in known:
            values = []
            for action in actions:
                env.set_state(state)
                _, reward, terminated, truncated, _ = env.step(np.array(action))
                after = env.get_state()
                values.append(reward + (0.0 if terminated or truncated else best(after, known)))
            known[key] = max(values)
            env.set_state(state)
            assert known[key] == optimal_return(env)
        return known[key]

    for seed, length in ((1, 2), (0, 1)):
        _, info = env.reset(seed=seed)
        assert info["complexity"] == length
        known: dict[Any, float] = {}
        assert best(env.get_state(), known) == length
        assert min(known.values()) == -1.0


@pytest.mark.parametrize("name", ["Copy", "DuplicatedInput", "RepeatCopy", "Reverse"])
def test_the_oracle_writes_what_it_sees(name: str) -> None:
    """So reading everything honestly fits into the time limit of these tasks."""
    for level in (1, 30):
        env = make(name, starting_min_length=level)
        for seed in range(30):
            observation, info = env.reset(seed=seed)
            seen_blank = name != "Reverse"
            for _ in range(int(info["complexity"] + info["target_size"]) + 4):
                seen_blank |= bool(observation == env.observation_space.n - 1)
                action = oracle(env)
                if action[1] == WRITE:
                    assert seen_blank
                    assert action[2] == observation
                observation, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    break


@pytest.mark.parametrize(("name", "longest_honest"), [("", 32), ("3", 3)])
def test_where_the_oracle_of_the_sums_sees_every_digit_first(
    name: str, longest_honest: int
) -> None:
    env = make(f"ReversedAddition{name}")
    honest: dict[int, bool] = {}
    for level in (1, 4, 30):
        env = make(f"ReversedAddition{name}", starting_min_length=level)
        for seed in range(60):
            _, info = env.reset(seed=seed)
            width, height = int(info["complexity"]), env.rules.settings.task.height
            seen: set[tuple[int, int]] = set()
            running = True
            while running:
                record = env.get_state().rows[0]
                seen.add((int(record["x"]), int(record["y"])))
                action = oracle(env)
                if action[1] == WRITE:
                    column = int(record["correct"])
                    needed = {(x, y) for x in range(min(column + 1, width)) for y in range(height)}
                    honest[width] = honest.get(width, True) and needed <= seen
                _, _, terminated, truncated, _ = env.step(action)
                running = not (terminated or truncated)
    assert {width for width, always in honest.items() if always} == {
        width for width in honest if width <= longest_honest
    }
