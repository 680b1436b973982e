"""`agents.train`: the presets from Python, by the same way as the command line."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import agents
from agents.cli.main import main
from agents.training.run_directory import RunDirectory
from agents.training.training import StopReason

ENV = "Tape-Copy-Easy-v0"
SETTINGS: dict[str, Any] = {
    **{"algorithm.n_steps": 16, "algorithm.batch_size": 64, "env_kwargs.symbols": 3},
    **{"policy.memory_kwargs.hidden_size": 8},
}
Capture = pytest.CaptureFixture[str]


def test_a_preset_is_trained_and_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    result = agents.train(ENV, seed=5, timesteps=1024, n_envs=8, settings=SETTINGS)
    assert (torch.get_num_threads(), signal.getsignal(signal.SIGINT)) == before
    shown = capsys.readouterr().out
    for words in ("training Tape-Copy-Easy-v0  ppo/lstm  seed 5", "level ", "success  0.", "step "):
        assert words in shown
    assert result.path.parent == Path("runs")
    assert result.reason is StopReason.STEPS_DONE
    assert isinstance(result.model, agents.MemoryPPO)
    assert result.evaluation.episodes == 1000
    assert len(result.trace.rewards) > 0
    settings = RunDirectory(result.path).read_settings()
    assert settings["recipe"]["curriculum"] is not None
    assert settings["command"] == (
        f"agents.train('{ENV}', seed=5, timesteps=1024, n_envs=8, settings={SETTINGS!r})"
    )
    second = agents.train(ENV, seed=5, timesteps=256, n_envs=8, settings=SETTINGS)
    assert second.path != result.path


def test_the_command_line_trains_the_same(tmp_path: Path) -> None:
    options: dict[str, Any] = {"timesteps": 512, "n_envs": 8, "settings": SETTINGS}
    result = agents.train(ENV, "ppo", "gru", seed=5, out=tmp_path / "python", **options)
    words = [f"{name}={json.dumps(value)}" for name, value in SETTINGS.items()]
    command = f"train {ENV} --algo ppo --memory gru --seed 5 --timesteps 512 --n-envs 8"
    out = tmp_path / "line"
    assert main([*command.split(), "--out", str(out), "--set", *words]) == 0
    other = agents.load(out / "model.zip").policy.state_dict()
    assert all(torch.equal(x, other[k]) for k, x in result.model.policy.state_dict().items())
    then: dict[str, Any] = {"timesteps": 640, "stop_at_success": 1.0, "device": "cpu"}
    more = agents.continue_training(out, **then, out=tmp_path / "more")
    assert more.model.num_timesteps == 640
    assert RunDirectory(more.path).read_settings()["command"] == (
        f"agents.continue_training({str(out)!r}, timesteps=640, stop_at_success=1.0, device='cpu', "
        f"out={str(tmp_path / 'more')!r})"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "Tape-Cpy-v0"}, "env is 'Tape-Cpy-v0'; allowed: .*module:id"),
        ({"env": ENV, "algorithm": "popo"}, "algorithm is 'popo'; allowed: "),
        ({"env": ENV, "memory": "ltsm"}, "memory is 'ltsm'; allowed: "),
        ({"env": ENV, "seed": -1}, "seed is -1; allowed: integers from 0"),
        (
            {"env": ENV, "seed": 2**32},
            "^seed is 4294967296; allowed: integers from 0 to 4294967295",
        ),
        ({"env": ENV, "timesteps": 0}, "settings: timesteps is 0; allowed: integers from 1 on"),
        ({"env": ENV, "settings": "gamma=1"}, "settings is 'gamma=1'; allowed: a dict, or None"),
        ({"env": ENV, "settings": {"gamma": 1}}, "settings: recipe setting is 'gamma'; allowed"),
        ({"env": ENV, "device": "floppy"}, "device is 'floppy'; allowed: auto, cpu"),
        ({"env": ENV, "stop_at_success": 0.0}, "stop_at_success is 0.0; allowed: numbers above 0"),
        ({"env": ENV, "out": __file__}, "out is '.*'; allowed: a new or an empty folder"),
    ],
)
def test_what_cannot_be_trained_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        agents.train(**arguments)


def test_what_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="device is 'cuda:99'; allowed: auto, cpu"):
        agents.train(ENV, device="cuda:99", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
