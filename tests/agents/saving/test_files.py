from __future__ import annotations

import errno
import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.utils import FloatSchedule, LinearSchedule

import agents
from agents import MemoryA2C, MemoryPPO, ModelFileError, Reinforce
from agents.cells import CELLS
from agents.saving.archive import METADATA, TENSORS
from agents.saving.schedules import HeldSchedule
from agents.saving.spaces_json import decode, decode_space, encode, encode_space
from agents.training.run_directory import RunDirectory
from tests.agents.toy_envs import RandomEnv, sync

OBSERVATIONS = spaces.Dict(
    {"z": spaces.MultiDiscrete([3, 4]), "a": spaces.Box(-np.inf, np.inf, (2,), np.float32)}
)
ACTIONS = spaces.MultiDiscrete([3, 2])


def _model(algorithm: Any = MemoryPPO, memory: str = "lstm", n_envs: int = 2, **kwargs: Any) -> Any:
    env = sync(lambda: RandomEnv(OBSERVATIONS, ACTIONS), n_envs)
    if algorithm is MemoryPPO:
        kwargs = {"n_steps": 8, "batch_size": 8, "n_epochs": 1, **kwargs}
    sizes = {} if memory in ("none", "framestack", "memory-net") else {"hidden_size": 4}
    policy_kwargs = {"memory": memory, "memory_kwargs": sizes, "encoder_size": 4}
    return algorithm("MemoryPolicy", env, seed=0, policy_kwargs=policy_kwargs, **kwargs)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model's file."""
    model = _model()
    model.learn(32)
    path = tmp_path_factory.mktemp("model") / "model.zip"
    model.save(path)
    return path


def _members(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(METADATA)), safetensors.torch.load(archive.read(TENSORS))


def _write(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _changed(
    saved: Path,
    target: Path,
    metadata: Callable[[dict[str, Any]], Any] = lambda _: None,
    tensors: Callable[[dict[str, torch.Tensor]], Any] = lambda _: None,
) -> Path:
    """The saved model with its metadata or tensors changed in place."""
    settings, values = _members(saved)
    metadata(settings)
    tensors(values)
    data = {METADATA: json.dumps(settings).encode(), TENSORS: safetensors.torch.save(values)}
    return _write(target / "changed.zip", data)


# Saved equals loaded


@pytest.mark.parametrize("memory", CELLS)
@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
def test_saved_equals_loaded_bit_for_bit(algorithm: Any, memory: str, tmp_path: Path) -> None:
    model = _model(algorithm, memory)
    model.learn(48)
    model.save(tmp_path / "model")
    loaded: Any = agents.load(tmp_path / "model")
    assert type(loaded) is algorithm
    state = other_state = None
    obs = model.env.reset()
    for _ in range(5):
        actions, state = model.predict(obs, state, deterministic=True)
        others, other_state = loaded.predict(obs, other_state, deterministic=True)
        np.testing.assert_array_equal(actions, others)
        for a, b in zip(_leaves(state), _leaves(other_state), strict=True):
            assert torch.equal(a, b)
        obs, *_ = model.env.step(actions)
    for a, b in zip(model.policy.parameters(), loaded.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def _leaves(state: Any) -> list[torch.Tensor]:
    return [x for part in state for x in (_leaves(part) if isinstance(part, tuple) else [part])]


@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
def test_training_goes_on_with_optimizer_and_counters(algorithm: Any, tmp_path: Path) -> None:
    model = _model(algorithm)
    model.learn(48)
    model.save(tmp_path / "model.zip")
    env = sync(lambda: RandomEnv(OBSERVATIONS, ACTIONS), 3)
    loaded = algorithm.load(tmp_path / "model.zip", env=env)
    assert loaded.n_envs == 3
    assert loaded.num_timesteps == model.num_timesteps
    assert loaded._n_updates == model._n_updates
    ours, theirs = (m.optimizer.state_dict()["state"] for m in (model, loaded))
    assert set(ours) == set(theirs)
    assert ours
    for index, state in ours.items():
        for key, value in state.items():
            assert torch.equal(value, theirs[index][key])
    loaded.learn(48, reset_num_timesteps=False)
    assert loaded.num_timesteps >= model.num_timesteps + 48


def test_settings_come_back_and_can_be_replaced(tmp_path: Path) -> None:
    model = _model(
        learning_rate=LinearSchedule(0.3, 0.1, 0.5),
        clip_range=0.17,
        clip_range_vf=FloatSchedule(0.4),
        target_kl=0.03,
        max_grad_norm=float("inf"),
        bptt=4,
    )
    model.save(tmp_path / "model")
    loaded: Any = MemoryPPO.load(tmp_path / "model", n_epochs=7, tensorboard_log="elsewhere")
    assert loaded.lr_schedule(0.75) == pytest.approx(0.2)
    assert loaded.clip_range(1.0) == 0.17
    assert loaded.clip_range_vf(1.0) == 0.4
    assert loaded.target_kl == 0.03
    assert loaded.max_grad_norm == float("inf")
    assert loaded.bptt == 4
    assert loaded.seed == 0
    assert loaded.n_epochs == 7
    assert loaded.tensorboard_log == "elsewhere"
    assert loaded.observation_space == OBSERVATIONS
    assert list(loaded.observation_space) == list(OBSERVATIONS)
    assert loaded.action_space == ACTIONS
    assert loaded.policy_kwargs == model.policy_kwargs


def test_another_function_is_stored_as_its_current_value_with_a_warning(tmp_path: Path) -> None:
    model = _model(learning_rate=lambda progress: 0.1 + progress)
    model._update_current_progress_remaining(3, 4)
    with pytest.warns(UserWarning, match=r"learning_rate is a function.*0\.35 is stored"):
        model.save(tmp_path / "model")
    frozen = r"learning_rate was a function.* now 0\.35, .*unless load is given learning_rate"
    with pytest.warns(UserWarning, match=frozen) as seen:
        loaded = agents.load(tmp_path / "model")
    assert len(seen) == 1
    assert loaded.lr_schedule(1.0) == loaded.lr_schedule(0.1) == pytest.approx(0.35)
    loaded.save(tmp_path / "again")  # it is no news that it was a function
    with pytest.warns(UserWarning, match=frozen):
        agents.load(tmp_path / "again")
    replaced = MemoryPPO.load(tmp_path / "model", learning_rate=LinearSchedule(0.2, 0.1, 1.0))
    assert replaced.lr_schedule(0.0) == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["learning_rate", "clip_range", "clip_range_vf", "ent_coef"])
def test_training_beyond_the_last_step_ends_every_schedule_at_nought(
    name: str, tmp_path: Path
) -> None:
    asked: list[float] = []

    def schedule(progress: float) -> float:
        asked.append(progress)
        return 3e-4 * progress

    schedules: dict[str, Any] = {name: schedule}
    model = _model(**schedules)
    model.learn(3 * 16 - 5)  # three rollouts of 8 steps in 2 rows
    assert model.num_timesteps == 48
    assert min(asked) == 0.0
    with pytest.warns(UserWarning, match=f"{name} is a function.*current value 0.0"):
        model.save(tmp_path / "model")
    with pytest.warns(UserWarning, match=f"{name} was a function"):
        loaded = agents.load(tmp_path / "model", env=model.env)
    loaded.learn(16)


@pytest.mark.parametrize(
    "linear",
    [LinearSchedule(3e-4, 0.0, 1.0), LinearSchedule(0.0, 0.1, 0.5), HeldSchedule(0.3, 0.1, 0.25)],
)
def test_linear_schedules_survive(linear: LinearSchedule | HeldSchedule, tmp_path: Path) -> None:
    names = ("learning_rate", "clip_range", "clip_range_vf", "ent_coef")
    schedules: dict[str, Any] = {name: FloatSchedule(linear) for name in names}
    model = _model(**schedules)
    model.learn(3 * 16 - 5)
    model.save(tmp_path / "model")
    loaded: Any = agents.load(tmp_path / "model")
    for progress in (1.0, 0.7, 0.2, 0.0):
        assert loaded.lr_schedule(progress) == linear(progress)
        assert [getattr(loaded, name)(progress) for name in names[1:]] == [linear(progress)] * 3


def test_open_files_hold_models(tmp_path: Path) -> None:
    model = _model()
    model.learn(32)
    memory = io.BytesIO()
    memory.write(b"before")  # as where several things are written to one file
    model.save(memory)
    assert model.last_checkpoint is None
    with (tmp_path / "model").open("wb") as file:
        model.save(file)
    model.save(tmp_path / "by_path")
    assert (tmp_path / "model").read_bytes() == (tmp_path / "by_path.zip").read_bytes()
    memory.seek(0)
    copies = [
        agents.load(memory),
        MemoryPPO.load(memory),
        MemoryPPO.load(str(tmp_path / "by_path")),
    ]
    with (tmp_path / "model").open("rb") as file:
        copies.append(agents.load(file))
        other = _model()
        other.set_parameters(file)
    copies.append(other)
    for copy in copies:
        for a, b in zip(model.policy.parameters(), copy.policy.parameters(), strict=True):
            assert torch.equal(a, b)
    with pytest.raises(ModelFileError, match=r"BytesIO.* is not a valid model file"):
        agents.load(io.BytesIO(b"no model"))
    message = r"path is .*; allowed: a path, or a file that is open in binary mode"
    for wrong in (io.StringIO(), 3, None):
        with pytest.raises(TypeError, match=message):
            model.save(wrong)
        with pytest.raises(TypeError, match=message):
            agents.load(wrong)  # type: ignore[arg-type]  # that is what is tested


def test_what_else_sb3s_save_and_load_take(saved: Path, tmp_path: Path, capsys: Any) -> None:
    model = _model()
    for exclude in (["rollout_buffer"], ["optimizer", "policy"]):
        with pytest.raises(
            ValueError, match=r"exclude is \[.*\]; allowed: None, or \['optimizer'\]"
        ):
            model.save(tmp_path / "model", exclude=exclude)
    with pytest.raises(ValueError, match=r"include is \['env'\]; allowed: None"):
        model.save(tmp_path / "model", include=["env"])
    assert not list(tmp_path.iterdir())
    custom = {"learning_rate": 0.0, "lr_schedule": lambda _: 0.0, "clip_range": lambda _: 0.1}
    loaded: Any = MemoryPPO.load(
        saved, custom_objects=custom, clip_range=0.3, print_system_info=True, force_reset=False
    )
    assert "Stable-Baselines3" in capsys.readouterr().out
    assert loaded.lr_schedule(1.0) == 0.0
    assert loaded.clip_range(1.0) == 0.3
    with pytest.raises(TypeError, match="MemoryPPO is 'observation_space'; allowed: learning_rate"):
        MemoryPPO.load(saved, custom_objects={"observation_space": OBSERVATIONS})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_epochs": 0}, "n_epochs is 0; allowed: integers from 1 on"),
        ({"gamma": "high"}, "gamma is 'high'; allowed: numbers from 0 to 1"),
        ({"device": "cuda:77"}, "device is 'cuda:77'; allowed: auto, cpu"),
        ({"custom_objects": {"clip_range": -1}}, "clip_range is -1; allowed"),
        (
            {"policy_kwargs": {"memory": "gru"}},
            r"policy_kwargs is \{'memory': 'gru'\}; allowed: .*lstm",
        ),
        ({"env": sync(lambda: RandomEnv(OBSERVATIONS, ACTIONS), 3), "seed": -1}, "seed is -1"),
    ],
)
def test_a_wrong_argument_is_not_blamed_on_the_file(
    saved: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{message}") as error:
        agents.load(saved, **arguments)
    assert not isinstance(error.value, ModelFileError)


def test_activations_and_optimizers_come_back(tmp_path: Path) -> None:
    env = sync(lambda: RandomEnv(OBSERVATIONS, ACTIONS), 2)
    kwargs: dict[str, Any] = {
        "activation_fn": torch.nn.ReLU,
        "net_arch": {"pi": [4], "vf": [5, 6]},
        "optimizer_class": torch.optim.SGD,
        "optimizer_kwargs": {"momentum": 0.9},
    }
    model = MemoryPPO("MemoryPolicy", env, n_steps=8, policy_kwargs=kwargs)
    model.learn(16)
    model.save(tmp_path / "model")
    assert b"pickle" not in (tmp_path / "model.zip").read_bytes()
    loaded: Any = agents.load(tmp_path / "model")
    assert loaded.policy_kwargs == kwargs
    changed = {**kwargs, "optimizer_class": torch.optim.Adam, "optimizer_kwargs": None}
    with pytest.raises(
        ValueError, match=r"are \['momentum_buffer'\]; allowed with Adam: .*exp_avg"
    ):
        agents.load(tmp_path / "model", env, policy_kwargs=changed)
    model.save(tmp_path / "model", exclude=["optimizer"])
    trained: Any = agents.load(tmp_path / "model", env, policy_kwargs=changed)
    assert isinstance(trained.optimizer, torch.optim.Adam)


OPTIMIZERS = [
    *("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax"),
    *("NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_pytorch_goes_on_from_a_file(name: str, tmp_path: Path) -> None:
    env = sync(lambda: RandomEnv(OBSERVATIONS, ACTIONS), 2)
    model = MemoryA2C(
        "MemoryPolicy", env, policy_kwargs={"optimizer_class": getattr(torch.optim, name)}
    )
    model.learn(64)
    model.save(tmp_path / "model")
    loaded: Any = agents.load(tmp_path / "model", env)
    ours, theirs = (m.optimizer.state_dict()["state"] for m in (model, loaded))
    assert ours.keys() == theirs.keys()
    for index, state in ours.items():
        assert state.keys() == theirs[index].keys()
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, theirs[index][key])
    loaded.learn(64)


def test_to_predict_no_optimizer_is_made(saved: Path, tmp_path: Path) -> None:
    loaded: Any = agents.load(saved)
    loaded.predict(loaded.observation_space.sample())
    assert "optimizer" not in vars(loaded)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again.zip").read_bytes() == saved.read_bytes()
    assert loaded.optimizer.state_dict()["state"]
    loaded.save(tmp_path / "once_more")
    assert (tmp_path / "once_more.zip").read_bytes() == saved.read_bytes()


def test_parameters_can_be_set_from_a_file(saved: Path, tmp_path: Path) -> None:
    model = _model()
    model.set_parameters(saved)
    loaded = MemoryPPO.load(saved)
    for a, b in zip(model.policy.parameters(), loaded.policy.parameters(), strict=True):
        assert torch.equal(a, b)
    model.set_parameters(_model().get_parameters())
    other = _model(memory="gru")
    before = [p.detach().clone() for p in other.policy.parameters()]
    with pytest.raises(ModelFileError, match="does not fit this model"):
        other.set_parameters(saved)
    assert all(torch.equal(a, b) for a, b in zip(before, other.policy.parameters(), strict=True))


def test_a_file_that_sets_parameters_sets_the_optimizer_or_nothing(
    saved: Path, tmp_path: Path
) -> None:
    model = _model()
    model.learn(16)
    before = [p.detach().clone() for p in model.policy.parameters()]
    with pytest.raises(
        ModelFileError, match=r"optimizer's tensors are \['evil', .*; allowed with Adam"
    ):
        model.set_parameters(_changed(saved, tmp_path, tensors=_odd_optimizer))
    assert all(torch.equal(a, b) for a, b in zip(before, model.policy.parameters(), strict=True))
    assert model.optimizer.state_dict()["state"]
    MemoryPPO.load(saved).save(tmp_path / "small", exclude=["optimizer"])
    model.set_parameters(tmp_path / "small")
    assert not model.optimizer.state_dict()["state"], "moments of other parameters"


def test_without_the_optimizer_it_predicts_the_same_and_is_smaller(
    saved: Path, tmp_path: Path
) -> None:
    model: Any = MemoryPPO.load(saved)
    model.save(tmp_path / "small", exclude=["optimizer"])
    assert (tmp_path / "small.zip").stat().st_size < 0.6 * saved.stat().st_size
    small: Any = MemoryPPO.load(tmp_path / "small")
    assert not small.optimizer.state_dict()["state"]
    for a, b in zip(model.policy.parameters(), small.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_model_of_another_revision_is_refused(saved: Path, tmp_path: Path) -> None:
    other = _changed(saved, tmp_path, metadata=_set("revision", value=0))
    _refused(other, r"its MemoryPolicy is of revision 0, .* has revision 3: train the model again")
    with pytest.raises(ModelFileError, match="revision"):
        _model().set_parameters(other)
    old = _changed(saved, tmp_path, metadata=lambda settings: settings.pop("revision"))
    _refused(old, "no int 'revision'")


def test_the_same_model_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    MemoryPPO.load(saved).save(tmp_path / "again")
    assert (tmp_path / "again.zip").read_bytes() == saved.read_bytes()


# Writing


def test_names_follow_sb3_and_the_last_checkpoint_is_known(tmp_path: Path) -> None:
    model = _model()
    model.save(tmp_path / "deep" / "er" / "best_model")
    assert (tmp_path / "deep" / "er" / "best_model.zip").exists()
    assert model.last_checkpoint == str(tmp_path / "deep" / "er" / "best_model.zip")
    model.save(str(tmp_path / "other.model"))
    assert (tmp_path / "other.model").exists()


def test_a_failed_save_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model()
    path = tmp_path / "model.zip"
    model.save(path)
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", fail)
        with pytest.raises(OSError, match="disk full"):
            model.save(path)
    model.policy_kwargs["memory_kwargs"] = {"hidden_size": object()}
    with pytest.raises(TypeError, match=r"policy_kwargs\['memory_kwargs'\]\['hidden_size'\] is"):
        model.save(path)
    parameter = next(model.policy.parameters())
    parameter.data[0] = torch.nan
    model.policy_kwargs["memory_kwargs"] = {"hidden_size": 4}
    with pytest.raises(ValueError, match=r"not finite; nothing was written"):
        model.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.zip"]


# Reading what is not a model


class Bomb:
    """Pickle that tells when it is executed."""

    exploded = False

    def __reduce__(self) -> Any:
        return (setattr, (Bomb, "exploded", True))


def _refused(path: Path, reason: str, load: Callable[..., Any] = agents.load) -> None:
    with pytest.raises(ModelFileError, match=reason) as error:
        load(path)
    assert str(path) in str(error.value)


def test_every_truncation_is_refused(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    for length in np.linspace(0, len(data) - 1, 60).astype(int).tolist():
        path = tmp_path / "short.zip"
        path.write_bytes(data[:length])
        _refused(path, "is not a valid model file")


def test_damaged_bytes_are_refused_or_do_no_harm(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.zip"
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for position in rng.integers(len(data), size=3):
            damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            agents.load(path)
        except ModelFileError:
            refused += 1
    assert refused > 140


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "sb3.zip"
    PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, device="cpu").save(other)
    _refused(other, "saved by Stable-Baselines3")
    text = tmp_path / "notes.zip"
    text.write_text("no zip at all")
    _refused(text, "no readable zip")
    _refused(_write(tmp_path / "empty.zip", {}), "instead of metadata.json")


def test_a_path_without_a_model_is_answered_with_one_nearby(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = RunDirectory(Path("runs") / "x")

    def said(path: str, kind: type[Exception]) -> str:
        with pytest.raises(kind) as error:
            agents.load(path)
        return str(error.value)

    nothing = "path is 'runs/x', where there is nothing; allowed: a model file"
    assert said("runs/x", FileNotFoundError) == nothing
    run.checkpoints.mkdir(parents=True)
    folder = "runs/x is not a valid model file: it is a folder; allowed: a model file"
    assert said("runs/x", ModelFileError) == folder
    shutil.copy(saved, run.latest)
    near = ", such as runs/x/checkpoints/model-latest.zip"
    assert said("runs/x", ModelFileError) == folder + near
    assert said("runs/x/model", FileNotFoundError).endswith(near)
    shutil.copy(saved, run.model)
    assert said("runs/x", ModelFileError) == f"{folder}, such as runs/x/model.zip"
    assert said("runs/y", FileNotFoundError).endswith(", such as runs/x/model.zip")
    assert said("", ModelFileError).startswith(". is not a valid model file: it is a folder")
    # The name of a file without its suffix goes before that of a folder.
    shutil.copy(saved, "runs/x.zip")
    agents.load("runs/x")


def test_pickles_are_never_executed(saved: Path, tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb())
    torch_bomb = io.BytesIO()
    torch.save(Bomb(), torch_bomb)
    path = tmp_path / "bomb.zip"
    for data in (bomb, torch_bomb.getvalue()):
        path.write_bytes(data)
        _refused(path, "is not a valid model file")
        _refused(_write(path, {METADATA: data, TENSORS: data}), "is not JSON")
        with zipfile.ZipFile(saved) as archive:
            good = {name: archive.read(name) for name in archive.namelist()}
        _refused(_write(path, {**good, TENSORS: data}), "damaged")
        _refused(_write(path, {**good, "policy.pth": data}), "saved by Stable-Baselines3")
        _refused(_write(path, {**good, "../../evil.py": data}), r"evil\.py")
    assert not Bomb.exploded
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bomb.zip"]


def test_bombs_of_size_are_refused(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    zeros = bytes(50_000_000)
    with zipfile.ZipFile(saved) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    _refused(_write(path, good, zipfile.ZIP_DEFLATED), "is compressed")
    packed = _write(path, {METADATA: b"{}", TENSORS: zeros}, zipfile.ZIP_DEFLATED)
    assert packed.stat().st_size < 100_000
    _refused(packed, "is compressed")
    _refused(_write(path, {METADATA: b" " * 2_000_000, TENSORS: b""}), "2000000 bytes; allowed")
    _refused(_write(path, {METADATA: b"[" * 100_000, TENSORS: b""}), "is not JSON")
    header = struct.pack("<Q", 2**62)
    _refused(_write(path, {METADATA: b"{}", TENSORS: header}), "damaged")


def _set(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(metadata: dict[str, Any]) -> None:
        place = metadata
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("format", value=99), "format is 99; allowed: 1"),
        (_set("class", value="PPO"), "a PPO, which is unknown"),
        (_set("class", value=["MemoryPPO"]), "no str 'class'"),
        (
            _set("policy", value="MlpPolicy"),
            "the class 'MlpPolicy' is not registered; import it from",
        ),
        (_set("settings", "no_such_setting", value=1), "no_such_setting"),
        (_set("settings", "_init_setup_model", value=1), "_init_setup_model"),
        (_set("settings", "env", value="CartPole-v1"), "env"),
        (_set("settings", "tensorboard_log", value="/"), "tensorboard_log is no setting"),
        (_set("settings", "n_steps", value="8"), "does not make a MemoryPPO"),
        (_set("settings", "batch_size", value=7), "batch_size is 7"),
        (_set("settings", "seed", value="x"), "does not make a MemoryPPO"),
        (_set("settings", "learning_rate", value={"$optimizer": "Adam"}), "does not make"),
        (_set("settings", "learning_rate", value={"$schedule": ["os", 1, 1]}), "not a number"),
        (_set("settings", "policy_kwargs", value={"memory": "x"}), "memory is 'x'"),
        (_set("settings", "policy_kwargs", "optimizer_class", value={"$optimizer": "os"}), "$"),
        (
            _set(
                "settings", "policy_kwargs", "optimizer_class", value={"$optimizer": "lr_scheduler"}
            ),
            "$",
        ),
        (
            _set("settings", "policy_kwargs", "activation_fn", value={"$activation": "functional"}),
            "$",
        ),
        (_set("settings", "learning_rate", value={"$function": "x"}), "not a number"),
        (_set("settings", "learning_rate", value={"$function": True}), "not a number"),
        (_set("settings", "policy_kwargs", "activation_fn", value={"$activation": "os"}), "$"),
        (_set("settings", "policy_kwargs", "activation_fn", value={"$activation": "GRU"}), "GRU"),
        (_set("settings", "policy_kwargs", "encoder_size", value=10**12), r"tensor policy\."),
        (_set("settings", "policy_kwargs", "memory_kwargs", "hidden_size", value=10**7), "tensor"),
        (_set("settings", "policy_kwargs", "net_arch", value=[1] * 10**5), "at most 100"),
        (_set("observation_space", value={"type": "Discrete", "n": 3}), "spaces are damaged"),
        (
            _set("observation_space", value={"type": "MultiBinary", "n": [10**6, 10**6]}),
            "too large",
        ),
        (_set("observation_space", value={"type": "MultiBinary", "n": [-2, 3]}), "is not a shape"),
        (
            _set(
                "observation_space",
                value={"type": "Box", "low": 0, "high": 1, "shape": [2], "dtype": "O"},
            ),
            "dtype O of a Box is not numeric",
        ),
        (
            _set(
                "action_space",
                value={"type": "Discrete", "n": 10**15, "start": 0, "dtype": "int64"},
            ),
            "too large",
        ),
        (_set("counters", "num_timesteps", value=1.5), "counters"),
        (_set("counters", value={}), "counters"),
        (_set("n_envs", value=None), "no int 'n_envs'"),
        (_set("n_envs", value=True), "no int 'n_envs'"),
    ],
)
def test_hostile_metadata_is_refused(
    saved: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    _refused(_changed(saved, tmp_path, metadata=change), reason.replace("$", r"\$"))


def _poison(tensors: dict[str, torch.Tensor]) -> None:
    tensors["policy.critic.mlp.0.weight"][0, 0] = torch.nan


def _rename(tensors: dict[str, torch.Tensor]) -> None:
    tensors["policy.other"] = tensors.pop("policy.critic.mlp.0.weight")


def _reshape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["policy.critic.mlp.0.weight"] = tensors["policy.critic.mlp.0.weight"].T.contiguous()


def _retype(tensors: dict[str, torch.Tensor]) -> None:
    tensors["policy.critic.mlp.0.bias"] = tensors["policy.critic.mlp.0.bias"].double()


def _odd_optimizer(tensors: dict[str, torch.Tensor]) -> None:
    tensors["optimizer.0.evil"] = torch.zeros(())


def _far_optimizer(tensors: dict[str, torch.Tensor]) -> None:
    tensors["optimizer.999.step"] = torch.zeros(())


def _misshapen_optimizer(tensors: dict[str, torch.Tensor]) -> None:
    tensors["optimizer.0.exp_avg"] = torch.zeros(7)


def _larger_optimizer(tensors: dict[str, torch.Tensor]) -> None:
    tensors["optimizer.0.exp_avg"] = tensors["optimizer.0.exp_avg"].repeat_interleave(2, dim=0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_poison, r"tensor policy\.critic\.mlp\.0\.weight is not finite"),
        (_rename, "missing or unknown"),
        (_reshape, r"tensor policy\.critic\.mlp\.0\.weight is"),
        (_retype, r"policy\.critic\.mlp\.0\.bias is torch\.float64"),
        (_odd_optimizer, r"optimizer's tensors are \['evil', 'exp_avg', .*\]; allowed with Adam"),
        (_far_optimizer, r"optimizer\.999\.step is unknown"),
        (_misshapen_optimizer, r"optimizer\.0\.exp_avg has shape"),
        (_larger_optimizer, r"optimizer\.0\.exp_avg has shape"),
    ],
)
def test_hostile_tensors_are_refused(
    saved: Path, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], None], reason: str
) -> None:
    env = sync(lambda: RandomEnv(OBSERVATIONS, ACTIONS), 2)  # so that the optimizer is made
    path = _changed(saved, tmp_path, tensors=change)
    _refused(path, reason, lambda path: agents.load(path, env))


def test_moments_of_one_parameter_too_many_are_refused(saved: Path, tmp_path: Path) -> None:
    model = _model()
    name = f"optimizer.{len(list(model.policy.parameters()))}.step"
    path = _changed(saved, tmp_path, tensors=lambda tensors: tensors.update({name: torch.ones(())}))
    _refused(path, f"tensor {name} is unknown", model.set_parameters)


def test_json_constants_are_refused(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    for constant in (b"NaN", b"Infinity"):
        text = good[METADATA].replace(b'"n_envs": 2', b'"n_envs": ' + constant)
        assert text != good[METADATA]
        _refused(_write(tmp_path / "nan.zip", {**good, METADATA: text}), "is not JSON")


def test_a_file_does_not_say_where_to_write_logs(saved: Path) -> None:
    assert "tensorboard_log" not in _members(saved)[0]["settings"]


def test_wrong_use_is_not_blamed_on_the_file(saved: Path) -> None:
    with pytest.raises(TypeError, match=r"is 'n_stepz'; allowed: .*did you mean 'n_steps'"):
        MemoryPPO.load(saved, n_stepz=3)
    _refused(saved, "holds a MemoryPPO, not a MemoryA2C", MemoryA2C.load)
    other = sync(lambda: RandomEnv(spaces.Discrete(3), ACTIONS), 2)
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        MemoryPPO.load(saved, env=other)


# Settings and spaces as JSON


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3),
        spaces.Discrete(4, start=-2),
        spaces.MultiDiscrete([3, 4], start=[1, 2]),
        spaces.MultiDiscrete(np.array([[3, 4], [5, 6]])),
        spaces.MultiDiscrete([3, 4], dtype=np.int32),
        spaces.MultiBinary((2, 3)),
        spaces.Box(0, 255, (3, 7, 7), np.uint8),
        spaces.Box(-np.inf, np.inf, (2,), np.float32),
        spaces.Box(np.array([-1.5, -np.inf]), np.array([0.1, 7.0]), dtype=np.float64),
        spaces.Box(-(2**62), 2**62, (), np.int64),
        spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Box(0, 1, (1,))}),
    ],
    ids=str,
)
def test_spaces_survive_json(space: Any) -> None:
    again = decode_space(json.loads(json.dumps(encode_space(space), allow_nan=False)))
    assert again == space
    assert again.dtype == space.dtype
    if isinstance(space, spaces.Box):
        np.testing.assert_array_equal(again.low, space.low)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(again.high, space.high)  # type: ignore[attr-defined]


def test_settings_survive_json() -> None:
    settings = {
        "a": [1, 2.5, None, True, "x", [1.0]],
        "b": {"c": float("-inf"), "optimizer_class": torch.optim.SGD},
    }
    assert decode(json.loads(json.dumps(encode(settings, "settings")))) == settings
    assert encode(np.float32(0.5), "x") == 0.5
    assert encode((1, 2), "x") == [1, 2]
    with pytest.raises(TypeError, match=r"x is .*which a model file cannot hold"):
        encode(print, "x")
    with pytest.raises(TypeError, match=r"Text.*cannot be stored"):
        encode_space(spaces.Text(3))
