"""Every number and every switch of every algorithm, policy and cell is checked when it is given."""

from __future__ import annotations

import inspect
import math
import re
from pathlib import Path
from typing import Any

import pytest

import agents
from agents import make_vec_env
from agents.algorithms.table import ALGORITHMS, AlgorithmSpec
from agents.cells import CELLS
from agents.cli.main import main
from agents.networks.policy import MemoryPolicy

NAN, INF = math.nan, math.inf
# What is no number at all, and what is no integer.
_NO_NUMBER: list[Any] = ["1", True, [1], 1j, NAN]
_NO_INTEGER: list[Any] = [*_NO_NUMBER, 1.5, 1.0, INF]
INTEGER = [*_NO_INTEGER, None, 0, -1]
OPTIONAL_INTEGER = [*_NO_INTEGER, 0, -1]
FROM_NOUGHT = [*_NO_NUMBER, None, -1e-9, INF]
ABOVE_NOUGHT = [*FROM_NOUGHT, 0.0]
SHARE = [*_NO_NUMBER, None, -0.1, 1.1, 2]
FLAG: list[Any] = [0, 1, "yes", None]
NORM = [*_NO_NUMBER, None, 0.0, -1.0]
OPTIONAL_ABOVE_NOUGHT = [value for value in ABOVE_NOUGHT if value is not None]


def _falls_below(progress: float) -> float:
    return -progress


# What each argument must refuse.
BAD: dict[str, list[Any]] = {
    "n_steps": INTEGER,
    "n_epochs": INTEGER,
    "n_envs": INTEGER,
    "max_episode_steps": INTEGER,
    "stats_window_size": INTEGER,
    "batch_size": OPTIONAL_INTEGER,
    "bptt": OPTIONAL_INTEGER,
    "seed": [*_NO_INTEGER, -1, 2**32],
    "verbose": [*_NO_INTEGER, None, -1, 3],
    **dict.fromkeys(("dropout", "gamma"), SHARE),
    "gae_lambda": SHARE,
    **{
        name: [*FROM_NOUGHT, _falls_below]
        for name in ("learning_rate", "memory_learning_rate", "ent_coef")
    },
    "clip_range": [*ABOVE_NOUGHT, _falls_below],
    "clip_range_vf": [*OPTIONAL_ABOVE_NOUGHT, _falls_below],
    "vf_coef": FROM_NOUGHT,
    "max_grad_norm": NORM,
    "max_grad_norm_baseline": NORM,
    "target_kl": OPTIONAL_ABOVE_NOUGHT,
    **{name: [*INTEGER, 1] for name in ("columns", "history")},
    **{name: [*_NO_INTEGER, None, -1] for name in ("settle", "memory_iterations")},
    "memory_samples": INTEGER,
    "memory_clamp": ABOVE_NOUGHT,
    "memory_max_grad_norm": NORM,
    "rms_prop_eps": ABOVE_NOUGHT,
    **dict.fromkeys(("normalize_advantage", "normalize_value", "use_rms_prop"), FLAG),
    **dict.fromkeys(("causality", "online_baseline", "offline_baseline", "next_loss"), FLAG),
}
BAD_OF_POLICIES: dict[str, list[Any]] = {
    "encoder_size": OPTIONAL_INTEGER,
    "hidden_size": INTEGER,
    "baseline_size": INTEGER,
    "memory_size": INTEGER,
    "memory_radius": [*_NO_INTEGER, None, -1],
    "write_radius": [*_NO_INTEGER, -1],
    "log_std_init": [*_NO_NUMBER, None, INF],
    "inverse_temperature": ABOVE_NOUGHT,
    "init_std": FROM_NOUGHT,
    "gain": OPTIONAL_ABOVE_NOUGHT,
    "memory": [0, 1, "yes"],
    **dict.fromkeys(("ortho_init", "free_symbols", "mark", "blend"), FLAG),
}
BAD_OF_CELLS: dict[str, list[Any]] = {
    **dict.fromkeys(("input_size", "hidden_size", "memory_size", "word_size"), INTEGER),
    **dict.fromkeys(("num_read_heads", "num_write_heads"), INTEGER),
    **dict.fromkeys(("state_size", "context_size", "conv_size"), INTEGER),
    "r_min": SHARE,
    "r_max": [*SHARE, 0.0],
    "max_phase": [*ABOVE_NOUGHT, 6.3],
    "shift_range": [*_NO_INTEGER, None, -1],
    **dict.fromkeys(("learned_initial_memory", "homogeneous"), FLAG),
    **dict.fromkeys(("masks", "deallocation", "sharpening", "interface_norm"), FLAG),
    **dict.fromkeys(("memory_layers", "memory_width"), INTEGER),
    "recall_weight": FROM_NOUGHT,
    "recall_delay": [*_NO_INTEGER, None, -1],
    "recall_decay": SHARE,
    **dict.fromkeys(("rate_per_layer", "layer_norm", "linear_values", "normalized_writes"), FLAG),
    **dict.fromkeys(("stack_size", "num_layers", "num_heads", "key_size", "value_size"), INTEGER),
}
ENV = "Tape-ForwardReverse-v0"


def _numbers(function: Any) -> set[str]:
    """The arguments that are numbers or switches, by their annotations."""
    parameters = inspect.signature(function).parameters.values()
    kinds = r"\b(int|float|bool)\b"
    named = {p.name for p in parameters if re.search(kinds, str(p.annotation))}
    return named - {"net_arch"} - {name for name in named if name.startswith("_")}


def _refuses(make: Any, name: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="; allowed: ") as error:
        make(**{name: value})
    shown = re.escape(repr(value)) if not callable(value) else ""
    assert re.match(rf"(.* and )?{name}(\(1\.0\))? (is )?{shown}", str(error.value))


def _constructor(spec: AlgorithmSpec) -> Any:
    cls: Any = spec.load_class()
    if "stream" in spec.families:
        env = make_vec_env("Stream-Logic-v0", 128)
    else:
        env = make_vec_env(ENV, 2, forced_emission=True, on_error="continue")

    def make(**arguments: Any) -> Any:
        return cls(spec.load_policy_class(), env, **arguments)

    return make


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithms_refuse_bad_numbers(algorithm: str) -> None:
    spec = ALGORITHMS[algorithm]
    make = _constructor(spec)
    make(_init_setup_model=False)  # nothing is wrong with the defaults
    for name in _numbers(spec.load_class()):
        for value in BAD[name]:
            _refuses(make, name, value)


@pytest.mark.parametrize("algorithm", ["ppo", "rl_ntm"])
def test_policies_refuse_bad_numbers(algorithm: str) -> None:
    spec = ALGORITHMS[algorithm]
    make = _constructor(spec)
    for name in _numbers(spec.load_policy_class()):
        for value in BAD_OF_POLICIES[name]:
            _refuses(lambda **kwargs: make(policy_kwargs=kwargs), name, value)


@pytest.mark.parametrize("memory", CELLS)
def test_cells_refuse_bad_numbers(memory: str) -> None:
    cell = CELLS[memory]
    for name in _numbers(cell):
        for value in BAD_OF_CELLS[name]:
            _refuses(lambda **sizes: cell(**{"input_size": 3, **sizes}), name, value)
    for name in {"hidden_size", "stack_size"} & _numbers(cell):
        kwargs: dict[str, Any] = {"memory": memory, "memory_kwargs": {name: 0}}
        env = make_vec_env(ENV, 2)
        with pytest.raises(ValueError, match=f"{name} is 0; allowed: integers from 1 on"):
            MemoryPolicy(env.observation_space, env.action_space, **kwargs)


def test_what_is_on_the_edge_is_allowed() -> None:
    make = _constructor(ALGORITHMS["ppo"])
    arguments: dict[str, Any] = {
        **{"gamma": 1, "gae_lambda": 0, "vf_coef": 0, "ent_coef": 0, "learning_rate": 0},
        **{"max_grad_norm": INF, "clip_range": lambda progress: 0.2 * progress, "seed": 2**32 - 1},
        **{"n_steps": 1, "batch_size": 1, "n_epochs": 1, "stats_window_size": 1},
    }
    assert make(**arguments).gamma == 1.0


def test_a_log_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    for algorithm in ALGORITHMS.values():
        make = _constructor(algorithm)
        for wrong in (3, True, ["logs"]):
            with pytest.raises(TypeError, match=r"^tensorboard_log is .*; allowed: a folder, or"):
                make(tensorboard_log=wrong)
        for log in (None, "logs", tmp_path):
            make(tensorboard_log=log, _init_setup_model=False)


def test_a_device_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for algorithm in ALGORITHMS.values():
        for device in ("cuda:77", "abacus", 1.5):
            _refuses(_constructor(algorithm), "device", device)
    with pytest.raises(ValueError, match="device is 'cuda:77'; allowed: auto, cpu"):
        agents.load_pretrained("rl-ntm/Copy", device="cuda:77")
    assert main(["train", ENV, "--device", "cuda:77", "--timesteps", "10"]) != 0
    assert "device is 'cuda:77'; allowed: auto, cpu" in capsys.readouterr().err
