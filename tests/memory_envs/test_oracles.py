"""The oracles: honest, as fast as stated, and optimal from every state."""

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.wrappers import TimeLimit

from memory_envs.core.rules import new_outcome
from memory_envs.core.state import copy_state
from memory_envs.oracles import optimal_return, oracle
from memory_envs.oracles import tape as tape_oracle
from memory_envs.tape import TapeEnv, TapeTask, TapeVectorEnv
from memory_envs.tape.layout import TapeState
from memory_envs.tape.rules import TapeRules
from tests.memory_envs.conftest import make, random_actions, some_action


def _play_out(env: Any) -> tuple[Any, Any]:
    """Returns and lengths of the oracle's play from the present states of a tape vector env."""
    rules, state = env.rules, env.get_state()
    outcome = new_outcome(rules, env.num_envs)
    actions = np.zeros((env.num_envs, len(rules.action_names)), np.int64)
    returns, lengths = np.zeros(env.num_envs), np.zeros(env.num_envs, np.int64)
    while (running := state.rows["running"].copy()).any():
        for row in np.flatnonzero(running).tolist():
            actions[row] = tape_oracle.best_action(rules, state, row)
        rules.advance(state, actions, np.flatnonzero(running), outcome).run()
        returns[running] += outcome.results["reward"][running]
        lengths += running
    return returns, lengths


def test_reaches_the_optimum_in_the_stated_steps_on_1000_seeds(tape_id: str) -> None:
    env: Any = gym.make_vec(tape_id, num_envs=1000).unwrapped
    env.reset(seed=0)
    state = env.get_state()
    sizes = [(int(r["source_size"]), int(r["target_size"])) for r in state.rows]
    task = env.rules.settings.task
    stated = [task.steps(source, *pair) for source, pair in zip(state.source, sizes, strict=True)]
    returns, lengths = _play_out(env)
    np.testing.assert_array_equal(lengths, stated)
    np.testing.assert_array_equal(returns, [goal for _, goal in sizes])
    np.testing.assert_array_equal(optimal_return(env), returns)
    np.testing.assert_array_equal(state.rows["limit"], 2 * lengths + 10)


@pytest.mark.parametrize("on_error", ["terminate", "continue"])
@pytest.mark.parametrize("extra", [{}, {"max_steps": 9}, {"max_steps": 9, "memory_size": 2}])
def test_reaches_the_optimum_after_any_play(
    tape_id: str, on_error: str, extra: dict[str, Any]
) -> None:
    env: Any = gym.make_vec(
        tape_id, num_envs=40, on_error=on_error, wrong_reward=-0.5, timeout_reward=-2.0, **extra
    ).unwrapped
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(6):
        actions = random_actions(env, rng)
        actions[:, -2] &= rng.random(40) < 0.4  # seldom emit, or most episodes end at once
        env.step(actions)
    best = optimal_return(env)
    np.testing.assert_allclose(_play_out(env)[0], best, rtol=0, atol=1e-9)


def test_never_promises_more_or_less_than_it_gets(env_id: str) -> None:
    """Over every family: what was promised is what comes, step by step."""
    env = make(env_id)
    rng = np.random.default_rng(0)
    for seed in range(12):
        env.reset(seed=seed)
        over = False
        for _ in range(seed % 6):
            if not over:
                *_, terminated, truncated, _ = env.step(some_action(env, rng, 0.7))
                over = terminated or truncated
        while not over:
            before = optimal_return(env)
            _, reward, terminated, truncated, _ = env.step(oracle(env))
            assert before == pytest.approx(reward + optimal_return(env), abs=1e-9)
            over = terminated or truncated
        assert optimal_return(env) == 0.0


class _Search:
    """Optimal values by trying every action in every state that can be reached."""

    def __init__(self, env: TapeEnv) -> None:
        assert isinstance(env.rules, TapeRules)
        self.rules = env.rules
        sizes = [range(len(values)) for values in env.rules.action_values]
        self.actions = [np.array([action]) for action in itertools.product(*sizes)]
        self.outcome = new_outcome(env.rules, 1)
        self.values: dict[Any, float] = {}

    def value(self, state: TapeState) -> float:
        key = (state.rows.item(), *(tape.tobytes() for tape in state[1:]))
        if key not in self.values:
            best = max(self._gain(state, action) for action in self.actions)
            chosen = tape_oracle.best_action(self.rules, state, 0)
            promised = tape_oracle.optimal_return(self.rules, state, 0)
            assert promised == pytest.approx(best, abs=1e-9)
            assert self._gain(state, chosen[None]) == pytest.approx(best, abs=1e-9)
            self.values[key] = best
        return self.values[key]

    def _gain(self, state: TapeState, action: npt.NDArray[np.int64]) -> float:
        after = copy_state(state)
        self.rules.advance(after, action, np.zeros(1, np.intp), self.outcome).run()
        reward: float = self.outcome.results["reward"].item()
        return reward + self.value(after) if after.rows["running"][0] else reward


@pytest.mark.parametrize("on_error", ["terminate", "continue"])
@pytest.mark.parametrize(
    ("wrong_reward", "timeout_reward"), [(0.0, 0.0), (-0.5, -2.5), (-3.0, -1.5)]
)
@pytest.mark.parametrize(
    ("task", "symbols", "length", "max_steps", "forced_emission"),
    [
        ("Copy", 1, 2, 1, False),
        ("Copy", 1, 2, 2, True),
        ("Copy", 1, 2, 4, False),
        ("Copy", 1, 2, 4, True),
        ("Reverse", 2, 2, 3, False),
        ("Reverse", 1, 2, 5, True),
        ("RepeatCopy", 4, 1, 4, False),
        ("ForwardReverse", 1, 1, 3, False),
        ("ForwardReverse", 1, 2, 2, True),
    ],
)
def test_agrees_with_exhaustive_search_in_every_reachable_state(
    task: str,
    symbols: int,
    length: int,
    max_steps: int,
    forced_emission: bool,
    wrong_reward: float,
    timeout_reward: float,
    on_error: str,
) -> None:
    env = TapeEnv(
        task,
        symbols=symbols,
        min_length=length,
        max_length=length,
        max_steps=max_steps,
        wrong_reward=wrong_reward,
        timeout_reward=timeout_reward,
        on_error=on_error,
        forced_emission=forced_emission,
    )
    env.reset(seed=0)
    search = _Search(env)
    search.value(env.get_state())
    assert len(search.values) >= max_steps


def test_makes_a_mistake_on_purpose_where_that_is_best() -> None:
    env = TapeEnv("Copy", min_length=5, max_length=5, max_steps=2, timeout_reward=-3.0)
    env.reset(seed=0)
    assert optimal_return(env) == 1.0  # a right symbol, then a wrong one: cheaper than the limit
    assert env.step(oracle(env))[1:4] == (1.0, False, False)
    assert env.step(oracle(env))[1:4] == (0.0, True, False)


def _sample(row: Any, length: int, symbols: int, source: Any) -> int:
    for i in range(length):
        source[i] = i % symbols
    return length


def _target(source: Any, size: int, symbols: int, out: Any) -> int:
    for i in range(size):
        out[i] = source[i]
    return size


@pytest.mark.parametrize(("memory", "forward_only"), [(False, False), (True, True)])
def test_plays_a_task_of_ones_own_even_under_a_known_name(memory: bool, forward_only: bool) -> None:
    task = TapeTask("Reverse", _sample, _target, memory=memory, forward_only=forward_only)
    env = TapeVectorEnv(20, task)
    env.reset(seed=0)
    returns, lengths = _play_out(env)
    sizes = env.get_state().rows["length"] + 1
    np.testing.assert_array_equal(returns, sizes)
    np.testing.assert_array_equal(lengths, 2 * sizes)


def test_reads_before_it_emits() -> None:
    """Honesty, where a cell is seen: the symbol is emitted while its cell is under the head."""
    env = TapeEnv("DuplicatedInput", min_length=3, max_length=3)
    observation, _ = env.reset(seed=0)
    emitted_at = []
    for step in range(10):
        action = oracle(env)
        if action[1]:
            assert observation[0] == action[2]
            emitted_at.append(step)
        observation, *_ = env.step(action)
    assert emitted_at == [0, 3, 6, 9]


def test_recalls_from_the_memory_tape_what_it_wrote(tape_id: str) -> None:
    """Honesty with a memory tape: what it emits is in view, or was written on the tape."""
    env = make(tape_id)
    if env.rules.settings.task.name not in ("ForwardReverse", "RepeatCopyForward"):
        return
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            action, end = oracle(env), env.rules.settings.symbols
            if action[-2] and action[-1] != end:
                assert action[-1] in observation
            observation, _, terminated, truncated, _ = env.step(action)
            over = terminated or truncated


def test_looks_through_wrappers() -> None:
    env = TimeLimit(gym.make("Tape-Copy-Easy-v0"), 100)
    env.reset(seed=0)
    np.testing.assert_array_equal(oracle(env), oracle(env.unwrapped))
    assert optimal_return(env) == optimal_return(env.unwrapped) >= 2.0


def test_gives_one_action_and_return_per_row(env_id: str) -> None:
    vector = gym.make_vec(env_id, num_envs=3)
    vector.reset(seed=0)
    actions, returns = oracle(vector), optimal_return(vector)
    assert actions.dtype == vector.action_space.dtype
    assert vector.action_space.contains(actions)
    assert isinstance(returns, np.ndarray)
    for i in range(3):
        env = make(env_id)
        env.reset(seed=i)
        np.testing.assert_array_equal(actions[i], oracle(env))
        assert returns[i] == optimal_return(env)


def test_rows_that_are_over_get_zeros() -> None:
    vector = TapeVectorEnv(2, "Copy", symbols=5)
    assert not np.any(optimal_return(vector))
    vector.reset(seed=0)
    actions = oracle(vector)
    actions[0, -1] = (actions[0, -1] + 1) % 6
    vector.step(actions)
    returns = optimal_return(vector)
    assert isinstance(returns, np.ndarray)
    assert returns[0] == 0.0 < returns[1]
    np.testing.assert_array_equal(oracle(vector)[0], [0, 0, 0])


def test_refuses_what_it_does_not_know() -> None:
    for foreign in (gym.make("CartPole-v1"), gym.make_vec("CartPole-v1"), None, "Tape-Copy-v0"):
        with pytest.raises(TypeError, match=r"env is .*; allowed: environments of memory_envs"):
            oracle(foreign)
        with pytest.raises(TypeError, match=r"env is .*; allowed: environments of memory_envs"):
            optimal_return(foreign)
    env: Any = make("Tape-Copy-v0")
    with pytest.raises(ResetNeeded, match="reset"):
        oracle(env)
    env.reset(seed=0)
    env.rules = object()
    with pytest.raises(TypeError, match="env has rules of type object; allowed"):
        oracle(env)
