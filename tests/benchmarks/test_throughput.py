import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn

from agents.cells import CELLS
from benchmarks import cells, throughput, timing
from benchmarks.results import Measurement, Report
from benchmarks.stepping import Contestant, contestants, measure, scalar_advance, vector_advance
from benchmarks.tables import markdown

ROOT = Path(__file__).parent.parent.parent


class Clock:
    """A clock that only work moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def worker(self, cost: float, first_call: float = 0.0) -> timing.Advance:
        """Makes calls that take `cost` seconds each, and the first of them `first_call` more."""
        extra = [first_call]

        def advance(calls: int) -> None:
            self.now += calls * cost + (extra.pop() if extra else 0.0)

        return advance


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


def test_rates_leave_out_the_warm_up(clock: Clock) -> None:
    workers = [clock.worker(0.001, first_call=100.0), clock.worker(0.25)]
    rates = timing.calls_per_second(workers, repeats=3, seconds=2.0)
    assert rates == [pytest.approx([1000.0] * 3), pytest.approx([4.0] * 3)]


def test_contestants_take_turns_and_each_turn_lasts_as_long_as_asked(clock: Clock) -> None:
    turns: list[tuple[str, float]] = []

    def noted(name: str, advance: timing.Advance) -> timing.Advance:
        def run(calls: int) -> None:
            start = clock.now
            advance(calls)
            turns.append((name, clock.now - start))

        return run

    workers = [
        noted("fast", clock.worker(0.001)),
        noted("slow", clock.worker(0.03, first_call=100.0)),
    ]
    timing.calls_per_second(workers, repeats=2, seconds=0.6)
    assert [name for name, _ in turns[-4:]] == ["fast", "slow", "fast", "slow"]
    assert [seconds for _, seconds in turns[-4:]] == pytest.approx([0.6] * 4, rel=0.05)


class Fuse(gym.Env[Any, Any]):
    """Lasts three steps, and cannot be stepped beyond its end."""

    action_space = spaces.Discrete(5)

    def __init__(self, ending: str) -> None:
        self.ending, self.left, self.actions, self.resets = ending, 0, list[int](), 0

    def reset(self, **_: Any) -> tuple[int, dict[str, Any]]:
        self.left, self.resets = 3, self.resets + 1
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert self.left > 0
        self.left -= 1
        self.actions.append(action)
        over = self.left == 0
        return 0, 0.0, over and self.ending == "end", over and self.ending == "limit", {}


@pytest.mark.parametrize("ending", ["end", "limit"])
def test_scalar_environments_are_reset_when_an_episode_is_over(ending: str) -> None:
    env = Fuse(ending)
    env.reset()
    advance = scalar_advance(env, [4, 2])
    advance(4)
    advance(3)
    assert env.actions == [4, 2, 4, 2, 4, 2, 4]
    assert env.resets == 1 + 7 // 3


def test_vector_environments_get_all_actions_in_turn() -> None:
    seen: list[int] = []
    advance = vector_advance(seen.append, [1, 2, 3])
    advance(2)
    advance(2)
    assert seen == [1, 2, 3, 1]


def contestant(name: str, module: str, make: Callable[[], timing.Advance]) -> Contestant:
    return Contestant("section", name, "", 10, module, make)


def test_a_peer_that_is_not_installed_is_named_and_left_out(clock: Clock) -> None:
    def fail() -> timing.Advance:
        raise AssertionError("must not be built")

    there = contestant("there", "numpy", lambda: clock.worker(0.5))
    missing = contestant("missing", "no_such_module", fail)
    found, notes = measure([missing, there], repeats=2, seconds=1.0)
    assert [measurement.name for measurement in found] == ["there"]
    assert found[0].steps_per_second == pytest.approx([20.0, 20.0])  # 10 rows, 2 calls a second
    assert len(notes) == 1
    assert "missing" in notes[0]
    assert "no_such_module" in notes[0]


def report(*measurements: Measurement, checkpoints: tuple[int, ...] = ()) -> Report:
    return Report(
        title="Title",
        command="python -m benchmarks.throughput envs",
        commit=None,
        date="2026-01-01 00:00 UTC",
        machine={"cpu": "C", "cores": 2, "system": "S", "python": "3", "load_average": [0.1]},
        load_average_after=[0.2],
        versions={"numpy": "2", "envpool": None},
        settings={"repeats": 3},
        measurements=list(measurements),
        notes=["a note"],
        checkpoints=list(checkpoints),
    )


OURS = Measurement("s", "ours", "", [30.0, 60.0, 50.0], target=2.0)
SLOW = Measurement("s", "slow", "", [10.0, 11.0, 90.0], is_reference=True)
BEST = Measurement("s", "best", "", [20.0, 25.0, 40.0], is_reference=True)
OTHER = Measurement("t", "other", "", [900.0, 900.0, 900.0], is_reference=True)


def test_the_fastest_reference_of_the_section_counts() -> None:
    comparison = report(OURS, SLOW, BEST, OTHER).compare(OURS)
    assert comparison is not None
    assert comparison.ratio == 2.0  # medians: 50 and 25
    assert (comparison.lowest, comparison.highest) == (1.25, 2.4)  # 30/20, 60/25, 50/40
    assert comparison.reached is True


def test_a_target_can_be_missed() -> None:
    faster = dataclasses.replace(BEST, steps_per_second=[20.0, 25.1, 40.0])
    comparison = report(OURS, faster).compare(OURS)
    assert comparison is not None
    assert comparison.reached is False
    assert ">= 2: missed" in markdown(report(OURS, faster))


@pytest.mark.parametrize(("second", "reached"), [(80.0, True), (79.0, False)])
def test_speed_counts_only_at_the_same_learning_curve(second: float, reached: bool) -> None:
    ours = dataclasses.replace(OURS, returns=[[None, second], [None, second + 20.0]])
    best = dataclasses.replace(BEST, returns=[[50.0, 100.0], [None, 100.0]])
    comparison = report(ours, best, checkpoints=(1, 2)).compare(ours)
    assert comparison is not None
    assert comparison.return_ratio == (second + 10.0) / 100.0
    assert comparison.reached is reached


def test_without_a_reference_nothing_is_claimed() -> None:
    alone = report(OURS, OTHER)
    assert alone.compare(OURS) is None
    assert ">= 2: unknown" in markdown(alone)


def test_a_report_survives_its_file() -> None:
    ours = dataclasses.replace(OURS, returns=[[None, 1.5]])
    first = report(ours, SLOW, BEST, checkpoints=(10, 20))
    text = first.to_json()
    assert Report.from_json(text) == first
    assert json.loads(text)["measurements"][0]["comparison"]["ratio"] == 2.0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["envs", "--repeats", "0"], "above 0"),
        (["envs", "--repeats", "two"], "int above 0"),
        (["envs", "--seconds", "nan"], "above 0"),
        (["envs", "--json", "no/such/folder/x.json"], "no/such/folder"),
        (["agents"], "agents"),
    ],
)
def test_bad_options_are_refused_before_anything_runs(
    arguments: list[str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(throughput, "_measure", lambda *_: pytest.fail("it ran"))
    with pytest.raises(SystemExit) as error:
        throughput.main(arguments)
    assert error.value.code not in (0, None)
    assert complaint in capsys.readouterr().err + str(error.value.code)


def quick_run(what: str, path: Path, *, one_thread: bool) -> tuple[Report, str]:
    """The report of a quick run in a process of its own, and what it printed."""
    environment = {name: value for name, value in os.environ.items() if "_NUM_THREADS" not in name}
    if one_thread:
        environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "benchmarks.throughput", what, "--quick", "--markdown"]
    run = subprocess.run(
        [*command, "--json", str(path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return Report.from_json(path.read_text()), run.stdout


def test_envs_runs(tmp_path: Path) -> None:
    found, printed = quick_run("envs", tmp_path / "envs.json", one_thread=False)
    assert printed == markdown(found)
    assert found.settings["threads"] == 1
    assert len(found.measurements) + len(found.notes) == len(contestants())
    assert all(min(measurement.steps_per_second) > 0 for measurement in found.measurements)
    targets = [measurement for measurement in found.measurements if measurement.target]
    assert [measurement.name for measurement in targets] == ["Tape-Reverse-v0"] * 2
    assert all(found.compare(measurement) is not None for measurement in targets)


def test_training_runs(tmp_path: Path) -> None:
    found, printed = quick_run("training", tmp_path / "training.json", one_thread=True)
    assert printed == markdown(found)
    names = [measurement.name for measurement in found.measurements]
    assert names == ["MemoryPPO, bptt 16", "MemoryPPO, bptt 128", "RecurrentPPO", "MemoryPPO"]
    assert [measurement.target for measurement in found.measurements] == [8.0, 5.0, None, None]
    for measurement in found.measurements[:3]:
        assert measurement.returns is not None
        # Untrained play of CartPole lasts about 20 steps.
        assert all(value is None or 8 < value < 60 for value in measurement.returns[0])
    comparison = found.compare(found.measurements[0])
    assert comparison is not None
    assert comparison.return_ratio is not None


def test_memory_runs(tmp_path: Path) -> None:
    found, printed = quick_run("memory", tmp_path / "memory.json", one_thread=True)
    assert printed == markdown(found)
    first, second = found.measurements
    # 8,192 transitions, each of a few thousand numbers at most.
    assert 10 < first.median < 200
    # Nothing is kept from one epoch to the next.
    assert second.median < 1.15 * first.median


def test_text_runs(tmp_path: Path) -> None:
    found, printed = quick_run("text", tmp_path / "text.json", one_thread=True)
    assert printed == markdown(found)
    levels = [f"bAbI, {level} by {level}: " for level in ("word", "sentence")]
    of_babi = [level + unit for level in levels for unit in ("steps", "stories")]
    sections = [measurement.section for measurement in found.measurements]
    texts = ["logic", "tagging", "sentences", *of_babi]
    assert sections == [name for name in texts for _ in range(3)]
    names = [measurement.name for measurement in found.measurements]
    assert names[:9] == ["MannRL", "Supervised, memory-net", "Supervised, lstm"] * 3
    assert names[9:] == ["Supervised, mnm-p", "Supervised, dnc", "Supervised, lstm"] * 4
    assert all(min(measurement.steps_per_second) > 0 for measurement in found.measurements)
    for measurement in found.measurements[9:12]:  # a story has more words than one
        (stories,) = (
            each
            for each in found.measurements
            if (each.section, each.name) == (of_babi[1], measurement.name)
        )
        assert 10 < measurement.median / stories.median < 1400


def test_cells_runs(tmp_path: Path) -> None:
    found, printed = quick_run("cells", tmp_path / "cells.json", one_thread=True)
    assert printed == markdown(found)
    assert found.settings["threads"] == 1
    names = [measurement.name for measurement in found.measurements]
    forward, backward = names[: len(names) // 2], names[len(names) // 2 :]
    assert forward == backward
    assert {"torch.nn.LSTM", *CELLS} < set(forward)
    assert ("dnc, the package" in forward) is (importlib.util.find_spec("dnc") is not None)
    assert all(min(measurement.steps_per_second) > 0 for measurement in found.measurements)
    # Backward is work besides.
    for first, second in zip(found.measurements, found.measurements[len(forward) :], strict=False):
        assert first.section.startswith("forward, ")
        assert second.section.startswith("forward + backward, ")


def counted(calls: list[Any], name: str) -> cells.Contestant:
    """A contestant of one weight that notes what it is run on."""
    weight = nn.Parameter(torch.ones(()))

    def run(xs: Tensor) -> tuple[Tensor, Tensor | float]:
        calls.append((name, tuple(xs.shape), torch.is_grad_enabled()))
        return weight * xs, 0.0

    return cells.Contestant(name, lambda: ([weight], run), ((4, 2), (8, 2)))


def test_cells_meet_size_by_size_forward_then_backward(clock: Clock) -> None:
    calls: list[Any] = []
    missing = cells.Contestant("missing", _never, module="no_such_module")
    taking_part = [counted(calls, "a"), counted(calls, "b"), missing]

    def ticking(contestant: cells.Contestant) -> cells.Contestant:
        parameters, run = contestant.make()

        def slow(xs: Tensor) -> tuple[Tensor, Tensor | float]:
            clock.now += 0.5
            return run(xs)

        return dataclasses.replace(contestant, make=lambda: (parameters, slow))

    taking_part[:2] = map(ticking, taking_part[:2])
    found, notes = cells.measure(taking_part, repeats=2, seconds=1.0)
    sections = [
        f"{direction}, {rows} rows, 2 steps"
        for direction in ("forward", "forward + backward")
        for rows in (4, 8)
    ]
    assert [(m.section, m.name) for m in found] == [(s, n) for s in sections for n in "ab"]
    # Two calls a second, of rows times steps.
    assert [m.median for m in found] == pytest.approx([16, 16, 32, 32] * 2)
    assert {shape for _, shape, _ in calls} == {(2, 4, 64), (2, 8, 64)}
    assert [graph for _, _, graph in calls] == sorted(graph for _, _, graph in calls)
    assert len(notes) == 1
    assert "missing" in notes[0]


def _never() -> Any:
    raise AssertionError("must not be built")


def test_the_two_dncs_are_of_one_size() -> None:
    pytest.importorskip("dnc")
    sizes = {
        contestant.name: sum(parameter.numel() for parameter in contestant.make()[0])
        for contestant in cells.CONTESTANTS
        if "dnc" in contestant.name
    }
    # The package has a layer besides, from 160 outputs to 64.
    assert sizes["dnc, the package"] - sizes["dnc"] == 160 * 64 + 64


def test_both_algorithms_get_the_same_settings_and_networks_of_one_size() -> None:
    from benchmarks.training import memory_ppo, recurrent_ppo

    ours, theirs = memory_ppo(0), recurrent_ppo(0)

    def settings(model: Any) -> dict[str, Any]:
        names = "learning_rate n_steps batch_size n_epochs gamma gae_lambda clip_range ent_coef"
        names += " vf_coef max_grad_norm normalize_advantage clip_range_vf target_kl n_envs"
        values = {name: getattr(model, name) for name in names.split()}
        # Some are schedules, of the remaining progress.
        return {name: v(1.0) if callable(v) else v for name, v in values.items()}

    assert settings(ours) == settings(theirs)
    assert ours.optimizer.defaults["eps"] == theirs.policy.optimizer.defaults["eps"]
    sizes = [sum(p.numel() for p in model.policy.parameters()) for model in (ours, theirs)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_a_learning_curve_is_made_of_the_episodes_between_two_checkpoints() -> None:
    from benchmarks.training import checkpoints, mean_returns

    assert checkpoints(100) == [25, 50, 75, 100]
    curve = mean_returns([10, 25, 26, 99, 101], [1.0, 3.0, 5.0, 7.0, 9.0], [25, 50, 75, 100])
    assert curve == [2.0, 5.0, None, 7.0]


def test_the_tables_in_the_docs_are_those_of_the_results() -> None:
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- results: (\S+) -->\n(.*?)<!-- end of results -->", text, re.DOTALL)
    assert [Path(name).name for name, _ in blocks] == [
        "speed-envs.json",
        "speed-training.json",
        "speed-memory.json",
        "speed-cells.json",
        "speed-rl-ntm.json",
        "speed-text.json",
    ]
    for name, block in blocks:
        path = ROOT / name
        expected = "Not measured yet.\n"
        if path.exists():
            expected = markdown(Report.from_json(path.read_text(encoding="utf-8")))
        assert block == expected, name
