"""The fast steps of MANN-RL beside plain ones, which autograd and PyTorch's own Adam take."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents import MannRL, make_vec_env
from agents.algorithms.mann_rl.action_steps import ActionSteps, grads_of_targets
from agents.algorithms.mann_rl.columns import Columns
from agents.algorithms.mann_rl.folded import FoldedMemoryNet
from agents.algorithms.mann_rl.networks import ActionNetwork, MemoryNet

SIZES = [(None, 0), (None, 1), (5, 1), (5, 2), (5, 0)]


@pytest.fixture(autouse=True)
def _in_double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor, part: nn.Module, norm: float) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(part.parameters(), norm)
    optimizer.step()


def _assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize(("embedding_size", "hidden_layers"), SIZES)
@pytest.mark.parametrize("max_grad_norm", [0.01, 100.0])
def test_a_step_is_that_of_autograd(
    embedding_size: int | None, hidden_layers: int, max_grad_norm: float
) -> None:
    plain, fast = (ActionNetwork(7, 3, 4, embedding_size, hidden_layers) for _ in range(2))
    fast.load_state_dict(plain.state_dict())
    learning, learning_fast = (
        torch.optim.Adam(net.parameters(), lr=0.01, fused=True) for net in (plain, fast)
    )
    for _ in range(2):  # the second time with what the optimizer knows by then
        steps = ActionSteps(fast, learning_fast, max_grad_norm)
        inputs, memory = torch.randn(6, 8, 7), torch.rand(6, 8, 3)
        targets = torch.randint(4, (6, 8))
        for now, entered, wanted, grads in zip(
            inputs, memory, targets, grads_of_targets(targets, 4, inputs.dtype), strict=True
        ):
            logits = plain(now, entered)
            _descend(learning, F.cross_entropy(logits, wanted), plain, max_grad_norm)
            outputs, logs = steps.step(now, entered, grads)
            expected = logits.detach().log_softmax(1)
            _assert_same(
                {"outputs": outputs, "logs": logs}, {"outputs": expected.exp(), "logs": expected}
            )
        steps.write_back()
        _assert_same(fast.state_dict(), plain.state_dict())
    for mine, theirs in zip(fast.parameters(), plain.parameters(), strict=True):
        _assert_same(learning_fast.state[mine], learning.state[theirs])


def test_nothing_is_handed_over_before_it_is_written_back() -> None:
    network = ActionNetwork(7, 3, 4, 5, 1)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    steps = ActionSteps(network, optimizer, 1.0)
    (pull,) = grads_of_targets(torch.ones(1, 8).long(), 4, torch.float64)
    steps.step(torch.randn(8, 7), torch.rand(8, 3), pull)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    steps.write_back()
    for name, tensor in network.state_dict().items():
        assert name.endswith("linear.bias") or not torch.equal(tensor, before[name]), name


@pytest.mark.parametrize(
    ("inputs", "outputs", "embedding"), [(5, 4, None), (5, 0, None), (6, 6, 3)]
)
def test_a_folded_memory_net_is_the_net(inputs: int, outputs: int, embedding: int | None) -> None:
    net = MemoryNet(inputs, outputs, 8, embedding)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 2.0)
    net.eval()
    seen = torch.rand(3, 8), torch.randn(3, inputs), torch.rand(3, outputs or 4)
    after = FoldedMemoryNet(net)(*seen)
    assert not after.requires_grad
    torch.testing.assert_close(after, net(*seen).detach())


def test_episodes_are_counted_that_are_whole() -> None:
    # Column 0: streams of 2 and 1 steps, one that is cut off; column 1: streams of 3 and 1.
    starts = np.array([[1, 1], [0, 0], [1, 0], [1, 1]], np.bool_)
    ends = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.bool_)
    right = np.array([[1, 1], [1, 0], [0, 1], [1, 1]], np.bool_)
    columns = Columns(np.zeros((4, 2)), np.zeros((4, 2), np.int64), right, starts, ends)
    returns, lengths = columns.episodes(right)
    assert returns.tolist() == [2, 0, 2, 1]
    assert lengths.tolist() == [2, 1, 3, 1]


def test_episodes_are_shown_while_it_learns() -> None:
    torch.set_default_dtype(torch.float32)
    model = MannRL(
        "MannRLPolicy", make_vec_env("Stream-Logic-v0", 64), learning_rate=0.003, max_grad_norm=1.0
    )
    model.rollout()
    batch = model.rollout_batch()
    model.train()
    infos, successes = model.ep_info_buffer, model.ep_success_buffer
    assert infos is not None
    assert successes is not None
    whole = int(batch.ends.sum())
    assert 16 < whole <= 64
    assert len(infos) == len(successes) == whole
    assert sum(info["l"] for info in infos) <= batch.targets.size
    for info, success in zip(infos, successes, strict=True):
        assert 0 <= info["r"] <= info["l"]
        assert success == (info["r"] == info["l"])
