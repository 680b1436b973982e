"""A score is the same however an environment is given, played, or wrapped."""

import dataclasses
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorActionWrapper, VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit, TransformReward
from gymnasium.wrappers import vector as vector_wrappers

import memory_envs
from memory_envs import evaluate
from memory_envs.scoring.interval import bootstrap
from memory_envs.scoring.makers import from_function, from_jax, from_predict
from memory_envs.scoring.policy import CannotPlayError, Policy, Turn
from memory_envs.scoring.random_play import random_policy
from memory_envs.scoring.result import score_of
from memory_envs.wrappers import (
    FlatActions,
    OneHotObservations,
    VectorFlatActions,
    VectorOneHotObservations,
)
from tests.memory_envs.agents_of_strangers import COPY, CoinEnv, copier, flat_copier, wanderer

FAMILIES = (
    "Tape-Reverse-Easy-v0",
    "Tape-Addition-Easy-v0",
    "Algorithmic/ReversedAddition-v0",
    "Stream-Copy-v0",
    "Maze-InvisibleGoal-9x9-v0",
)


def spaces_of(name: str) -> Any:
    return gym.make(name).action_space


@pytest.mark.parametrize("name", FAMILIES)
def test_the_oracle_scores_one_and_chance_zero(name: str) -> None:
    best = evaluate("oracle", name, episodes=40)
    assert (best.success, best.score, best.score_interval) == (1.0, 1.0, (1.0, 1.0))
    assert best.return_mean == best.optimal_return
    chance = evaluate("random", name, episodes=40)
    assert (chance.score, chance.score_interval) == (0.0, (0.0, 0.0))
    assert chance.return_mean == chance.random_return == best.random_return
    assert chance.return_mean < 0.5 * best.return_mean
    # A stranger's random play draws other actions: it scores 0 as far as can be told.
    generator = np.random.default_rng(0)
    space = spaces_of(name)
    sizes = space.n if isinstance(space, gym.spaces.Discrete) else space.nvec

    def stranger(observations: Any) -> Any:
        return generator.integers(sizes, size=(len(observations), *space.shape))

    found = evaluate(from_function(stranger), name, episodes=40)
    assert found.score != 0.0
    assert found.score_interval is not None
    assert found.score_interval[0] <= 0.0 <= found.score_interval[1]


def given_as() -> dict[str, Callable[[], Any]]:
    """The ways in which one environment can be given."""
    kinds: dict[str, Callable[[], Any]] = {
        "environment": lambda: gym.make(COPY),
        "unwrapped": lambda: gym.make(COPY).unwrapped,
        "function": lambda: lambda: gym.make(COPY),
        "function that makes rows": lambda: lambda: gym.make_vec(COPY, num_envs=4),
        "other processes": lambda: (
            lambda: gym.make_vec(COPY, num_envs=2, vectorization_mode="async")
        ),
    }
    for mode in AutoresetMode:
        for rows in (1, 7, 50):
            kinds[f"{mode.name}, {rows} rows"] = partial(
                gym.make_vec, COPY, num_envs=rows, autoreset_mode=mode
            )
        kinds[f"{mode.name}, Python rows"] = partial(
            gym.make_vec,
            COPY,
            num_envs=5,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": mode},
        )
    return kinds


# Gymnasium's AsyncVectorEnv forks by default; Python 3.12 and later warn, as NumPy has threads.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("kind", given_as())
def test_however_an_environment_is_given_the_score_is_the_same(kind: str) -> None:
    for policy in (copier, wanderer):
        expected = evaluate(policy, COPY, episodes=20, seed=3)
        assert evaluate(policy, given_as()[kind](), episodes=20, seed=3) == expected
    assert expected.score is not None


def test_it_is_what_playing_one_by_one_gives() -> None:
    env = gym.make(COPY)
    returns, lengths, solved = [], [], []
    for seed in range(3, 23):
        observation, info = env.reset(seed=seed)
        total, length, ended = 0.0, 0, False
        while not ended:
            turn = Turn(np.asarray(observation)[None], np.ones(1, np.bool_), None, np.ones(1, "u8"))
            observation, reward, terminated, truncated, info = env.step(copier(turn, None)[0][0])
            total, length, ended = total + float(reward), length + 1, terminated or truncated
        returns.append(total)
        lengths.append(length)
        solved.append(info["success"])
    found = evaluate(copier, COPY, episodes=20, seed=3)
    assert 0.0 < np.mean(solved) < 1.0
    assert found.return_mean == np.mean(returns)
    assert found.return_std == np.std(returns)
    assert found.length_mean == np.mean(lengths)
    assert found.success == np.mean(solved)
    assert found.random_return is not None
    assert found.optimal_return is not None
    share = (np.mean(returns) - found.random_return) / (found.optimal_return - found.random_return)
    assert found.score == pytest.approx(share)


def half(reward: Any) -> Any:
    return reward / 2


WRAPPED: dict[str, tuple[Policy, Callable[[], Any]]] = {
    "scaled rewards": (copier, lambda: TransformReward(gym.make(COPY), half)),
    "many": (
        copier,
        lambda: TransformReward(TimeLimit(RecordEpisodeStatistics(gym.make(COPY)), 100), half),
    ),
    "other spaces": (flat_copier, lambda: FlatActions(OneHotObservations(gym.make(COPY)))),
    "function": (
        flat_copier,
        lambda: lambda: FlatActions(OneHotObservations(TransformReward(gym.make(COPY), half))),
    ),
    "wrapped rows": (
        flat_copier,
        lambda: VectorFlatActions(VectorOneHotObservations(gym.make_vec(COPY, num_envs=3))),
    ),
    "rows with scaled rewards": (
        copier,
        lambda: vector_wrappers.TransformReward(gym.make_vec(COPY, num_envs=3), half),
    ),
    "wrapped Python rows with scaled rewards": (
        copier,
        lambda: vector_wrappers.TransformReward(
            SyncVectorEnv(
                [lambda: TransformReward(gym.make(COPY), half)] * 3,
                autoreset_mode=AutoresetMode.SAME_STEP,
            ),
            half,
        ),
    ),
}


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_wrappers_keep_the_score(wrapped: str) -> None:
    policy, make = WRAPPED[wrapped]
    env = make()
    found = evaluate(policy, env, episodes=20, name="copier")
    assert found == evaluate(copier, COPY, episodes=20)
    if not isinstance(env, gym.Env):
        return
    # Nothing of the evaluation is left in the environment.
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        assert not type(inner).__module__.startswith("memory_envs.scoring")
        inner = inner.env


def test_a_scale_does_not_depend_on_a_wrapper_that_leaves_out_bad_actions() -> None:
    class RightActions(gym.Wrapper[Any, Any, Any, Any]):
        """Leaves to choose only when the right symbol is emitted."""

        def __init__(self, env: gym.Env[Any, Any]) -> None:
            super().__init__(env)
            self.action_space = gym.spaces.Discrete(2)

        def step(self, action: Any) -> Any:
            base: Any = self.env.unwrapped
            output = base.view().output
            symbol = output.target[0, output.sizes[0]]
            return self.env.step(np.array([1, action, symbol]))

    class RightRows(VectorActionWrapper):
        """The same for rows, but for what is emitted."""

        def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
            super().__init__(env)
            self.single_action_space = gym.spaces.Discrete(2)
            self.action_space = batch_space(self.single_action_space, env.num_envs)

        def actions(self, actions: Any) -> Any:
            return np.stack([np.ones_like(actions), actions, np.zeros_like(actions)], axis=1)

    env = RightActions(gym.make(COPY))
    found = evaluate(random_policy(env.action_space), env, episodes=100)
    assert found.random_return == evaluate("random", COPY, episodes=100).return_mean
    assert found.score is not None
    assert found.score > 0.9
    assert evaluate("random", env, episodes=100).score == 0.0
    # The masks of the environment are those of other actions.
    masks = []

    def look(turn: Turn, state: Any) -> tuple[Any, Any]:
        masks.append(turn.masks)
        return np.zeros(len(turn.starts), np.int64), state

    evaluate(look, env, episodes=1)
    evaluate(look, RightRows(gym.make_vec(COPY, num_envs=2)), episodes=1)
    assert set(masks) == {None}


@pytest.mark.parametrize("mode", AutoresetMode)
def test_masks_are_those_of_the_step_and_random_play_keeps_to_them(mode: AutoresetMode) -> None:
    kwargs: dict[str, Any] = {"forced_emission": True, "on_error": "continue", "max_steps": 8}
    rows = gym.make_vec(COPY, num_envs=6, autoreset_mode=mode, **kwargs)
    met: set[tuple[bool, int]] = set()

    def masked(turn: Turn, state: Any) -> tuple[Any, Any]:
        assert turn.masks is not None
        assert np.array_equal(turn.masks, rows.action_masks())  # type: ignore[attr-defined]
        actions, state = random_policy(rows.single_action_space)(turn, state)
        silent = turn.masks[:, 3]
        assert (actions[~silent, 1] == 1).all()
        met.update(zip(silent.tolist(), actions[:, 1].tolist(), strict=True))
        return actions, state

    found = evaluate(masked, rows, episodes=20)
    assert met == {(True, 0), (True, 1), (False, 1)}
    assert found.score == 0.0
    flat = evaluate(
        lambda turn, state: (turn.masks.argmax(axis=1), state),  # type: ignore[union-attr]
        lambda: FlatActions(gym.make(COPY, **kwargs)),
        episodes=20,
    )
    # The first allowed number: silent until it must emit, then the symbol 0.
    assert flat.length_mean == 8.0


def test_a_memory_begins_anew_with_every_episode() -> None:
    states: list[Any] = []

    def remember(turn: Turn, state: Any) -> tuple[Any, Any]:
        states.append((None if state is None else state, turn.starts.tolist()))
        return copier(turn, None)[0], len(states)

    found = evaluate(remember, gym.make(COPY), episodes=5)
    begun = [state for state, starts in states if starts == [True]]
    assert begun == [None] * 5
    assert len(states) == 5 * found.length_mean
    for mode in AutoresetMode:
        states.clear()
        rows = gym.make_vec(COPY, num_envs=4, autoreset_mode=mode)
        starts_at: list[list[int]] = [[] for _ in range(4)]

        def note(turn: Turn, state: Any, starts_at: Any = starts_at) -> tuple[Any, Any]:
            step = state or 0
            for row in np.flatnonzero(turn.starts).tolist():
                starts_at[row].append(step)
            return copier(turn, None)[0], step + 1

        evaluate(note, rows, episodes=4)
        lengths = [evaluate(copier, COPY, episodes=1, seed=seed).length_mean for seed in (7, 8, 9)]
        waits = 1 if mode is AutoresetMode.NEXT_STEP else 0
        for row, length in enumerate(lengths):
            assert starts_at[row][0] == 0
            if len(starts_at[row]) > 1:
                assert starts_at[row][1] == length + waits


def test_drawn_actions_repeat_and_depend_on_the_seed() -> None:
    first, second = (evaluate(wanderer, COPY, episodes=50) for _ in range(2))
    assert first == second
    other = evaluate(wanderer, COPY, episodes=50, seed=8)
    assert (first.return_mean, first.length_mean) != (other.return_mean, other.length_mean)


def test_a_policy_never_meets_the_seed_of_the_environment() -> None:
    met: set[int] = set()

    def look(turn: Turn, state: Any) -> tuple[Any, Any]:
        met.update(turn.seeds.tolist())
        return copier(turn, state)

    found = evaluate(look, COPY, episodes=20)
    assert len(met) > 20 * found.length_mean
    assert not met & set(range(7, 27))


def test_short_episodes_weigh_no_more_than_long_ones() -> None:
    rows = SyncVectorEnv([CoinEnv] * 8, autoreset_mode=AutoresetMode.SAME_STEP)
    found = evaluate("random", rows, episodes=64, seed=0)
    expected = []
    for seed in range(64):
        coin = CoinEnv()
        coin.reset(seed=seed)
        expected.append(coin.length)
    assert 10 < expected.count(20) < 54
    assert found.length_mean == np.mean(expected)
    assert found.return_mean == expected.count(20) / 64
    assert (found.env, found.model, found.score) == ("CoinEnv", "random", None)


def test_one_environment_is_reset_once_an_episode_and_left_open() -> None:
    coin = CoinEnv()
    evaluate("random", coin, episodes=6, seed=4)
    assert coin.resets == [4, 5, 6, 7, 8, 9]
    gc.collect()
    assert not coin.closed
    made = CoinEnv()
    evaluate("random", lambda: made, episodes=1)
    assert made.closed, "what was made for the evaluation is closed"


@pytest.mark.parametrize(("threshold", "success"), [(5.0, 1.0), (1000.0, 0.0)])
def test_a_return_of_what_an_environment_was_registered_with_is_a_success(
    threshold: float, success: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = dataclasses.replace(gym.spec("CartPole-v1"), reward_threshold=threshold)
    monkeypatch.setitem(gym.registry, "CartPole-v1", spec)
    found = evaluate("random", "CartPole-v1", episodes=8)
    assert found.success == success
    assert found.return_mean == found.length_mean


def test_without_oracle_and_success_both_are_null() -> None:
    found = evaluate("random", "Pendulum-v1", episodes=2)
    assert (found.success, found.score, found.score_interval, found.optimal_return) == (None,) * 4
    assert found.return_interval is not None


def test_arguments_of_the_environment_hold() -> None:
    found = evaluate("oracle", COPY, 40, env_kwargs={"min_length": 4, "max_length": 4})
    assert (found.return_mean, found.return_std) == (5.0, 0.0)
    assert found.return_interval == (5.0, 5.0)
    same = evaluate("oracle", gym.make(COPY, min_length=4, max_length=4), 40)
    assert same == found


def test_the_json_holds_every_number() -> None:
    result = evaluate(copier, COPY, episodes=10, seed=1, name="one")
    found = result.to_dict()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert (again["env"], again["model"], again["episodes"]) == (COPY, "one", 10)
    assert again["seed"] == 1
    low, high = again["score_interval"]
    assert low < again["score"] < high
    text = "\n".join(result.lines())
    assert text.startswith(f"one on {COPY}: 10 episodes, seeds 1 to 10\n")
    assert f"score    {result.score:.3f}   (95 %: {low:.3f} to {high:.3f})" in text


def test_the_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    mean, draws, covered = 0.3, 300, 0
    for _ in range(draws):
        hard = generator.random(100)  # what random play, and to a part the agent, suffers from
        random = hard - 0.5
        agent = random + mean * 2.0 + 0.3 * generator.standard_normal(100)
        columns = np.stack([agent, random, random + 2.0])
        found = bootstrap(columns, score_of, generator)
        assert found is not None
        covered += found[0] <= mean <= found[1]
    assert 0.90 <= covered / draws <= 0.98
    assert bootstrap(np.ones((3, 1)), score_of, generator) is None
    # Few episodes, in one of which random play was as good as any: it is drawn alone sometimes.
    few = bootstrap(np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), score_of, generator)
    assert few == (1.0, 1.0)


def zeros(*shape: int) -> Policy:
    return lambda _turn, state: (np.zeros(shape, np.int64), state)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (zeros(4), r"of shape \(4,\); allowed: \(4, 3\), of MultiDiscrete"),
        (zeros(1, 3), r"of shape \(1, 3\); allowed: \(4, 3\)"),
        (lambda turn, state: (np.zeros((4, 3)), state), "dtype float64; allowed: integers, of"),
        (lambda turn, state: (None, state), r"of shape \(\); allowed: \(4, 3\)"),
        (lambda turn, state: ([[0], [0, 1], [0], [0]], state), "allowed: an array of"),
        (
            lambda turn, state: ([[0, 0, 0], [0, 2, 0], [0, 0, 0], [0, 0, 0]], state),
            r"in row 1 \[0, 2, 0\]; allowed: MultiDiscrete",
        ),
        (lambda turn, state: ([[0, 0, -1]] * 4, state), r"in row 0 \[0, 0, -1\]"),
    ],
)
def test_what_is_no_action_is_said_of_whom(policy: Policy, message: str) -> None:
    policy.__name__ = "broken"
    with pytest.raises(CannotPlayError, match=f"policy broken chose actions.*{message}"):
        evaluate(policy, COPY, episodes=4)


@pytest.mark.parametrize("action", [[2.5], [float("nan")], [[0.0]], ["left"]])
def test_numbers_out_of_a_box_are_refused(action: Any) -> None:
    with pytest.raises(CannotPlayError, match=r"policy .* chose actions.*allowed"):
        evaluate(lambda turn, state: ([action], state), "Pendulum-v1", episodes=1)


def test_a_row_that_is_over_may_be_given_anything() -> None:
    """What it shows need not make sense, so that what a policy makes of it need not either."""
    for mode in AutoresetMode:
        rows = gym.make_vec(COPY, num_envs=4, autoreset_mode=mode)
        over = np.zeros(4, np.bool_)

        def careless(turn: Turn, state: Any, over: Any = over) -> tuple[Any, Any]:
            over |= turn.starts & (state is not None)
            actions, _ = copier(turn, None)
            actions[over] = 77
            return actions, 1

        assert evaluate(careless, rows, episodes=4).score is not None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((copier, COPY, 0), ValueError, "episodes is 0; allowed: integers from 1 on"),
        ((copier, COPY, 1, -1), ValueError, "seed is -1; allowed: integers from 0"),
        ((copier, "Tape-Cpy-v0"), ValueError, "did you mean Tape-Copy-v0|did you mean 'Tape-Copy"),
        ((copier, 3), TypeError, "env is 3; allowed: an id, a gymnasium.Env"),
        ((copier, lambda: 3), TypeError, r"env\(\) is 3; allowed: an id, a gymnasium.Env"),
        (("orakle", COPY), ValueError, "policy is 'orakle'; allowed: random, oracle"),
        ((3, COPY), TypeError, "policy is 3; allowed: a function"),
        (("oracle", "CartPole-v1"), CannotPlayError, "there is no oracle for"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(*arguments)


def test_makers_name_what_they_cannot_take() -> None:
    makers: dict[str, Any] = {"function": from_function, "step": from_jax, "model": from_predict}
    for name, make in makers.items():
        with pytest.raises(TypeError, match=f"^{name} is 3; allowed: "):
            make(3)


def test_arguments_need_an_id() -> None:
    with pytest.raises(TypeError, match=r"env_kwargs is \{'max_length': 3\}; allowed: nothing"):
        evaluate(copier, gym.make(COPY), env_kwargs={"max_length": 3})


def test_rows_that_cannot_be_seeded_one_by_one_are_refused() -> None:
    rows = gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode="vector_entry_point")
    with pytest.raises(ValueError, match=r"refuses a list of seeds.*functions that make one"):
        evaluate("random", rows, episodes=2)


def test_a_policy_of_other_spaces_is_refused() -> None:
    class Trained:
        observation_space = gym.spaces.Discrete(3)

        def __call__(self, turn: Turn, state: Any) -> tuple[Any, Any]:
            return copier(turn, state)

    with pytest.raises(CannotPlayError, match=r"Trained has observation_space Discrete\(3\)"):
        evaluate(Trained(), COPY)


def test_it_needs_nothing_that_an_agent_is_made_of() -> None:
    code = (
        "import sys, memory_envs\n"
        "assert not {'numba', 'memory_envs.scoring'} & sys.modules.keys()\n"
        "from memory_envs.scoring import makers\n"
        "assert memory_envs.evaluate('random', 'Tape-Copy-Easy-v0', 5).score == 0.0\n"
        "heavy = {'torch', 'stable_baselines3', 'jax', 'ray', 'matplotlib', 'agents'}\n"
        "assert not heavy & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    assert "evaluate" in memory_envs.__all__
