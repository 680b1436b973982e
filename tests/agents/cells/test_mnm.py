"""Metalearned neural memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells.lstm import LSTMState
from agents.cells.mnm.cell import MNM, MNMState, Pairs
from agents.cells.mnm.memory import (
    SMALL_SQUARE,
    activations,
    gradient_errors,
    recall,
    squared_error,
    write,
)
from agents.cells.mnm.mnm_g import MNMG
from agents.cells.mnm.mnm_p import MNMP
from agents.cells.unroll import unroll_steps
from tests.agents.cells.mnm_reference import (
    Array,
    Options,
    Reference,
    SparseDistributedMemory,
    step,
)

INPUT_SIZE, HIDDEN_SIZE, LAYERS, WIDTH = 2, 4, 3, 3
BOTH: list[type[MNM]] = [MNMG, MNMP]


def make_mnm(cls: type[MNM], scale: float = 0.7, **memory_kwargs: Any) -> Any:
    """A small float64 cell with random parameters of the given standard deviation."""
    torch.manual_seed(0)
    sizes = {"hidden_size": HIDDEN_SIZE, "memory_layers": LAYERS, "memory_width": WIDTH}
    cell = cls(INPUT_SIZE, **(sizes | memory_kwargs)).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=scale)
    return cell


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def row_of(state: MNMState, row: int) -> Reference:
    """One row of a state in which an episode starts, for the reference."""

    def array(x: Tensor) -> Array:
        return x[row].detach().numpy()

    memory, read, controller, _ = state
    hidden, cell = map(array, controller)
    return Reference(list(array(memory)), array(read), hidden, cell, [])


def flatten(out: Array, state: Reference, loss: float) -> Array:
    """All numbers of an output, the state after it but the old pairs, and the loss."""
    parts = (out, *state.memory, state.read, state.hidden, state.cell, np.array(loss))
    return np.concatenate([x.flatten() for x in parts])


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalized_writes": False},
        {"num_heads": 3, "rate_per_layer": True, "recall_delay": 2, "recall_decay": 0.7},
        {"num_heads": 2, "rate_per_layer": False, "linear_values": True, "recall_delay": 1},
        {"memory_layers": 1, "num_heads": 2, "linear_values": True},
    ],
)
def test_it_equals_a_transcription_of_the_paper(cls: type[MNM], options: dict[str, Any]) -> None:
    cell = make_mnm(cls, **options)
    weights = {name: x.detach().numpy() for name, x in cell.named_parameters()}
    reference = Options(
        cell.num_heads, cell.linear_values, cell.normalized_writes, cell.recall_decay
    )
    state = cell.initial_state(2)._replace(
        read=random(2, WIDTH), controller=LSTMState(*random(2, 2, HIDDEN_SIZE))
    )
    expected = [row_of(state, row) for row in range(2)]
    for x in random(4, 2, INPUT_SIZE):
        out, state, losses = cell.forward_with_losses(x, state)
        for row in range(2):
            theirs, expected[row], loss = step(
                x[row].numpy(), expected[row], weights, reference, local=cls is MNMP
            )
            del expected[row].written[cell.recall_delay :]
            found = row_of(state, row)
            ours = flatten(out[row].detach().numpy(), found, losses["recall"][row].item())
            # The reference takes gradients by differences, to some 1e-12.
            np.testing.assert_allclose(
                ours, flatten(theirs, expected[row], loss), rtol=0, atol=1e-10
            )


@pytest.mark.parametrize("linear_values", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_the_written_out_gradient_is_autograd_s(layers: int, linear_values: bool) -> None:
    torch.manual_seed(0)
    memory = random(2, layers, WIDTH, WIDTH).requires_grad_()
    keys, values = random(2, 2, 5, WIDTH).requires_grad_()
    error = WIDTH * squared_error(recall(memory, keys, linear_values), values).sum()
    (expected,) = torch.autograd.grad(error, memory, create_graph=True)
    rates = torch.ones(2, 1, dtype=torch.float64)
    zs = activations(memory, keys, linear_values)
    found = memory - write(
        memory, zs, gradient_errors(memory, zs, values, linear_values, 2 / 5), rates, False
    )
    torch.testing.assert_close(found, expected)
    weights, inputs = random(*expected.shape), [memory, keys, values]
    second = torch.autograd.grad((found * weights).sum(), inputs)
    for x, y in zip(second, torch.autograd.grad((expected * weights).sum(), inputs), strict=True):
        torch.testing.assert_close(x, y)


class _Normalised(nn.Module):
    """A controller that gives out its hidden state normalised, and goes on with it as it is."""

    def __init__(self, controller: nn.Module) -> None:
        super().__init__()
        self.controller = controller

    def forward(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        hidden, state = self.controller(x, state)
        centred = hidden - hidden.mean(dim=1, keepdim=True)
        return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt(), state


@pytest.mark.parametrize("cls", BOTH)
def test_layer_norm_is_of_what_the_controller_gives_out(cls: type[MNM]) -> None:
    cell, plain = make_mnm(cls, layer_norm=True), make_mnm(cls)
    plain.load_state_dict(cell.state_dict(), strict=False)
    plain.controller = _Normalised(plain.controller)
    with torch.no_grad():
        cell.norm.weight.fill_(1.0)
        cell.norm.bias.fill_(0.0)
    state = expected = cell.initial_state(2)
    for x in random(3, 2, INPUT_SIZE):
        out, state = cell(x, state)
        wanted, expected = plain(x, expected)
        torch.testing.assert_close(out, wanted)
        torch.testing.assert_close(state, expected)
    with pytest.raises(TypeError, match="layer_norm is 1; allowed: False, True"):
        make_mnm(cls, layer_norm=1)


@pytest.mark.parametrize("cls", BOTH)
def test_a_feedforward_controller_is_an_lstm_in_an_empty_state(cls: type[MNM]) -> None:
    cell, recurrent = make_mnm(cls, controller="feedforward"), make_mnm(cls)
    recurrent.load_state_dict(cell.state_dict(), strict=False)
    gates, lstm = cell.controller.gates, recurrent.controller
    entering, others = torch.tensor_split(gates.weight, [cell.output_size])
    with torch.no_grad():
        lstm.weight_ih[: cell.output_size] = entering
        lstm.weight_ih[2 * cell.output_size :] = others
        for part in (lstm.bias_ih, lstm.bias_hh):
            part.zero_()
        gates.bias.zero_()
    empty = recurrent.controller.initial_state(2)
    state, expected = cell.initial_state(2), recurrent.initial_state(2)
    for x in random(3, 2, INPUT_SIZE):
        out, state = cell(x, state)
        wanted, expected = recurrent(x, expected._replace(controller=empty))
        torch.testing.assert_close(out, wanted)
        torch.testing.assert_close(state.memory, expected.memory)
    with pytest.raises(ValueError, match="controller is 'gru'; allowed: lstm, feedforward"):
        make_mnm(cls, controller="gru")


def test_by_default_mnm_g_has_one_rate_and_mnm_p_one_for_each_layer() -> None:
    for cls, rates in ((MNMG, 1), (MNMP, LAYERS)):
        cell = make_mnm(cls)
        _, _, seen = cell.trace(random(2, INPUT_SIZE), cell.initial_state(2))
        assert seen["write_rates"].shape == (2, rates)


@pytest.mark.parametrize("cls", BOTH)
def test_nothing_is_written_at_a_rate_of_zero(cls: type[MNM]) -> None:
    cell = make_mnm(cls)
    with torch.no_grad():
        cell.rate.bias.fill_(-1000)
    state = cell.initial_state(2)
    _, after = cell(random(2, INPUT_SIZE), state)
    assert after.memory.equal(state.memory)


@pytest.mark.parametrize("cls", BOTH)
def test_the_first_memory_is_random_and_saved_and_not_trained(cls: type[MNM]) -> None:
    first, second = cls(INPUT_SIZE, memory_width=64), cls(INPUT_SIZE, memory_width=64)
    memory = first.initial_memory
    assert not memory.equal(second.initial_memory)
    assert "initial_memory" not in dict(first.named_parameters())
    second.load_state_dict(first.state_dict())
    assert second.initial_state(2).memory[1].equal(memory)
    # 3 * 64 * 64 draws with a variance of 1 / 64: its estimate has a deviation of 1.3 %.
    assert 0.9 < 64 * memory.var() < 1.1
    assert not first.initial_state(1).memory.requires_grad


@pytest.mark.parametrize("cls", BOTH)
def test_pairs_of_before_the_episode_count_nothing(cls: type[MNM]) -> None:
    late, now = (make_mnm(cls, recall_delay=delay) for delay in (3, 0))
    xs = random(2, 1, INPUT_SIZE)
    for start in (True, False):
        starts = torch.tensor([[True], [start]])
        recalled, written = (
            unroll_steps(cell, xs, cell.initial_state(1), starts).losses["recall"]
            for cell in (late, now)
        )
        torch.testing.assert_close(recalled[0], written[0])
        assert recalled[1].allclose(written[1]) == start


def test_without_a_weight_there_is_no_meta_objective() -> None:
    cell = make_mnm(MNMP, recall_weight=0)
    assert cell.loss_weights == {}
    assert cell.forward_with_losses(random(1, INPUT_SIZE), cell.initial_state(1))[2] == {}


@pytest.mark.parametrize("cls", BOTH)
def test_the_trace_shows_what_the_loss_is_made_of(cls: type[MNM]) -> None:
    cell = make_mnm(cls, num_heads=2)
    x, state = random(3, INPUT_SIZE), cell.initial_state(3)
    _, after, losses = cell.forward_with_losses(x, state)
    _, _, seen = cell.trace(x, state)
    torch.testing.assert_close(
        squared_error(seen["recalled"], seen["write_values"]), losses["recall"]
    )
    read = recall(after.memory, seen["read_keys"], linear_values=False).mean(dim=1)
    torch.testing.assert_close(seen["read_values"][:, 0], read)


class TestSparseDistributedMemory:
    """Appendix C: what the memory has in common with Kanerva's.

    Two layers compute Kanerva's activation exactly: large weights make the first layer's units plus
    or minus one, as a key is near to their address or not, and the second layer's one or zero. The
    first one gets its threshold from a number in the key that is always one. The third layer is
    linear and holds the contents.
    """

    bits, units, threshold, large = 7, 9, 3.0, 50.0

    def make(self) -> tuple[SparseDistributedMemory, Tensor]:
        """Kanerva's memory, and the network's weights ``(1, 3, D, D)`` that are the same."""
        torch.manual_seed(0)
        addresses = random(self.units, self.bits).sign()
        contents = random(self.units, self.units)
        size = self.units + 1
        first, second, third = torch.zeros(3, size, size, dtype=torch.float64)
        first[: self.units, : self.bits] = addresses
        # Between two possible products of address and key, which are odd numbers.
        first[: self.units, -1] = -(self.bits - 2 * self.threshold - 1)
        first[-1, -1] = 1
        second[: self.units, : self.units] = torch.eye(self.units)
        second[: self.units, -1] = 1
        third[: self.units, : self.units] = contents
        memory = torch.stack((self.large * first, self.large * second, third)).unsqueeze(0)
        kanerva = SparseDistributedMemory(addresses.numpy(), self.threshold, contents.numpy())
        return kanerva, memory

    def pair(self) -> Pairs:
        """A random key of plus and minus ones, and a value."""
        key, value = torch.zeros(2, 1, 1, self.units + 1, dtype=torch.float64)
        key[..., : self.bits] = random(self.bits).sign()
        key[..., -1] = 1
        value[..., : self.units] = random(self.units)
        return Pairs(key, value)

    def contents_of(self, memory: Tensor) -> Array:
        contents: Array = memory[0, 2, : self.units, : self.units].numpy()
        return contents

    def test_reading_is_reading(self) -> None:
        kanerva, memory = self.make()
        active = []
        for _ in range(20):
            key, _ = self.pair()
            bits = key[0, 0, : self.bits].numpy()
            read = recall(memory, key, linear_values=True)[0, 0, : self.units]
            np.testing.assert_allclose(read.numpy(), kanerva.read(bits), rtol=0, atol=1e-12)
            active.append(kanerva.activation(bits).sum())
        assert 0 < np.mean(active) < self.units

    def test_a_local_write_is_a_write_that_takes_off_what_was_there(self) -> None:
        """Equation 10 over many writes, at a rate of one for the contents and zero elsewhere."""
        kanerva, memory = self.make()
        cell = MNMP(1, memory_width=self.units + 1, linear_values=True).double()
        rates = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
        for _ in range(5):
            key, value = self.pair()
            bits, there = key[0, 0, : self.bits].numpy(), value[0, 0, : self.units].numpy()
            found = kanerva.read(bits)
            zs = activations(memory, key, linear_values=True)
            with torch.no_grad():
                memory = write(memory, zs, cell.errors(memory, zs, value), rates, False)
            kanerva.write(bits, there)
            kanerva.write(bits, -found)
            np.testing.assert_allclose(
                self.contents_of(memory), kanerva.contents, rtol=1e-12, atol=1e-12
            )

    def test_a_gradient_write_is_the_same_but_for_its_size(self) -> None:
        """Equation 9, without its d_v, which equation 2 does not have: a step twice as large."""
        kanerva, memory = self.make()
        key, value = self.pair()
        bits, there = key[0, 0, : self.bits].numpy(), value[0, 0, : self.units].numpy()
        activation, found = kanerva.activation(bits), kanerva.read(bits)
        zs = activations(memory, key, linear_values=True)
        errors = gradient_errors(memory, zs, value, linear_values=True, scale=2.0)
        after = write(memory, zs, errors, torch.ones(1, 1, dtype=torch.float64), False)
        step = 2 * np.outer(there - found, activation)
        np.testing.assert_allclose(
            self.contents_of(after), kanerva.contents + step, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("scale", [0.3, 30.0])
@pytest.mark.parametrize("cls", BOTH)
def test_a_rate_of_one_corrects_a_linear_layer_whatever_the_key(
    cls: type[MNM], scale: float
) -> None:
    cell = make_mnm(cls, memory_layers=1, linear_values=True)
    memory, (keys, values) = random(2, 1, WIDTH, WIDTH), random(2, 2, 1, WIDTH)
    zs = activations(memory, scale * keys, linear_values=True)
    rates = torch.ones(2, 1, dtype=torch.float64)
    after = write(memory, zs, cell.errors(memory, zs, values), rates, normalized=True)
    recalled = recall(after, scale * keys, linear_values=True)
    # What is added to the squared length leaves a share of the error.
    left = SMALL_SQUARE / (SMALL_SQUARE + (scale * keys).square().sum(-1, keepdim=True))
    torch.testing.assert_close(values - recalled, left * (values - zs[:, -1]))


@pytest.mark.parametrize("cls", BOTH)
def test_an_untrained_memory_recalls_better_what_it_has_written(cls: type[MNM]) -> None:
    """A step that overshoots would make the mean error larger; see `agents.cells.mnm.cell`."""
    torch.manual_seed(0)
    cell, before, after = cls(INPUT_SIZE, memory_width=32), 0.0, 0.0
    state = cell.initial_state(4)
    for x in torch.randn(30, 4, INPUT_SIZE):
        with torch.no_grad():
            _, new, seen = cell.trace(x, state)
            found = recall(state.memory, seen["write_keys"], linear_values=False)
        before += squared_error(found, seen["write_values"]).mean().item()
        after += squared_error(seen["recalled"], seen["write_values"]).mean().item()
        state = new
    assert after < 0.7 * before
