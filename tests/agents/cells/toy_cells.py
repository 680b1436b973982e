"""Cells that stretch the contract: each does something that no cell of the table does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agents.cells import MemoryCell

STATE_BYTES = 120_000


class Predictor(MemoryCell[tuple[Tensor]]):
    """Has a loss of its own: it predicts its next input.

    Args:
        input_size: Width of the input.
        weight: Of its loss.
    """

    def __init__(self, input_size: int, weight: float = 0.5) -> None:
        super().__init__(input_size, 6)
        self.loss_weights = {"prediction": weight}
        self.core = nn.RNNCell(input_size, 6)
        self.guess = nn.Linear(6, input_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor]:
        return (self.guess.weight.new_zeros(batch_size, 6),)

    def forward(self, x: Tensor, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        hidden = self.core(x, state[0])
        return hidden, (hidden,)

    def forward_with_losses(
        self, x: Tensor, state: tuple[Tensor]
    ) -> tuple[Tensor, tuple[Tensor], dict[str, Tensor]]:
        missed = (self.guess(state[0]) - x).square().mean(dim=1)
        return *self(x, state), {"prediction": missed}


class GradientMemory(MemoryCell[dict[str, Tensor]]):
    """Writes by a gradient step: its memory is a matrix that maps keys to values."""

    def __init__(self, input_size: int, size: int = 4) -> None:
        super().__init__(input_size, size)
        self.size = size
        self.key = nn.Linear(input_size, size)
        self.value = nn.Linear(input_size, size)
        self.rate = nn.Parameter(torch.tensor(0.3))

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        start = torch.diag(self.rate.new_full((self.size,), 0.1))
        return {"memory": start.expand(batch_size, self.size, self.size)}

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        training = torch.is_grad_enabled()
        key, value = self.key(x).tanh().unsqueeze(2), self.value(x)
        with torch.enable_grad():
            memory = state["memory"]
            if not memory.requires_grad:
                memory = memory.detach().requires_grad_()
            error = (torch.bmm(memory, key).squeeze(2) - value).square().sum()
            (gradient,) = torch.autograd.grad(error, memory, create_graph=training)
        written = memory - self.rate * gradient
        if not training:
            written = written.detach()
        return torch.bmm(written, key).squeeze(2), {"memory": written}


class Layered(MemoryCell[tuple[list[Any], Tensor]]):
    """Has a state of lists in tuples, 120 kB a row, and a counter of integers."""

    def __init__(self, input_size: int) -> None:
        super().__init__(input_size, 5)
        self.layer = nn.Linear(input_size, 5)
        self.slots = STATE_BYTES // (3 * 5 * 4)

    def initial_state(self, batch_size: int) -> tuple[list[Any], Tensor]:
        weight = self.layer.weight
        layers = [(weight.new_zeros(batch_size, self.slots, 5),) for _ in range(3)]
        return layers, torch.zeros(batch_size, dtype=torch.int64, device=weight.device)

    def forward(
        self, x: Tensor, state: tuple[list[Any], Tensor]
    ) -> tuple[Tensor, tuple[list[Any], Tensor]]:
        layers, count = state
        word = self.layer(x).tanh()
        place = nn.functional.one_hot(count % self.slots, self.slots).to(word.dtype)
        written = [
            (memory + (k + 1) * place.unsqueeze(2) * word.unsqueeze(1),)
            for k, (memory,) in enumerate(layers)
        ]
        seen = torch.stack([memory.sum(dim=1) for (memory,) in written]).sum(dim=0)
        return seen / (1 + count).unsqueeze(1), (written, count + 1)


TOYS: dict[str, type[MemoryCell[Any]]] = {
    "loss": Predictor,
    "gradient": GradientMemory,
    "layers": Layered,
}
