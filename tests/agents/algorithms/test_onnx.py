"""What an ONNX file plays is what its policy plays."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from agents import MemoryCell, MemoryPPO, export_onnx, load_pretrained
from agents.algorithms.model import MemoryModel
from agents.cells import CELLS
from agents.cells.state import state_tensors
from agents.networks.distributions import Categorical
from tests.agents.cells.toy_cells import GradientMemory
from tests.agents.toy_envs import RandomEnv, sync

BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
DICT = spaces.Dict({"z": spaces.MultiDiscrete([3, 4], start=[0, -1]), "a": BOX})
IMAGE = spaces.Box(0, 255, (3, 36, 36), np.uint8)
CHOICES = spaces.MultiDiscrete([3, 2], start=[0, 5])
STEPS, ROWS = 6, 3


class Counter(MemoryCell[Any]):
    """Counts steps in integers, in a state of another nesting than those of ours."""

    def __init__(self, input_size: int) -> None:
        super().__init__(input_size, 1)

    def initial_state(self, batch_size: int) -> Any:
        counted = torch.full((batch_size,), 2)
        return {"last": [torch.zeros(batch_size, self.input_size)], "counted": counted}

    def forward(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        counted = state["counted"] + 1
        change = (x - state["last"][0]).sum(1) * counted.float()
        return change.unsqueeze(1), {"last": [x], "counted": counted}


def _model(observations: Any, actions: Any, **policy: Any) -> MemoryModel:
    env = sync(lambda: RandomEnv(observations, actions), 2)
    model = MemoryPPO("MemoryPolicy", env, n_steps=8, n_epochs=1, seed=0, policy_kwargs=policy)
    model.learn(32)
    with torch.no_grad():  # small first weights would let every action be about as probable
        trained: Any = model.policy
        trained.actor[-1].weight.mul_(30.0)
    return model


def _compare(model: MemoryModel, path: Path) -> set[str]:
    """Plays both side by side; returns the names of the file's inputs and outputs."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    policy: Any = model.policy
    state: Any = None
    dtypes = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    carried: dict[str, npt.NDArray[Any]] = {
        put.name: np.full((ROWS, *put.shape[1:]), 7, dtypes[put.type])  # means nothing at a start
        for put in session.get_inputs()
        if put.name.startswith("state")
    }
    outputs = [put.name for put in session.get_outputs()]
    model.observation_space.seed(0)
    for step in range(STEPS):
        seen = [model.observation_space.sample() for _ in range(ROWS)]
        obs: Any = np.stack(seen)
        given = {"observation": obs}
        if isinstance(model.observation_space, spaces.Dict):
            obs = {key: np.stack([one[key] for one in seen]) for key in model.observation_space}
            given = {f"observation.{key}": part for key, part in obs.items()}
        starts = np.array([step == 0, step in (0, 3), step == 0])  # one row starts anew midway
        result = session.run(None, {**given, **carried, "episode_start": starts})
        found = dict(zip(outputs, result, strict=True))
        tensors = policy.obs_to_tensor(obs)[0]
        before = policy.initial_state(ROWS) if state is None else state
        with torch.no_grad():
            features, judged, _ = policy.features(tensors, before, torch.as_tensor(starts))
            distribution = policy.action_head(policy.actor(features))
            value = policy.critic(judged)
        actions, state = model.predict(obs, state, starts, deterministic=True)
        # Sums of some hundred products in float32, of numbers up to 30, in another order.
        close: dict[str, Any] = {"atol": 1e-4, "rtol": 1e-4}
        np.testing.assert_allclose(found["value"], value, **close)
        after = [found[f"next_{name}"] for name in carried]
        for mine, theirs in zip(after, state_tensors(state), strict=True):
            np.testing.assert_allclose(mine, theirs, **close)
        if isinstance(distribution, Categorical):
            taken = torch.as_tensor(found["action"] - policy.action_head.start)
            best = distribution.log_prob(distribution.mode())  # of equal ones either may be taken
            np.testing.assert_allclose(distribution.log_prob(taken), best, **close)
            first = torch.as_tensor(found["logits"][:, :3]).log_softmax(1)
            np.testing.assert_allclose(first, distribution.log_probs[:, 0, :3], **close)
        else:
            np.testing.assert_allclose(found["action"], actions, **close)
            np.testing.assert_allclose(found["mean"], distribution.mean, **close)
            np.testing.assert_allclose(found["log_std"], distribution.log_std.detach())
        carried = {name: found[f"next_{name}"] for name in carried}
    return {put.name for put in (*session.get_inputs(), *session.get_outputs())}


@pytest.mark.parametrize("memory", CELLS)
def test_every_cell_plays_the_same(memory: str, tmp_path: Path) -> None:
    critic_memory = "own" if memory == "lstm" else "detached"
    model = _model(DICT, CHOICES, memory=memory, critic_memory=critic_memory, encoder_size=8)
    path = export_onnx(model, tmp_path / "policy")
    assert path == tmp_path / "policy.onnx"
    names = _compare(model, path)
    assert {"observation.a", "observation.z", "episode_start", "action", "logits", "value"} <= names
    assert ("next_state.actor.hidden" in names) is (memory == "lstm")
    assert "state.controller.cell" in names or memory != "ntm"
    assert "state.hidden" in names or memory != "gru"


@pytest.mark.parametrize(
    ("observations", "actions", "policy"),
    [
        (BOX, spaces.Box(-0.5, 0.5, (2,)), {"memory": Counter}),
        (BOX, CHOICES, {"memory": GradientMemory}),
        (IMAGE, spaces.Discrete(3, start=-4), {"activation_fn": torch.nn.GELU}),
        (
            spaces.Discrete(4, start=2),
            CHOICES,
            {"memory": "gru", "net_arch": {"pi": [4], "vf": []}},
        ),
    ],
    ids=["box and a cell of one's own", "a gradient in a step", "image", "symbol"],
)
def test_every_kind_of_space_is_exported(
    observations: Any, actions: Any, policy: dict[str, Any], tmp_path: Path
) -> None:
    model = _model(observations, actions, **{"critic_memory": "shared", **policy})
    names = _compare(model, export_onnx(model, str(tmp_path / "policy.onnx")))
    assert "observation" in names


def test_the_model_is_left_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = _model(BOX, CHOICES, memory="gru")
    model.policy.set_training_mode(True)
    before = OrderedDict((k, v.clone()) for k, v in model.policy.state_dict().items())
    capfd.readouterr()
    export_onnx(model, tmp_path / "policy")
    assert capfd.readouterr() == ("", "")
    assert model.policy.training
    assert all(torch.equal(before[k], v) for k, v in model.policy.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["policy.onnx"]


def test_an_export_that_fails_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.onnx"
    path.write_text("former")

    def fail(_program: object, target: Path) -> None:
        target.write_text("half")
        raise RuntimeError("power cut")

    monkeypatch.setattr(torch.onnx.ONNXProgram, "save", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        export_onnx(_model(BOX, CHOICES, memory="none"), path)
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]
    assert logging.root.manager.disable == logging.NOTSET, "what others log is seen again"


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"with a RLNTMPolicy; allowed: with a MemoryPolicy"):
        export_onnx(load_pretrained("rl-ntm/Copy"), tmp_path / "policy")
    script = (
        "import sys; sys.modules['onnxscript'] = None; import agents\n"
        "env = agents.make_vec_env('CartPole-v1')\n"
        "try: agents.export_onnx(agents.MemoryA2C('MemoryPolicy', env), 'policy')\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'memory-envs[onnx]'" in run.stdout
