"""A trace shows what happened, as text and as a picture."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from agents import MemoryPPO, make_vec_env
from agents.evaluation.plots import BLUE, GREEN, INK, ORANGE, RED, learning_curve_png
from agents.evaluation.trace import Trace, longest_episode, run_trace, trace_text
from agents.evaluation.trace.picture import trace_png
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.opening import opened
from memory_envs.scoring.play import play
from memory_envs.scoring.policy import Turn
from memory_envs.view import NOTHING

FORWARD = "Tape-ForwardReverse-Easy-v0"


def always(*actions: Any) -> Any:
    """A policy that takes the given actions one after the other, the last one for ever."""

    def policy(_turn: Turn, state: int | None) -> tuple[Any, int]:
        step = state or 0
        return [actions[min(step, len(actions) - 1)]], step + 1

    return policy


def untrained(env_id: str, memory: str) -> MemoryPPO:
    env = make_vec_env(env_id, 2)
    return MemoryPPO(
        "MemoryPolicy", env, n_steps=8, batch_size=16, policy_kwargs={"memory": memory}, seed=1
    )


def colors(path: Path) -> set[tuple[int, ...]]:
    """The colours of a picture's pixels."""
    pixels: npt.NDArray[np.float32] = imread(path)
    red, green, blue = (pixels[..., channel] for channel in range(3))
    bytes_ = [(255 * part).round().astype(int) for part in (red, green, blue)]
    numbers = np.unique(bytes_[0] << 16 | bytes_[1] << 8 | bytes_[2]).tolist()
    return {(number >> 16, number >> 8 & 255, number & 255) for number in numbers}


def rgb(color: str) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in to_rgb(color))


def test_tapes_heads_and_output_are_those_of_the_episode() -> None:
    trace = run_trace("oracle", FORWARD, seed=3, name="oracle")
    source, memory = trace.history.tapes
    output = trace.history.output
    assert output is not None
    string = output.target[:-1][::-1]
    size, end, blank = len(string), 5, 6
    steps = 2 * (size + 1)
    assert len(trace.rewards) == len(trace.actions) == len(trace.observations) == steps
    assert source.cells.tolist() == [[blank, *string, end, blank]] * steps
    reading = list(range(1, size + 2))
    assert source.heads.tolist() == reading + [size + 1] * (steps - len(reading))
    assert not source.written.any()
    assert memory.head_writes().tolist() == [t < size for t in range(steps)]
    assert memory.cells[0].tolist() == [string[0], *[blank] * (memory.cells.shape[1] - 1)]
    assert memory.cells[-1, :size].tolist() == string
    assert memory.heads[: size + 1].tolist() == list(range(size + 1))
    silent = size + 1
    assert output.symbols.tolist() == [NOTHING] * silent + [*string[::-1], end]
    assert output.right.tolist() == [False] * silent + [True] * (size + 1)
    assert trace.rewards.tolist() == [0.0] * silent + [1.0] * (size + 1)
    assert trace.success is True
    assert trace.actions[0]["memory_write"] == str(string[0])
    assert trace.actions[-1]["emit"] == "emit"
    for step in range(steps):
        seen = [source.cells[step, source.heads[step]]]
        assert trace.observations[step][0] == seen, "the head is where the agent reads"


def test_the_text_shows_each_step() -> None:
    trace = run_trace("oracle", FORWARD, seed=3, name="oracle")
    title, _, header, *rest = trace_text(trace).splitlines()
    size = len(trace.rewards)
    assert title.split("   ") == [
        *(FORWARD, "oracle", "seed 3", "success"),
        *(f"return {size // 2} of {size // 2}", f"{size} steps"),
    ]
    for name in ("step", "input tape", "memory tape", "input move", "output", "reward"):
        assert name in header
    rows = rest[:size]
    assert [row.split()[0] for row in rows] == [str(step + 1) for step in range(size)]
    assert all(row.count("[") + row.count("{") == 2 for row in rows), "two heads"
    assert sum("{" in row for row in rows) == size // 2 - 1
    assert sum("✓" in row for row in rows) == size // 2
    assert "■ end mark   · blank" in rest[-1]


def test_mistakes_are_shown() -> None:
    emit_end = np.array([1, 1, 5])  # stay, emit the end mark, which is never the first symbol
    trace = run_trace(always(emit_end), "Tape-Copy-Easy-v0", seed=0)
    output = trace.history.output
    assert output is not None
    assert (output.symbols.tolist(), output.right.tolist()) == ([5], [False])
    assert f"■ ✗ not {output.target[0]}" in trace_text(trace)
    assert trace.success is False
    assert "failure" in trace.title()


def test_a_head_off_the_tape_is_shown_beside_it() -> None:
    left = np.array([0, 0, 0])
    trace = run_trace(always(left), "Tape-Copy-Easy-v0", seed=0)
    (tape,) = trace.history.tapes
    assert tape.heads[:4].tolist() == [1, 0, 0, 0]
    assert trace.observations[1].tolist() == [6]
    assert not trace.history.output.right.any()  # type: ignore[union-attr]


@pytest.mark.parametrize("env_id", ["Tape-Copy-Easy-v0", "CartPole-v1"])
def test_it_is_the_episode_that_an_evaluation_plays(env_id: str) -> None:
    model = untrained(env_id, "gru")
    for deterministic in (True, False):
        trace = run_trace(model, env_id, seed=11, deterministic=deterministic)
        with opened(env_id, 1) as rows:
            played = play(from_predict(model, deterministic), rows, 1, seed=11)
        assert trace.rewards.sum() == played.returns[0]
        assert len(trace.rewards) == played.lengths[0]


@pytest.mark.parametrize(("memory", "heads"), [("ntm", {"read", "write"}), ("salu", {"read"})])
def test_where_the_heads_of_a_memory_were_is_shown(memory: str, heads: set[str]) -> None:
    model = untrained("Tape-Copy-Easy-v0", memory)
    right = np.array([2, 0, 0])
    trace = run_trace(model, "Tape-Copy-Easy-v0", seed=5, env_kwargs={"max_steps": 6})
    assert trace.values is not None
    assert trace.values.shape == (len(trace.rewards),)
    assert trace.weightings.keys() == heads
    for weights in trace.weightings.values():
        assert weights.shape[0] == len(trace.rewards)
        np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-5)
    header = trace_text(trace).splitlines()[2]
    assert "read heads" in header
    assert "value" in header
    assert run_trace(always(right), "Tape-Copy-Easy-v0", seed=5).weightings == {}


def test_what_the_critic_says_is_what_training_sees() -> None:
    model = untrained("Tape-Copy-Easy-v0", "lstm")
    trace = run_trace(model, "Tape-Copy-Easy-v0", seed=5, env_kwargs={"on_error": "continue"})
    steps = len(trace.rewards)
    assert steps > 3
    starts = torch.arange(steps).reshape(steps, 1) == 0
    now = model.policy.evaluate_actions(
        torch.as_tensor(np.stack(trace.observations))[:, None],
        torch.zeros((steps, 1, 3), dtype=torch.int64),
        model.policy.initial_state(1),
        starts,
    )
    assert trace.values is not None
    # Values are of order 0.1, from sums of 128 terms in float32.
    np.testing.assert_allclose(trace.values, now.values[:, 0].detach(), atol=1e-5)


def test_an_algorithmic_grid_is_shown_row_by_row() -> None:
    trace = run_trace("oracle", "Algorithmic/ReversedAddition-v0", seed=2)
    (tape,) = trace.history.tapes
    output = trace.history.output
    assert output is not None
    assert trace.success is True
    assert output.symbols[output.symbols != NOTHING].tolist() == output.target
    blank, width = 3, tape.cells.shape[1] // 2 - 2
    digits = tape.cells[0].reshape(2, width + 2)
    assert set(digits[:, [0, -1]].ravel()) == {blank}
    total = sum(int(n) * 3**i for row in digits[:, 1:-1] for i, n in enumerate(row))
    assert total == sum(digit * 3**i for i, digit in enumerate(output.target))
    for step, observation in enumerate(trace.observations):
        assert tape.cells[step, tape.heads[step]] == observation


def test_a_stream_is_shown_as_it_passes_by() -> None:
    trace = run_trace(always(np.array([1, 0, 1, 1, 0, 0, 0, 0])), "Stream-Copy-v0", seed=3)
    (tape,) = trace.history.tapes
    assert (tape.name, tape.cells.shape) == ("input", (17, 1))
    lines = trace_text(trace).splitlines()
    assert lines[2].split() == ["step", "input", "output", "reward"], "bits are no columns"
    shown = [line.split()[1].strip("[]") for line in lines[3:11]]
    assert lines[11].split() == ["9", "[", "|]", "0"]
    for line, wanted in zip(lines[12:20], shown, strict=True):
        wrong = bin(int(wanted, 16) ^ 0x0D).count("1")
        assert line.split()[2:] == ["0d", "✗", "not", wanted, f"{1 - wrong / 8:g}"]
    assert lines[-1] == "[ ] head"


def test_a_maze_is_shown_as_a_path() -> None:
    trace = run_trace("oracle", "Maze-InvisibleGoal-9x9-v0", seed=4)
    path = trace.history.path
    assert path is not None
    assert len(path.cells) == len(trace.rewards) + 1 == 251
    assert not path.walls[tuple(path.cells.T)].any()
    assert (path.reached == (trace.rewards > 5)).all()
    apart = np.abs(np.diff(path.cells, axis=0)).sum(axis=1)
    assert set(apart[~path.reached]) <= {0, 1}
    text = trace_text(trace)
    assert f"goal (G) reached {path.reached.sum()} times" in text
    assert text.count("##") == path.walls.sum()


def test_any_other_environment_is_shown_as_a_table() -> None:
    trace = run_trace("random", "CartPole-v1", seed=0, name="chance")
    lines = trace_text(trace).splitlines()
    assert lines[0] == f"CartPole-v1   chance   seed 0   {lines[0].split('   ', 3)[3]}"
    assert lines[2].split() == ["step", "observation", "action", "reward"]
    assert len(lines) == 3 + len(trace.rewards)


@pytest.mark.parametrize(
    "env_id", ["popgym:popgym-AutoencodeEasy-v0", "minigrid:MiniGrid-MemoryS7-v0"]
)
def test_a_model_is_traced_wherever_it_was_trained(env_id: str) -> None:
    trace = run_trace(untrained(env_id, "lstm"), env_id, seed=3)
    assert len(trace.rewards) == len(trace_text(trace).split("reward")[1].strip().splitlines()) - 1


def test_the_longest_episode_is_found() -> None:
    seed = longest_episode("Tape-Copy-v0", first=7, tries=64)
    trace = run_trace("oracle", "Tape-Copy-v0", seed=seed)
    assert len(trace.rewards) == 11
    assert longest_episode("CartPole-v1", first=7) == 7


def picture(trace: Trace, path: Path) -> set[tuple[int, ...]]:
    trace_png(trace, path)
    assert [file.name for file in path.parent.iterdir()] == [path.name], "no temporary file stays"
    found = colors(path)
    path.unlink()
    return found


def test_the_picture_shows_heads_and_what_was_emitted(tmp_path: Path) -> None:
    path = tmp_path / "trace.png"
    solved = picture(run_trace("oracle", FORWARD, seed=3), path)
    assert {rgb(BLUE), rgb(ORANGE), rgb(GREEN)} <= solved
    assert rgb(RED) not in solved
    emit_end = np.array([1, 1, 5])
    failed = picture(run_trace(always(emit_end), "Tape-Copy-Easy-v0", seed=0), path)
    assert {rgb(BLUE), rgb(RED)} <= failed
    assert not {rgb(GREEN), rgb(ORANGE)} & failed


@pytest.mark.parametrize(
    ("policy", "env_id"),
    [
        ("oracle", "Maze-InvisibleGoal-9x9-v0"),
        ("random", "CartPole-v1"),
        ("oracle", "Algorithmic/Reverse-v0"),
        ("oracle", "Tape-Sort-v0"),
        ("oracle", "Stream-PrioritySort-v0"),
        ("oracle", "Stream-DictionaryInference-4x1-v0"),
    ],
)
def test_every_family_has_a_picture(policy: Any, env_id: str, tmp_path: Path) -> None:
    assert len(picture(run_trace(policy, env_id, seed=1), tmp_path / "trace.png")) > 10


def test_the_learning_curve_shows_what_there_is(tmp_path: Path) -> None:
    steps = range(0, 1000, 100)
    progress: dict[str, list[tuple[int, float]]] = {
        "rollout/success_rate": [(step, step / 1000) for step in steps],
        "rollout/ep_rew_mean": [(step, step / 100) for step in steps],
        "evaluation/success": [(step, step / 900) for step in steps],
        "curriculum/level": [(step, step // 300) for step in steps],
    }
    sizes = {}
    only_return = {"rollout/ep_rew_mean": progress["rollout/ep_rew_mean"]}
    for name, data, optimum in (
        ("all", progress, 9.5),
        ("return", only_return, None),
        ("nothing", {}, None),
    ):
        path = tmp_path / name / "curve.png"
        learning_curve_png(data, path, name, optimum, None if optimum is None else 0.5)
        sizes[name] = imread(path).shape[0]
        if name == "all":
            assert {rgb(INK), rgb(ORANGE), rgb(GREEN), rgb(RED)} <= colors(path)
    assert sizes["all"] > 2 * sizes["return"] >= 2 * sizes["nothing"] > 0
