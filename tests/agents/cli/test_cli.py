"""The command line: what is listed, found, refused and played."""

import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import memory_envs
from agents.cli.keyboard import Controls, InputError, play
from agents.cli.main import main
from memory_envs import ENVIRONMENTS
from memory_envs.spec import check_env

ROOT = Path(__file__).parents[3]
Capture = pytest.CaptureFixture[str]
RL_NTM = "train Tape-ForwardReverse-v0 --algo rl_ntm"


def test_the_list_holds_every_id(capsys: Capture) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(ENVIRONMENTS)
    for name in ("id", "family", "task", "tier", "optimum", "steps"):
        assert name in lines[0].split()


def test_the_list_says_what_is_solved_by_a_preset(capsys: Capture) -> None:
    assert main(["list", "--family", "tape"]) == 0
    lines = capsys.readouterr().out.splitlines()
    by_id = {line.split()[0]: line for line in lines}
    assert "ppo/lstm 3 of 3 (0.99 - 1.00)" in by_id["Tape-Reverse-v0"]
    assert "rl_ntm/direct_access 5 of 5" in by_id["Tape-ForwardReverse-Hard-v0"]
    for unsolved in ("Tape-Sort-Hard-v0", "Tape-Addition-Hard-v0", "Tape-Sort-v0"):
        assert " of " not in by_id[unsolved]
    assert main(["list", "--family", "tape", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    first = rows["Tape-Reverse-v0"]["results"][0]
    assert (first["agent"], first["solved"], first["runs"]) == ("ppo/lstm", 3, 3)
    assert all(result["solved"] == 0 for result in rows["Tape-Sort-Hard-v0"]["results"])


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_of_the_list_is_lost_in_a_narrow_terminal(
    width: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["list", "--family", "tape"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines()[1:])) <= width  # the head is bold, by escapes
    words = text.split()
    assert set(words) >= {"3", "of", "(0.97", "0.98)"}
    assert {"Tape-RepeatCopyForward-Hard-v0", "ppo/lstm", "rl_ntm/direct_access"} <= set(words)
    assert "rl-ntm/DuplicatedInput" in words


def test_a_family_is_listed_as_json(capsys: Capture) -> None:
    assert main(["list", "--family", "maze", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [id for id in ENVIRONMENTS if id.startswith("Maze")]
    assert {row["max_steps"] for row in rows} == {250}
    assert rows[0]["optimum"] > rows[1]["optimum"] > rows[2]["optimum"] > 100


def test_every_cell_is_listed(capsys: Capture) -> None:
    from agents.cells import CELLS

    assert main(["cells", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(CELLS)
    assert [row["source"] for row in rows] == [cell.source for cell in CELLS.values()]
    by_name = {row["name"]: row for row in rows}
    # An LSTM has four gates; each of 128 units sees 64 inputs, 128 units and two biases.
    lstm = by_name["lstm"]
    assert lstm["input_size"] == 64
    assert (lstm["parameters"], lstm["state_size"]) == (4 * 128 * (64 + 128 + 2), 2 * 128)
    assert (by_name["none"]["parameters"], by_name["none"]["state_size"]) == (0, 0)
    assert all(0 < row["microseconds"] < 1e6 for row in rows)
    assert main(["cells"]) == 0
    title, header, *lines = capsys.readouterr().out.splitlines()
    assert "64" in title
    assert "on this machine" in title
    assert header.split()[:2] == ["cell", "parameters"]
    assert [line.split()[0] for line in lines] == list(CELLS)
    assert "99,328" in lines[list(CELLS).index("lstm")]


def test_a_cell_s_cost_is_what_it_computes_not_how_long_it_waits(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a busy machine lets long steps wait."""
    from agents import cells
    from agents.cells.none import NoMemory

    step = NoMemory.forward

    def waiting(cell: Any, x: Any, state: Any) -> Any:
        time.sleep(0.005)
        for _ in range(50):  # of some microseconds each, so that the measurement ends
            out = step(cell, x + 0.0, state)
        return out

    monkeypatch.setattr(NoMemory, "forward", waiting)
    monkeypatch.setattr(cells, "CELLS", {"none": NoMemory})
    assert main(["cells", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["microseconds"] < 5000 / 64


def test_a_certificate_is_shown_and_says_what_it_is(capsys: Capture) -> None:
    assert main(["certify", "Tape-Reverse-v0"]) == 0
    shown = capsys.readouterr().out
    assert "It is certified that memory is needed." in shown
    assert "3.935  proven" in shown
    assert "the last 8 observations and actions" in shown
    assert "sampled: holds with a probability of" in shown
    assert main(["certify", "Tape-Copy-Easy-v0", "--window", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["needs_none"]
    assert list(found["windows"]) == ["2"]
    arguments = ["--window", "3", "--set", "max_length=2", "bits=1", "--json"]
    assert main(["certify", "Stream-Copy-v0", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["best"]["upper"] == 1.5
    assert found["memoryless"]["upper"] == 0.75
    assert list(found["observations"]) == ["3"]


def test_version_and_help(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"memory-envs {memory_envs.__version__}\n"
    assert main([]) == 0
    for command in (
        "list",
        "cells",
        "certify",
        "train",
        "evaluate",
        "trace",
        "memory-map",
        "ask",
        "play",
        "gradcheck",
        "check",
    ):
        assert main([command, "--help"]) == 0
        assert f"memory-envs {command}" in capsys.readouterr().out


def test_the_module_is_the_command_and_starts_without_torch() -> None:
    code = (
        "import sys; from agents.cli.main import main; main(['cells', '--help']);"
        "code = main(['list', '--family', 'maze']);"
        "print(sorted(sys.modules.keys() & {'torch', 'stable_baselines3', 'matplotlib'}));"
        "sys.exit(code)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "[]")
    command = [sys.executable, "-m", "agents.cli.main", "list", "--famly", "tape"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert "--family" in run.stderr
    assert "Traceback" not in run.stderr


def test_the_list_compiles_nothing() -> None:
    code = (
        "import sys; from agents.cli.main import main; code = main(['list']);"
        "print('numba' in sys.modules); sys.exit(code)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout.splitlines()[-1], run.stderr) == (0, "False", "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    for command in ("list", "evaluate random --env Tape-Copy-Easy-v0 --episodes 2"):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write) as target:
            run = subprocess.run(
                [sys.executable, "-m", "agents.cli.main", *command.split()],
                cwd=ROOT,
                stdout=target,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("trian", "command is 'trian'; allowed: list, cells, certify, train, "),
        ("list --family tap", "--family is 'tap'; allowed: "),
        ("certify Tape-Revers-v0", "(did you mean 'Tape-Reverse-v0'?)"),
        ("certify Tape-Copy-v0 --window 11", "--window is 11; allowed: integers from 1 to 10"),
        ("certify Tape-Copy-v0 --set on_error=continue", "on_error is 'continue'; allowed"),
        ("certify CartPole-v1", "env_id is 'CartPole-v1'; allowed: ids of memory_envs"),
        ("train", "say what to train on: ID"),
        ("train Tape-Copy-v0 --env Tape-Copy-v0", "are two ids: give one"),
        ("train --env Tape-Revers-v0", "(did you mean 'Tape-Reverse-v0'?)"),
        ("train tape-copy-v0", "(did you mean 'Tape-Copy-v0'?)"),
        ("train Xyzzy", "env is 'Xyzzy'; allowed: registered ids, as in `memory-envs list`"),
        ("train MyEnv-v0", "and module:id for an id that a module registers when it is imported"),
        ("train nowhere:Tape-Copy-v0", "there is no module nowhere"),
        ("train :Tape-Copy-v0", "there is no module for the environment :Tape-Copy-v0"),
        (
            "train memory_envs:Tape-Copy-v0 --set env_kwargs.simbols=3",
            "TapeVectorEnv.__init__() got an unexpected keyword argument 'simbols'",
        ),
        ("train Tape-Copy-v0 --algo popo", "--algo is 'popo'; allowed: "),
        ("train Tape-Copy-v0 --algo popo", "(did you mean 'ppo'?)"),
        ("train Tape-Copy-v0 --memory ltsm", "--memory is 'ltsm'; allowed: "),
        (
            "train Tape-Copy-v0 --algo rl_ntm --memory gru",
            "--memory with rl_ntm is 'gru'; allowed: lstm",
        ),
        ("train Tape-Copy-v0 --memory ltsm", "(did you mean 'lstm'?)"),
        (
            "train Tape-Copy-v0 --seed -1",
            "--seed is -1; allowed: integers from 0 to",
        ),
        ("train Tape-Copy-v0 --timesteps 0", "--timesteps is 0; allowed: integers from 1 on"),
        ("train Tape-Copy-v0 --n-envs 0", "--n-envs is 0; allowed: integers from 1 on"),
        ("train Tape-Copy-v0 --set n_envs=0", "--set: n_envs is 0; allowed: integers from 1 on"),
        (
            "train Tape-Copy-v0 --stop-at-success 95",
            "--stop-at-success is 95.0; allowed: numbers",
        ),
        ("train Pendulum-v1 --stop-at-success 0.9", "Pendulum-v1 knows no success"),
        ("train Tape-Copy-v0 --set gamma=1", "--set: recipe setting is 'gamma'"),
        (
            "train Tape-Copy-v0 --set env_kwargs.max_length=x",
            "max_length is 'x'; allowed",
        ),
        ("train Tape-Copy-v0 --device floppy", "device is 'floppy'; allowed: auto, cpu"),
        ("train Tape-Copy-v0 --device cuda:99", "device is 'cuda:99'; allowed: auto, cpu"),
        ("train --continue-from nowhere", "nowhere is no folder of a run"),
        ("train Tape-Copy-v0 --continue-from .", "ID is decided by the run to continue"),
        ("train --continue-from .", "holds no settings.json"),
        ("train --continue-from . --memory gru", "--memory is decided by the run to continue"),
        ("train --continue-from . --algo ppo", "--algo is decided by the run to continue"),
        ("train --continue-from . --seed 3", "--seed is decided by the run to continue"),
        ("train --continue-from . --start-from rl-ntm/Copy", "--start-from is decided by the run"),
        ("train Tape-Copy-v0 --start-from rl-ntm/Copi", "(did you mean 'rl-ntm/Copy'?)"),
        (
            "train Tape-Copy-v0 --out file.zip",
            "--out is 'file.zip'; allowed: a new or an",
        ),
        ("evaluate orakle --env Tape-Copy-v0", "(did you mean 'oracle'?)"),
        ("evaluate oracle", "say where oracle shall play: --env ID"),
        ("evaluate oracle --env CartPole-v1", "there is no oracle for"),
        ("evaluate random --env Tape-Copi-v0", "(did you mean 'Tape-Copy-v0'?)"),
        (
            "evaluate random --env Tape-Copy-v0 --episodes 0",
            "--episodes is 0; allowed: integers",
        ),
        (
            "evaluate random --env Tape-Copy-v0 --seed -3",
            "--seed is -3; allowed: integers",
        ),
        ("evaluate file.zip --env Tape-Copy-v0", "file.zip is not a valid model file"),
        ("evaluate file.zip", "file.zip does not say where it was trained: --env ID"),
        ("evaluate . --env Tape-Copy-v0", "holds no model.zip"),
        ("trace oracle --env CartPole-v1", "there is no oracle for"),
        ("trace random --env Tape-Copy-v0 --out file.zip", "--out file.zip is not a folder"),
        ("memory-map random --env Tape-Copy-v0 --out file.zip", "--out file.zip is not a folder"),
        (
            "memory-map random --env Tape-Copy-v0",
            "model is 'random'; allowed: models whose memory can be seen",
        ),
        (
            "memory-map --pretrained rl-ntm/ForwardReverse --step 31",
            "--step is 31; allowed: integers from 1 to 30",
        ),
        ("evaluate", "say who shall play: MODEL, or --pretrained NAME"),
        ("trace random --pretrained rl-ntm/Copy", "are two models: give one"),
        ("evaluate --pretrained rl-ntm/Cpy", "pretrained is 'rl-ntm/Cpy'; allowed: "),
        ("evaluate rl-ntm/Copy", "(did you mean '--pretrained rl-ntm/Copy'?)"),
        ("evaluate --pretrained rl-ntm/Copy --env Tape-Copy-v0", "has observation_space Multi"),
        (
            "train CartPole-v1 --algo rl_ntm",
            "it plays the family tape",
        ),
        (f"{RL_NTM} --set env_kwargs.forced_emission=false", "forced_emission is False; RL-NTM"),
        (f"{RL_NTM} --set policy.memory_radius=20", "memory_size is 30 and memory_radius 20"),
        (f"{RL_NTM} --set policy.memory_size=x", "memory_size is 'x'"),
        ("check", "say what to check: MODEL"),
        ("check nothing.zip", "there is no file or folder nothing.zip"),
        ("check math:pi", "model is 'math:pi'; allowed: functions"),
        ("check time:time", "no signature found"),
        ("check rl-ntm/Copy", "allowed: a MemoryPPO, MemoryA2C or Reinforce"),
        ("check math:pi --class PPO", "--class is 'PPO'; allowed: nothing, unless MODEL is a file"),
        ("check platform:machine", "allowed: a MemoryPPO, MemoryA2C or Reinforce, a RecurrentPPO"),
        ("check platform:machine --seed -1", "--seed is -1; allowed: integers from 0 on"),
        ("gradcheck --algo popo", "--algo is 'popo'; allowed: "),
        ("gradcheck --seed -1", "--seed is -1; allowed: integers from 0 on"),
        ("trace random --env Tape-Copy-v0 --seed -1", "--seed is -1; allowed: integers from 0 on"),
        ("play Tape-Copy-v0 --seed -1", "--seed is -1; allowed: integers from 0 on"),
        ("gradcheck --limit 0", "--limit is 0; allowed: integers from 1 on"),
        ("gradcheck --set max_steps", "--set is 'max_steps'; allowed: name=value"),
        ("play Tape-Cpy-v0", "(did you mean 'Tape-Copy-v0'?)"),
        ("play Pendulum-v1", "cannot be typed"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    command: str, message: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.zip").write_text("this is no model")
    assert main(command.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("memory-envs: ")
    assert message in lines[0]
    assert sorted(os.listdir()) == ["file.zip"], "nothing is written"


def test_a_missing_package_is_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., object] = importlib.util.find_spec

    def without_wandb(name: str, package: str | None = None) -> object:
        return None if name == "wandb" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_wandb)
    assert main(["train", "--env", "Tape-Copy-v0", "--wandb"]) == 2
    assert 'pip install "memory-envs[wandb]"' in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "agents.cli.parser", None)
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert main(["list"]) == 2
    assert 'pip install "memory-envs[agents]"' in capsys.readouterr().err


def test_an_evaluation_is_one_json_object(capsys: Capture) -> None:
    command = "evaluate oracle --env Tape-Reverse-Easy-v0 --episodes 30 --seed 3 --json"
    assert main(command.split()) == 0
    found = json.loads(capsys.readouterr().out)
    expected = {"env": "Tape-Reverse-Easy-v0", "episodes": 30, "seed": 3, "model": "oracle"}
    assert expected.items() <= found.items()
    assert (found["success"], found["score"]) == (1.0, 1.0)
    assert {"return_mean", "return_std", "length_mean", "deterministic"} <= found.keys()
    assert main(command.replace("--json", "").split()) == 0
    text = capsys.readouterr().out
    assert "30 episodes, seeds 3 to 32" in text
    assert "success  1.000" in text
    assert "score    1.000" in text


def test_counts_are_whole_numbers_however_they_are_typed(capsys: Capture) -> None:
    command = "evaluate random --env Tape-Copy-Easy-v0 --episodes"
    for text in ("20", "2e1", "2_0"):
        assert main([*command.split(), text]) == 0
        assert "20 episodes" in capsys.readouterr().out
    for text in ("1.5", "2e-1", "twenty", "inf"):
        assert main([*command.split(), text]) == 2
        assert "--episodes" in capsys.readouterr().err


def test_another_environment_than_the_models_is_one_option_away(capsys: Capture) -> None:
    longer = ["--env", "Stream-Copy-v0", "--set", "min_length=9", "max_length=9"]
    assert main(["evaluate", "oracle", *longer, "--episodes", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["length_mean"] == 19.0
    assert main(["trace", "oracle", *longer, "--seed", "1"]) == 0
    assert "return 9 of 9   19 steps" in capsys.readouterr().out
    for command in ("evaluate", "trace", "memory-map"):
        assert main([command, "oracle", "--env", "Stream-Copy-v0", "--set", "bitz=3"]) == 2
        assert "--set: argument 'bitz' of task Copy; allowed: " in capsys.readouterr().err


def test_a_trace_is_shown_and_written(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "folder"
    command = f"trace oracle --env Tape-Reverse-Easy-v0 --seed 3 --png --out {out}"
    assert main(command.split()) == 0
    assert (out / "trace.txt").read_text() == capsys.readouterr().out
    assert (out / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(os.listdir(out)) == ["trace.png", "trace.txt"]


def test_of_many_runs_the_newest_are_named(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(9):
        run = tmp_path / "runs" / f"run-{number}"
        run.mkdir(parents=True)
        os.utime(run, (number, number))
    assert main(["evaluate", "runs/run-00"]) == 2
    error = capsys.readouterr().err
    newest = ", ".join(f"runs/run-{number}" for number in (8, 7, 6, 5, 4))
    assert f"allowed: random, oracle, {newest}, 4 more below runs, --pretrained cartpole/" in error
    assert "(did you mean 'runs/run-0'?)" in error


def test_a_memory_map_is_described_and_written(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    command = f"memory-map --pretrained rl-ntm/ForwardReverse --out {out}"
    assert main(command.split()) == 0
    title, *names, written = capsys.readouterr().out.splitlines()
    assert title.split("   ")[0] == "Tape-ForwardReverse-Hard-v0"
    assert names == [
        "  values read in t2 against values written in t1",
        "  values written in t2 against values written in t1",
    ]
    assert written == f"written: {out / 'memory_map.png'}, {out / 'memory_map.html'}"
    assert sorted(os.listdir(out)) == ["memory_map.html", "memory_map.png"]
    assert (out / "memory_map.png").read_bytes().startswith(b"\x89PNG")


def test_a_trace_that_cannot_be_written_says_so(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    out = tmp_path / "file" / "inner"
    command = f"trace random --env Tape-Copy-Easy-v0 --seed 3 --out {out}"
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"memory-envs: {out / 'trace.txt'} cannot be written: ")
    assert len(error.splitlines()) == 1


def test_without_a_seed_a_long_episode_is_traced(capsys: Capture) -> None:
    assert main(["trace", "oracle", "--env", "Tape-Copy-v0"]) == 0
    assert "return 11 of 11" in capsys.readouterr().out
    assert main(["trace", "oracle", "--env", "Tape-Copy-v0", "--seed", "0"]) == 0
    assert "seed 0" in capsys.readouterr().out.splitlines()[0], "a seed like any other"


def typed(env_id: str, *lines: str, seed: int = 3) -> str:
    target = io.StringIO()
    play(env_id, seed, io.StringIO("\n".join(lines)), target)
    return target.getvalue()


def test_a_person_plays_a_tape() -> None:
    # The string of this seed is 3 2 1.
    shown = typed("Tape-Copy-Easy-v0", "h", "x", ".", "r 3", "2 r", "r 1", "end", "q", seed=31)
    assert shown.count("emit          0 … 4 end") == 2
    assert "'x' means nothing here; h shows what does" in shown
    assert "the episode is over: success, return 4; a new one begins" in shown
    assert shown.endswith("bye\n\n")
    assert "\x1b" not in shown


def test_a_mistake_ends_the_episode_and_a_new_one_begins() -> None:
    shown = typed("Tape-Copy-Easy-v0", "0", "n")
    assert "the episode is over, return 0; a new one begins" in shown
    assert shown.count("step 0") == 3


@pytest.mark.parametrize("lines", [["r 3", "n"], ["r 3", "2 r", "r 1", "end"]], ids=["n", "end"])
def test_a_new_episode_counts_from_nought(lines: list[str]) -> None:
    shown = typed("Tape-Copy-Easy-v0", *lines, ".", "q", seed=31)
    assert "reward 1   return 1" in shown
    assert shown.split("reward ")[-1].startswith("0   return 0")


def test_memory_is_moved_and_written_by_name() -> None:
    import gymnasium as gym

    controls = Controls(gym.make("Tape-ForwardReverse-Easy-v0"))
    assert [a.tolist() for a in controls.actions("r w3 mr")] == [[1, 2, 3, 0, 0]]
    assert [a.tolist() for a in controls.actions("mleft wend 2")] == [[0, 0, 5, 1, 2]]
    assert [a.tolist() for a in controls.actions("")] == [[0, 1, 6, 0, 0]]
    with pytest.raises(InputError, match="says input_move twice"):
        controls.actions("r s")
    controls = Controls(gym.make("Algorithmic/ReversedAddition-v0"))
    assert [a.tolist() for a in controls.actions("d 2")] == [[3, 1, 2]]
    with pytest.raises(InputError, match="say move too"):
        controls.actions("2")
    controls = Controls(gym.make("CartPole-v1"))
    assert controls.actions("0 1 10") == [0, 1, 1, 0]


def test_a_person_walks_through_the_maze() -> None:
    import gymnasium as gym

    controls = Controls(gym.make("Maze-InvisibleGoal-9x9-v0"))
    assert controls.actions("wd s") == [0, 1, 2]
    assert controls.actions("\x1b[A\x1b[D") == controls.actions("up left") == [0, 3]
    shown = typed("Maze-InvisibleGoal-9x9-v0", "w", "aa")
    assert "step 3 / 250" in shown


def test_a_person_answers_a_stream_of_letters() -> None:
    """The letters n, h and q are answers, so that commands begin with a colon."""
    one_id = "Stream-DictionaryInference-4x1-v0"
    # The question of this seed is u, which means k.
    shown = typed(one_id, "hnq" + "a" * 10, ". . .", ".", ".", "k", ":q", seed=1)
    assert ":n new episode   :h this help   :q quit" in shown
    assert shown.count("step 3 / 19") == 1
    assert "the episode is over: success, return 1; a new one begins" in shown
    assert shown.endswith("bye\n\n")


def test_a_person_answers_in_bits() -> None:
    import gymnasium as gym

    controls = Controls(gym.make("Stream-Copy-v0", bits=3))
    assert [a.tolist() for a in controls.actions("011")] == [[0, 1, 1]]
    assert [a.tolist() for a in controls.actions("0 1 1")] == [[0, 1, 1]]
    assert [a.tolist() for a in controls.actions(".")] == [[0, 0, 0]]
    for wrong in ("01", "0110", "012", "x"):
        with pytest.raises(InputError, match="means nothing here"):
            controls.actions(wrong)
    assert "answer        3 digits, such as 111" in controls.help()
    assert not controls.by_key
    shown = typed("Stream-Copy-v0", ".", "10000000", "q")
    assert "action   answer 10000000" in shown


def test_a_key_is_an_answer_only_if_every_answer_has_a_key() -> None:
    import gymnasium as gym

    ten, eleven = (Controls(gym.make("Stream-DoubleCopy-v0", symbols=n)) for n in (10, 11))
    assert ten.by_key
    assert not eleven.by_key
    assert eleven.actions("10 3 .") == [10, 3, 0]
    assert Controls(gym.make("Maze-InvisibleGoal-9x9-v0")).by_key
    assert not Controls(gym.make("Stream-DictionaryInference-4x1-v0")).by_key


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_at_a_terminal_each_key_is_a_step() -> None:
    import pty

    master, slave = pty.openpty()
    target = io.StringIO()
    os.write(master, b"\x1b[A")
    with os.fdopen(slave, "r") as source:

        def answer(text: str) -> int:
            if "step 1 / 250" in text:
                os.write(master, b"q")
            return len(text)

        target.write = answer  # type: ignore[method-assign]
        play("Maze-InvisibleGoal-9x9-v0", 3, source, target)
    os.close(master)


def test_play_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n0\n"))
    assert main(["play", "CartPole-v1", "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert "reward 1   return 2" in shown
    assert shown.endswith("bye\n\n")


def test_our_own_module_before_an_id_changes_nothing() -> None:
    assert check_env("memory_envs:Tape-Copy-v0") == "Tape-Copy-v0"
    assert check_env("gymnasium:CartPole-v1") == "gymnasium:CartPole-v1"
