"""The memory-net as a cell, beside a plain transcription of its equation."""

import numpy as np
import torch

from agents.cells import make_cell
from agents.cells.unroll import unroll


def test_the_memory_is_the_equation_by_hand() -> None:
    torch.manual_seed(0)
    cell = make_cell("memory-net", 3, memory_size=4).double()
    torch.nn.init.uniform_(cell.norm.weight, 0.5, 2.0)  # type: ignore[union-attr, arg-type]
    torch.nn.init.uniform_(cell.norm.bias)  # type: ignore[union-attr, arg-type]
    weights = {name: part.detach().numpy() for name, part in cell.named_parameters()}
    xs = torch.randn(5, 2, 3, dtype=torch.float64)
    starts = torch.zeros(5, 2, dtype=torch.bool)
    starts[3, 1] = True
    unrolled = unroll(cell, xs, cell.initial_state(2), starts)
    for row in range(2):
        memory = np.zeros(4)
        for t, x in enumerate(xs[:, row].numpy()):
            memory = np.zeros(4) if starts[t, row] else memory
            seen = np.concatenate([x, memory])
            np.testing.assert_allclose(unrolled.outs[t, row].detach().numpy(), seen)
            flat = weights["linear.weight"] @ seen + weights["linear.bias"]
            flat = (flat - flat.mean()) / np.sqrt(flat.var() + 1e-5)
            flat = flat * weights["norm.weight"] + weights["norm.bias"]
            memory = 1.0 / (1.0 + np.exp(-flat))
            assert ((memory >= 0.0) & (memory <= 1.0)).all()
        np.testing.assert_allclose(unrolled.state.memory[row].detach().numpy(), memory)


def test_what_is_seen_is_the_memory_before_the_step() -> None:
    cell = make_cell("memory-net", 3, memory_size=4)
    out, after, seen = cell.trace(torch.ones(2, 3), cell.initial_state(2))
    assert (out[:, 3:] == 0.0).all()
    torch.testing.assert_close(seen["usage"], after.memory)
