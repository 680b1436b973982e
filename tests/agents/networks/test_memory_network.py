"""Encoder, cell and unroll in one module, with plain PyTorch around it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from gymnasium import spaces
from torch import nn

from agents.cells import CELLS
from agents.cells.state import index_state, state_tensors
from agents.networks.memory_network import MemoryNetwork
from tests.agents.cells.toy_cells import STATE_BYTES, TOYS, GradientMemory, Layered, Predictor

MEMORIES: dict[str, Any] = {**{name: name for name in CELLS}, **TOYS}
ROWS, STEPS = 4, 5


def make_network(name: str, **kwargs: Any) -> MemoryNetwork:
    torch.manual_seed(0)
    return MemoryNetwork(spaces.Discrete(6), MEMORIES[name], encoder_size=8, **kwargs)


def test_it_needs_no_stable_baselines3() -> None:
    code = (
        "import sys; from gymnasium import spaces\n"
        "from agents import MemoryNetwork\n"
        "MemoryNetwork(spaces.Discrete(3)).initial_state(2)\n"
        "print([name for name in sys.modules if name.startswith(('stable_base', 'sb3_'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MEMORIES)
def test_stepping_gives_what_unrolling_gives(name: str) -> None:
    """In a rollout no graph is kept, in training one is; both compute the same."""
    network = make_network(name)
    obs = torch.randint(6, (STEPS, ROWS))
    starts = torch.rand(STEPS, ROWS) < 0.4
    unrolled = network.unroll(obs, network.initial_state(ROWS), starts)
    state = network.initial_state(ROWS)
    for t in range(STEPS):
        with torch.no_grad():
            features, state = network(obs[t], state, starts[t])
        assert not features.requires_grad
        assert not any(part.requires_grad for part in state_tensors(state))
        torch.testing.assert_close(features, unrolled.outs[t])
    torch.testing.assert_close(state_tensors(state), state_tensors(unrolled.state))


@pytest.mark.parametrize("name", sorted(set(MEMORIES) - {"none"}))
def test_plain_pytorch_trains_it_to_remember(name: str) -> None:
    """Four equally likely symbols; the first step shows one, the last asks for it."""
    network = make_network(name)
    readout = nn.Linear(network.output_size, 4)
    optimizer = torch.optim.Adam([*network.parameters(), *readout.parameters()], lr=0.02)
    obs = torch.cat([torch.arange(4)[None], torch.full((3, 4), 4)])
    starts = torch.zeros(4, 4, dtype=torch.bool)
    starts[0] = True
    for _ in range(150):
        unrolled = network.unroll(obs, network.initial_state(4), starts)
        task = nn.functional.cross_entropy(readout(unrolled.outs[-1]), torch.arange(4))
        own = [loss.mean() for loss in network.own_losses(unrolled).values()]
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack([task, *own]).sum())
        optimizer.step()
    assert task < 0.25 * torch.tensor(4.0).log()


def test_a_cell_s_own_loss_comes_with_its_weight_and_is_learned() -> None:
    network = make_network("loss", memory_kwargs={"weight": 0.25})
    obs, starts = torch.randint(6, (STEPS, ROWS)), torch.zeros(STEPS, ROWS, dtype=torch.bool)
    unrolled = network.unroll(obs, network.initial_state(ROWS), starts)
    losses = network.own_losses(unrolled)
    assert losses.keys() == {"memory_prediction"}
    assert losses["memory_prediction"].shape == (STEPS, ROWS)
    assert isinstance(network.memory, Predictor)
    encoded, state = network.encoder(obs[0]), network.initial_state(ROWS)
    first = (network.memory.guess(state[0]) - encoded).square().mean(dim=1)
    torch.testing.assert_close(losses["memory_prediction"][0], 0.25 * first)
    torch.autograd.backward(losses["memory_prediction"].sum())
    assert network.memory.guess.weight.grad is not None
    assert network.memory.guess.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", sorted(set(CELLS) | {"gradient", "layers"}))
def test_other_cells_have_the_losses_that_they_name_or_none(name: str) -> None:
    network = make_network(name)
    obs, starts = torch.zeros(2, 1, dtype=torch.int64), torch.ones(2, 1, dtype=torch.bool)
    own = network.own_losses(network.unroll(obs, network.initial_state(1), starts))
    assert set(own) == ({"memory_recall"} if name.startswith("mnm") else set())


def test_a_gradient_inside_the_step_is_differentiated_again() -> None:
    """The write's learning rate is learned through the gradient that it scales."""
    cell = GradientMemory(3).double()
    xs = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)

    def outs(xs: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
        state: Any = cell.initial_state(2)
        total = []
        for x in xs:
            out, state = torch.func.functional_call(cell, {"rate": rate}, (x, state))
            total.append(out)
        return torch.stack(total)

    assert torch.autograd.gradcheck(outs, (xs, cell.rate))
    (by_rate,) = torch.autograd.grad(outs(xs, cell.rate).sum(), cell.rate)
    assert by_rate.abs() > 1e-3


def test_a_large_nested_state_is_reset_in_the_rows_that_start_alone() -> None:
    network = make_network("layers")
    obs = torch.randint(6, (ROWS,))
    state = network.initial_state(ROWS)
    assert sum(x[0].nbytes for x in state_tensors(state)) >= STATE_BYTES
    with torch.no_grad():
        for _ in range(3):
            _, state = network(obs, state, torch.zeros(ROWS, dtype=torch.bool))
        starts = torch.tensor([False, True, False, False])
        _, kept = network(obs, state, torch.zeros(ROWS, dtype=torch.bool))
        _, reset = network(obs, state, starts)
    assert reset[1].tolist() == [4, 1, 4, 4]
    assert reset[1].dtype == torch.int64
    others = torch.tensor([0, 2, 3])
    for before, after in zip(
        state_tensors(index_state(kept, others)),
        state_tensors(index_state(reset, others)),
        strict=True,
    ):
        assert torch.equal(before, after)
    assert isinstance(reset[0], list)
    assert isinstance(network.memory, Layered)


class Doubled(nn.Module):
    """An encoder of a user's own."""

    def __init__(self, space: spaces.Space[Any], factor: float = 2.0) -> None:
        super().__init__()
        assert space.shape is not None
        self.factor, self.output_size = factor, space.shape[0]

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return self.factor * obs


def test_an_encoder_of_one_s_own() -> None:
    network = MemoryNetwork(
        spaces.Box(-1, 1, (3,)), "none", encoder=Doubled, encoder_kwargs={"factor": 3.0}
    )
    obs = torch.randn(2, 3)
    features, _ = network(obs, network.initial_state(2), torch.zeros(2, dtype=torch.bool))
    torch.testing.assert_close(features, torch.cat([3 * obs, 3 * obs], dim=1))


class NoSize(nn.Module):
    def __init__(self, space: spaces.Space[Any]) -> None:
        super().__init__()


class Nothing(NoSize):
    output_size = 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"memory": "lstn"}, "memory is 'lstn'; allowed: none, lstm"),
        ({"memory": nn.LSTM}, "allowed: a name, or a subclass of MemoryCell"),
        ({"encoder": "cnn"}, "encoder is 'cnn'; allowed: a subclass of torch.nn.Module"),
        ({"encoder": NoSize}, "NoSize, whose output_size is None; allowed: integers from 1 on"),
        ({"encoder": Nothing}, "Nothing, whose output_size is 0; allowed: integers from 1 on"),
        ({"encoder_kwargs": {"a": 1}}, "encoder_kwargs is {'a': 1}; allowed: nothing without"),
        ({"memory_kwargs": 3}, "memory_kwargs is 3; allowed: None, dicts of arguments"),
        ({"memory_kwargs": ["a"]}, "memory_kwargs is ['a']; allowed: None, dicts"),
        ({"encoder_kwargs": 3}, "encoder_kwargs is 3; allowed: None, dicts of arguments"),
        ({"encoder_size": 0}, "encoder_size is 0; allowed: integers from 1 on"),
        ({"encoder_size": 1.5}, "encoder_size is 1.5; allowed: integers from 1 on"),
        ({"activation_fn": "tan"}, "activation_fn is 'tan'; allowed: classes such as torch.nn.Re"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match="allowed") as error:
        MemoryNetwork(spaces.Box(-1, 1, (3,)), **arguments)
    assert message in str(error.value)
