"""Traces, summaries and RL-NTM read the typed view, and know no family's field names."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents import RLNTM, make_vec_env
from agents.evaluation.trace import run_trace, trace_text
from memory_envs import evaluate
from memory_envs.scoring.policy import Turn
from memory_envs.view import NOTHING

WHISPER = "Whisper-v0"


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    module = "tests.memory_envs.whisper"
    scalar, vector = f"{module}:WhisperEnv", f"{module}:WhisperVectorEnv"
    gym.register(WHISPER, scalar, vector_entry_point=vector, order_enforce=False)
    yield
    del gym.registry[WHISPER]


def _listener(turn: Turn, state: int | None) -> tuple[Any, int]:
    """Repeats each word while it hears it, and stops short of the end mark once."""
    step = state or 0
    return np.array([[step != 1, 1, turn.observations[0, 0]]]), step + 1


def test_a_family_with_fields_of_its_own_is_traced() -> None:
    trace = run_trace(_listener, WHISPER, seed=1)
    (strip,), output = trace.history.tapes, trace.history.output
    assert output is not None
    first, second, end = output.target
    assert (strip.name, end) == ("strip tape", 3)
    assert strip.cells.tolist() == [[4, first, second, end, 4]] * 3
    assert strip.heads.tolist() == [1, 2, 2]
    assert output.symbols.tolist() == [first, second, second]
    assert output.right.tolist() == [True, True, False]
    assert NOTHING not in output.symbols
    text = trace_text(trace)
    assert text.splitlines()[2].split() == ["step", "strip", "tape", "walk", "output", "reward"]
    assert f"1 wrong symbol, in step 3: {second}, not ■" in text


def test_rl_ntm_learns_from_a_family_with_fields_of_its_own() -> None:
    model = RLNTM("RLNTMPolicy", make_vec_env(WHISPER, 64, seed=0), seed=0, learning_rate=0.01)
    model.learn(10_000)
    success = evaluate(model, WHISPER, 100).success
    assert success is not None
    assert success > 0.9
