"""A trace of RL-NTM shows the tape that is inside the agent."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from matplotlib.image import imread

from agents import RLNTM
from agents.evaluation.trace import Trace, run_trace, trace_text
from agents.evaluation.trace.memory import own_tape
from agents.evaluation.trace.picture import trace_png
from memory_envs.scoring.makers.randomness import seeded
from memory_envs.scoring.play import turn_seeds

WITH_TAPE, WITHOUT = "Tape-ForwardReverse-v0", "Tape-Copy-v0"
RULES: dict[str, Any] = {"forced_emission": True, "on_error": "continue"}


def untrained(env_id: str = WITH_TAPE, **policy_kwargs: Any) -> RLNTM:
    return RLNTM("RLNTMPolicy", env_id, n_envs=2, seed=1, policy_kwargs=policy_kwargs)


def traced(model: RLNTM, env_id: str = WITH_TAPE, seed: int = 4) -> Trace:
    return run_trace(model, env_id, seed, False, RULES, "untrained")


def test_what_is_written_is_what_comes_to_the_cells_around_the_head() -> None:
    model = untrained(memory_radius=1, memory_size=5)
    seen = traced(model).seen
    before, after = seen["memory_tape"][:-1], seen["memory_tape"][1:]
    symbols = before.shape[2]  # a blank, which is never emitted, is not shown on the tape
    for step, head in enumerate(seen["memory_head"][1:].astype(int), start=1):
        near = (head + np.array([-1, 0, 1])) % 5
        change = (after - before)[step - 1, near]
        np.testing.assert_allclose(seen["write_values"][step][:, :symbols], change, atol=1e-6)
        np.testing.assert_array_equal(
            seen["read_values"][step][:, :symbols], before[step - 1, near]
        )


@pytest.mark.parametrize("radius", [0, 1])
def test_the_memory_is_what_predict_carries(radius: int) -> None:
    model = untrained(memory_radius=radius, memory_size=5)
    trace = traced(model)
    names = [tape.name for tape in trace.history.tapes]
    assert names == ["input tape", "memory tape"], "the environment's own is not shown"
    tape = trace.history.tapes[1]
    assert tape.strengths is not None
    assert tape.cells.shape[1] == 5, "the head went all around"
    env = gym.make(WITH_TAPE, **RULES)
    base: Any = env.unwrapped
    obs, _ = env.reset(seed=4)
    state: Any = None
    for step, action in enumerate(trace.actions):
        head = 0 if state is None else int(state.head)
        assert tape.heads[step] == head
        with seeded(turn_seeds([4], step), model):
            taken, state = model.predict(obs[None], state, None, False, base.action_masks()[None])
        assert action["symbol"] == base.rules.action_values[-1][taken[0, -1]]
        moved = {"left": -1, "stay": 0, "right": 1}[action["memory_move"]]
        assert (head + moved) % 5 == int(state.head)
        content = state.memory[0, :, :11].numpy()
        strengths = content.max(axis=1) - content.mean(axis=1)
        np.testing.assert_allclose(tape.strengths[step], strengths, atol=1e-5)
        shown = np.where(strengths < 0.1, 11, content.argmax(axis=1))
        assert tape.cells[step].tolist() == shown.tolist()
        reach = max(radius, 1)  # a shortcut leads to the cells beside the head
        near = [(head + offset) % 5 for offset in range(-reach, reach + 1)]
        assert set(np.flatnonzero(tape.written[step])) <= set(near)
        obs = env.step(taken[0])[0]
    assert "memory_write" not in trace.choices


def test_how_probable_each_choice_was() -> None:
    model = untrained()
    silent = sum(model.policy.interfaces.move_sizes) - 2
    with torch.no_grad():
        model.policy.controller.bias_out[silent] += 30.0
    trace = traced(model)
    assert trace.probabilities is not None
    assert list(trace.choices) == ["input_move", "memory_move", "emit", "symbol"]
    np.testing.assert_allclose(trace.probabilities.sum(axis=2), 1.0, atol=1e-5)
    for step, probabilities in enumerate(trace.probabilities):
        assert trace.probability("symbol", step) == probabilities[3].max()
        assert trace.probability("emit", step) == pytest.approx(1.0)
    emits = [action["emit"] == "emit" for action in trace.actions]
    assert emits == sorted(emits), "silent until emission is forced, by masks"
    assert 0 < sum(emits) < len(emits)


def test_cells_round_the_end_of_the_tape_are_one_stretch() -> None:
    numbers = np.zeros((3, 9, 4))
    numbers[:, 0] = 1.0  # as the tape starts: all alike, so no symbol
    numbers[1:, 8, 2] = 0.9
    numbers[2:, 7, 3] = 0.05  # too faint
    change = np.zeros((3, 9))
    change[1, 8] = 0.9
    seen = {"memory_tape": numbers, "memory_change": change}
    tape = own_tape({**seen, "memory_head": np.array([0.0, 8.0, 7.0])})
    assert tape is not None
    blank = 4
    assert tape.cells.tolist() == [
        [blank] * 5,  # cells 6, 7, 8, 0, 1
        [blank, blank, 2, blank, blank],
        [blank, blank, 2, blank, blank],
    ]
    assert tape.heads.tolist() == [3, 2, 1]
    assert tape.head_writes().tolist() == [False, True, False]
    assert tape.strengths is not None
    assert tape.strengths[1, 2] == pytest.approx(0.9 * 3 / 4)


def test_an_agent_without_memory_shows_none() -> None:
    trace = traced(untrained(memory=False))
    assert [tape.name for tape in trace.history.tapes] == ["input tape"]
    assert list(trace.actions[0]) == ["input_move", "emit", "symbol"]
    trace = traced(untrained(WITHOUT, memory=True), WITHOUT)
    assert [tape.name for tape in trace.history.tapes] == ["input tape", "memory tape"]
    assert list(trace.actions[0]) == ["input_move", "memory_move", "emit", "symbol"]


def test_the_text_marks_head_writes_and_misses() -> None:
    trace = traced(untrained(memory_radius=1))
    assert trace.success is False
    lines = trace_text(trace).splitlines()
    steps = lines[3 : 3 + len(trace.rewards)]
    for name in ("memory tape", "input move", "memory move", "output"):
        assert name in lines[2]
    assert all(line.count("[") + line.count("{") == 2 for line in steps), "two heads"
    assert any("+" in line for line in steps)
    assert "+ written beside the head" in lines[-1]
    output = trace.history.output
    assert output is not None
    first = output.misses()[0]
    wrong, right = (trace.symbol(n) for n in (int(output.symbols[first]), output.target[0]))
    chance = trace.probability("symbol", first)
    assert f"{wrong} {chance:.2f} ✗ not {right}" in steps[first]
    assert f"wrong symbols, the first in step {first + 1}: {wrong}, not {right}" in trace_text(
        trace
    )


def test_the_picture_shows_it_too(tmp_path: Path) -> None:
    trace = traced(untrained(memory_radius=1))
    trace_png(trace, tmp_path / "with.png")
    bare = traced(untrained(memory=False))
    trace_png(bare, tmp_path / "without.png")
    orange = np.array([0xE0, 0x8A, 0x00]) / 255
    counts = [
        int((np.abs(imread(tmp_path / name)[..., :3] - orange).max(axis=2) < 0.01).sum())
        for name in ("with.png", "without.png")
    ]
    assert counts[0] > 1000
    assert counts[1] == 0
