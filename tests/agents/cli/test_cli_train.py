"""`memory-envs train`: what a run leaves behind, whether it ends by itself or is ended."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import pytest
import torch

import agents
from agents.cli.main import main
from agents.cli.parser import parse
from agents.saving.model_file import read_training
from agents.training.plan import first_plan
from agents.training.recipes import read_assignments
from agents.training.run_directory import RunDirectory, training_seed
from agents.training.training import StopReason, Training

ROOT = Path(__file__).parents[3]
ENV = "Tape-Copy-Easy-v0"
TINY = (
    f"{ENV} --algo ppo --memory gru --n-envs 8 --seed 5 --set algorithm.n_steps=16 "
    "algorithm.batch_size=64 policy.memory_kwargs.hidden_size=8 env_kwargs.symbols=3"
)
FILES = [
    *("checkpoints", "evaluation.json", "learning_curve.png", "memory_map.png", "model.zip"),
    *("progress.csv", "settings.json", "tensorboard", "trace.png", "trace.txt"),
]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 1,024 steps."""
    out = tmp_path_factory.mktemp("runs") / "first"
    assert main([*f"train --timesteps 1024 --out {out}".split(), *TINY.split()]) == 0
    return out


def test_everything_about_the_run_is_kept(finished: Path) -> None:
    assert sorted(os.listdir(finished)) == FILES
    assert len(list((finished / "checkpoints").glob("model-*.zip"))) >= 5
    assert any("tfevents" in name for name in os.listdir(finished / "tensorboard"))
    for name in ("learning_curve.png", "memory_map.png", "trace.png"):
        assert (finished / name).read_bytes().startswith(b"\x89PNG")
    assert (finished / "trace.txt").read_text().startswith(ENV)
    progress = RunDirectory(finished).read_progress()
    assert progress["rollout/ep_rew_mean"][-1][0] == 1024
    assert {"evaluation/success", "evaluation/return", "curriculum/level"} <= progress.keys()
    assert progress["evaluation/success"][0][0] == 0


def test_the_settings_say_how_to_do_it_again(finished: Path) -> None:
    settings = RunDirectory(finished).read_settings()
    command = settings["command"].split()
    assert command[:2] == ["memory-envs", "train"]
    for word in (*TINY.split(), "--timesteps", "1024"):
        assert word in command
    assert (settings["env"], settings["algorithm"], settings["memory"]) == (ENV, "ppo", "gru")
    assert (settings["seed"], settings["device"]) == (5, "cpu")
    assert settings["recipe"]["n_envs"] == 8
    assert settings["recipe"]["env_kwargs"] == {"symbols": 3}
    assert settings["recipe"]["policy"]["memory_kwargs"]["hidden_size"] == 8
    assert settings["versions"]["torch"] == torch.__version__
    assert {"time", "commit", "machine", "preset", "stop_at_success"} <= settings.keys()


@pytest.mark.parametrize(
    "command",
    [
        "train Tape-Copy-v0",
        "train --env Tape-Copy-v0 --algo ppo --memory none --timesteps 1e5 --n-envs 3",
        "train Tape-Copy-v0 --seed 1 --device cpu --out 'a b' --wandb --stop-at-success 0.5",
        "train Tape-Copy-v0 --start-from rl-ntm/Copy --set a=1 'b=[1, 2]'",
        "train --continue-from runs/x --timesteps 5",
    ],
)
def test_the_command_in_the_settings_is_the_one_that_was_given(command: str) -> None:
    given = parse(shlex.split(command))
    kept = shlex.split(given.command())
    assert kept[0] == "memory-envs"
    assert parse(kept[1:]) == given


def test_a_folder_s_name_may_be_typed_as_it_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    result = SimpleNamespace(reason=StopReason.INTERRUPTED, path=Path("a b"))
    monkeypatch.setattr("agents.training.train.run_training", lambda *_: result)
    assert main(["train", ENV, "--memory", "none"]) == 130
    assert capsys.readouterr().out == "continue it: memory-envs train --continue-from 'a b'\n"


def test_the_same_command_makes_the_same_model(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    assert main([*f"train --timesteps 1024 --out {out}".split(), *TINY.split()]) == 0
    first, again = agents.load(finished / "model.zip"), agents.load(out / "model.zip")
    pairs = zip(first.policy.parameters(), again.policy.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    evaluations = [json.loads((run / "evaluation.json").read_text()) for run in (finished, out)]
    assert evaluations[0].pop("model") != evaluations[1].pop("model")
    assert evaluations[0] == evaluations[1]


def test_training_meets_its_own_episodes_only() -> None:
    plan = first_plan(ENV, "ppo", "none", {"n_envs": 8, "curriculum": None}, seed=5)
    for part in (0, 1):
        training = Training(replace(plan, part=part))
        training.env.reset()
        scalar = gym.make(ENV)
        for row, info in enumerate(training.env.reset_infos):
            _, expected = scalar.reset(seed=training_seed(5, part) + row)
            assert info["target"].tolist() == expected["target"].tolist()


def test_evaluating_the_run_finds_the_same_again(finished: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(finished), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((finished / "evaluation.json").read_text())
    assert (found["episodes"], found["seed"], found["deterministic"]) == (1000, 7, True)
    model = str(finished / "model.zip")
    assert main(["evaluate", model, "--json", "--stochastic", "--episodes", "20"]) == 0
    sampled = json.loads(capsys.readouterr().out)
    assert (sampled["model"], sampled["deterministic"]) == (model, False)
    checkpoint = next((finished / "checkpoints").iterdir())
    assert main(["evaluate", str(checkpoint), "--episodes", "20"]) == 0
    assert "20 episodes" in capsys.readouterr().out


OWN_WAY = "deterministic=false evaluation_kwargs.max_length=1"


def test_the_recipe_says_how_a_run_is_evaluated(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    command = f"train --timesteps 128 --out {out}"
    assert main([*command.split(), *TINY.split(), *OWN_WAY.split()]) == 0
    kept = json.loads((out / "evaluation.json").read_text())
    assert (kept["deterministic"], kept["optimal_return"]) == (False, 2.0)
    assert " of 2 " in (out / "trace.txt").read_text().splitlines()[0]
    capsys.readouterr()
    assert main(["evaluate", str(out), "--json", "--stochastic"]) == 0
    assert json.loads(capsys.readouterr().out) == kept
    # Whatever the run did, a command takes the most probable actions unless it is told to sample.
    assert main(["evaluate", str(out), "--json", "--episodes", "20"]) == 0
    assert json.loads(capsys.readouterr().out)["deterministic"] is True


def test_a_training_is_watched_as_the_recipe_says() -> None:
    """100 evaluations of 256 episodes; a success has to be confirmed by as many as at the end."""
    changes: dict[str, Any] = {"timesteps": 100_000, **read_assignments(OWN_WAY.split(), "--set")}
    training = Training(first_plan(ENV, "ppo", "none", changes, stop_at_success=0.5))
    watch = training.evaluation
    assert (watch.every, watch.episodes, watch.confirming_episodes) == (1000, 256, 1000)
    assert (watch.deterministic, watch.stop_at) == (False, 0.5)
    base: Any = watch.rows.env
    base.reset(seed=0)
    assert set(base.view().output.target_sizes.tolist()) == {2}
    assert training._checkpoints.every == 10_000


def test_the_run_is_traced(finished: Path, capsys: Capture) -> None:
    assert main(["trace", str(finished), "--seed", "9"]) == 0
    assert "value" in capsys.readouterr().out
    assert main(["trace", str(finished), "--env", "Tape-Copy-v0"]) == 2
    assert "policy MemoryPPO has observation_space" in capsys.readouterr().err


def test_a_run_is_continued(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "second"
    command = f"train --continue-from {finished} --timesteps 1280 --out {out}"
    assert main(command.split()) == 0
    assert f"settings: those of {finished}" in capsys.readouterr().out
    assert sorted(os.listdir(out)) == FILES
    settings = RunDirectory(out).read_settings()
    assert (settings["part"], settings["recipe"]["timesteps"]) == (1, 1280)
    assert settings["recipe"]["env_kwargs"] == {"symbols": 3}
    steps = [step for step, _ in RunDirectory(out).read_progress()["rollout/ep_rew_mean"]]
    assert (steps[0], steps[-1]) == (1024 + 128, 1280)
    assert agents.load(out / "model.zip").num_timesteps == 1280


def test_a_run_starts_from_another_model(finished: Path, tmp_path: Path) -> None:
    """Of another task, here; everything but the parameters starts anew."""
    start, out = finished / "model.zip", tmp_path / "second"
    command = f"train {TINY.replace('Copy', 'Reverse')} algorithm.learning_rate=0.0"
    command += f" --start-from {start} --timesteps 256 --out {out}"
    assert main(command.split()) == 0
    model, settings = agents.load(out / "model.zip"), RunDirectory(out).read_settings()
    assert (model.num_timesteps, settings["part"]) == (256, 0)
    assert f"--start-from {start}" in settings["command"]
    pairs = zip(agents.load(start).policy.parameters(), model.policy.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_model_that_does_not_fit_is_no_start(finished: Path, capsys: Capture) -> None:
    command = f"train {TINY} policy.memory_kwargs.hidden_size=9 --start-from {finished}"
    assert main([*command.split(), "--out", str(finished.parent / "none")]) == 2
    error = capsys.readouterr().err
    assert "weight_ih is of shape (24, 32), here it is of shape (27, 32); allowed" in error
    assert not (finished.parent / "none").exists()


def test_what_is_shown_has_no_control_codes(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    assert main([*f"train --timesteps 128 --out {out}".split(), *TINY.split()]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\r" not in shown
    for words in ("settings: untuned preset presets/tape.py", "steps 128 of 128", "success  0."):
        assert words in shown
    assert f"results: {out}" in shown
    assert "step  input tape" in shown


def test_training_stops_at_the_wished_success(tmp_path: Path, capsys: Capture) -> None:
    command = f"train --timesteps 100000 --stop-at-success 0.001 --out {tmp_path / 'run'}"
    easy = "env_kwargs.max_length=1 env_kwargs.symbols=1 curriculum=null"
    assert main([*command.split(), *TINY.split(), *easy.split()]) == 0
    assert agents.load(tmp_path / "run" / "model.zip").num_timesteps < 100_000
    assert RunDirectory(tmp_path / "run").read_settings()["stop_at_success"] == 0.001
    command = f"train --timesteps 128 --stop-at-success 1.0 --out {tmp_path / 'failed'}"
    assert main([*command.split(), *TINY.split()]) == 1
    assert "success 1 was not reached in 128 steps" in capsys.readouterr().err
    assert (tmp_path / "failed" / "evaluation.json").exists()
    again = (
        f"train --continue-from {tmp_path / 'failed'} --timesteps 256 --out {tmp_path / 'again'}"
    )
    assert main(again.split()) == 1
    assert "success 1 was not reached in 256 steps" in capsys.readouterr().err


def test_any_environment_and_algorithm_can_be_trained(tmp_path: Path, capsys: Capture) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    for env_id, algorithm in (("Pendulum-v1", "a2c"), ("CartPole-v1", "reinforce")):
        out = tmp_path / algorithm
        command = f"train {env_id} --algo {algorithm} --memory lstm --timesteps 64"
        assert main([*command.split(), "--n-envs", "2", "--out", str(out)]) == 0
        success = json.loads((out / "evaluation.json").read_text())["success"]
        assert (success is None) == (env_id == "Pendulum-v1")
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert "untuned preset presets/general.py" in capsys.readouterr().out


def wait_for(condition: Any, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def check_interrupted(out: Path, shown: str) -> None:
    assert sorted(os.listdir(out)) == FILES, "everything is there, and no temporary file"
    for words in (
        "stopping when this update is done; once more stops at once",
        "interrupted; evaluating on fresh episodes",
        "success  0.",
        f"continue it: memory-envs train --continue-from {out}",
    ):
        assert words in shown
    model, steps = agents.load(out / "model.zip"), agents.load(RunDirectory(out).latest)
    assert model.num_timesteps > steps.num_timesteps > 0
    assert model._n_updates == steps._n_updates
    assert model.num_timesteps - steps.num_timesteps == 8, "the update was ended"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_being_terminated_keep_the_model(
    tmp_path: Path, capsys: Capture, sent: signal.Signals
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "agents.cli.main", "train", *TINY.split(), "--out", str(out)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as run:
        try:
            progress = out / "progress.csv"
            wait_for(lambda: progress.exists() and len(progress.read_text().splitlines()) > 3)
            run.send_signal(sent)
            shown, errors = run.communicate(timeout=300)
        finally:
            run.kill()
    assert run.returncode == 130, errors
    assert errors == ""
    check_interrupted(out, shown)
    more = agents.load(out / "model.zip").num_timesteps + 128
    command = f"train --continue-from {out} --timesteps {more} --out {tmp_path / 'next'}".split()
    assert main(command) == 0
    assert "return" in capsys.readouterr().out


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    """Here one update takes longer than the test waits."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "agents.cli.main", "train", *TINY.split()]
    command += ["algorithm.n_epochs=1000000", "--out", str(out)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as run:
        try:
            progress = out / "progress.csv"
            wait_for(lambda: progress.exists() and len(progress.read_text().splitlines()) > 1)
            run.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert run.poll() is None
            run.send_signal(signal.SIGINT)
            _, errors = run.communicate(timeout=60)
        finally:
            run.kill()
    assert (run.returncode, errors) == (130, "memory-envs: interrupted\n")
    assert agents.load(RunDirectory(out).newest_model()).num_timesteps == 0


# Each fails at another file: the first checkpoint, the TensorBoard log, and the table.
LIMITS = {"model-latest.zip": 20_000, "run": 120_000}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of resources")
@pytest.mark.parametrize("name", LIMITS)
def test_a_full_disk_is_said_in_one_line(name: str, tmp_path: Path) -> None:
    """The system refuses longer files, as a full disk would."""
    import resource

    out, limit = tmp_path / "run", LIMITS[name]
    command = [sys.executable, "-m", "agents.cli.main", "train", *TINY.split(), "--out", str(out)]
    run = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert run.returncode == 1, run.stderr
    assert len(run.stderr.splitlines()) == 1, run.stderr
    assert name in run.stderr
    assert "cannot be written: File too large; " in run.stderr
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    if name == "run":
        latest = RunDirectory(out).latest
        assert f"the last checkpoint is {latest}" in run.stderr
        agents.load(latest)
    else:
        assert run.stderr.endswith("nothing is left\n")


def test_a_folder_that_vanishes_is_said_in_one_line(tmp_path: Path) -> None:
    out, moved = tmp_path / "run", tmp_path / "moved"
    command = [sys.executable, "-m", "agents.cli.main", "train", *TINY.split(), "--out", str(out)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "--timesteps", "1e5"], cwd=ROOT, **pipes) as run:
        try:
            progress = out / "progress.csv"
            wait_for(
                lambda: (
                    run.poll() is not None
                    or (progress.exists() and len(progress.read_text().splitlines()) > 3)
                )
            )
            out.rename(moved)
            _, errors = run.communicate(timeout=300)
        finally:
            run.kill()
    assert run.returncode == 1
    assert errors == (
        f"memory-envs: {out} was moved or removed during the training, which has ended\n"
    )
    assert not out.exists()
    agents.load(RunDirectory(moved).newest_model())


def test_where_nothing_can_be_written_nothing_is_trained(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    assert main(["train", *TINY.split(), "--out", str(tmp_path / "file" / "run")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"memory-envs: {tmp_path / 'file' / 'run'} cannot be written: Not a d")
    assert len(error.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    tmp_path.chmod(0o500)
    assert main(["train", *TINY.split(), "--out", str(tmp_path / "run")]) == 1
    assert "cannot be written: Permission denied; nothing is left" in capsys.readouterr().err


def test_a_finished_run_says_so(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["train", "--continue-from", str(finished), "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert f"{finished} is finished: it has done 1,024 of 1,024 steps; to go on, give" in error
    assert not (tmp_path / "x").exists()


RL_NTM = (
    "Tape-Copy-Hard-v0 --algo rl_ntm-paper --memory direct_access --n-envs 16 --seed 5 "
    "--set env_kwargs.max_length=9 env_kwargs.symbols=3 curriculum.level=3 "
    "evaluation_kwargs.min_length=9"
)


def test_a_killed_run_of_rl_ntm_is_continued(tmp_path: Path, capsys: Capture) -> None:
    out, further = tmp_path / "run", tmp_path / "next"
    command = f"{sys.executable} -m agents.cli.main train {RL_NTM} --timesteps 20000 --out {out}"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command.split(), cwd=ROOT, **quiet) as run:
        try:
            kept = partial(RunDirectory(out).checkpoints.glob, "model-[0-9]*.zip")
            wait_for(lambda: run.poll() is not None or len(list(kept())) > 1)
            assert run.poll() is None, "it ended by itself"
        finally:
            run.kill()
    assert not (out / "model.zip").exists()
    checkpoint = RunDirectory(out).newest_model()
    before = agents.load(checkpoint)
    state = read_training(checkpoint).values["curriculum"]
    momentum = before.optimizer.state_dict()["state"][0]["momentum_buffer"]
    assert momentum.abs().max() > 0
    command = f"--continue-from {out} --timesteps {before.num_timesteps + 200} --out {further}"
    assert main(["train", *command.split()]) == 0
    latest = RunDirectory(further).latest
    after, now = agents.load(latest), read_training(latest).values["curriculum"]
    assert after._n_updates > before._n_updates
    assert now["level"] >= state["level"] == 3
    passed = after._n_updates - before._n_updates
    assert now["updates_since_advance"] == state["updates_since_advance"] + passed
    assert after.policy.get_buffer("time_baseline.updates")[0] == after._n_updates


def test_a_number_that_is_not_finite_ends_the_run_with_a_message(
    tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    steep = "algorithm.learning_rate=1e30 algorithm.max_grad_norm=1e30 timesteps=100000"
    assert main(["train", *TINY.split(), *steep.split(), "--out", str(out)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("memory-envs: update ")
    assert len(message.splitlines()) == 1
    assert (out / "settings.json").exists()
    assert not (out / "evaluation.json").exists()


def test_what_the_help_of_fit_names_can_be_fitted(capsys: Capture) -> None:
    assert main(["fit", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    ids = re.findall(r"such as (\S+-v\d)", shown)
    settings = re.findall(r"\w+\.\w+=[\d.]*\d", shown)
    assert (len(ids), len(settings)) == (1, 2)
    first_plan(ids[0], "supervised", changes=read_assignments(settings, "--set"))
    assert "rl_ntm" not in shown.partition("--memory")[2].partition("--seed")[0]
