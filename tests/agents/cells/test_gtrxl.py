"""The gated Transformer-XL, and attention by distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.cells.gtrxl import GATE_BIAS, Gate, GTrXL
from agents.cells.parts.relative_attention import RelativeAttention, align, sinusoids
from agents.cells.parts.windows import visible
from agents.cells.unroll import unroll, unroll_steps
from tests.agents.cells.gtrxl_reference import Array, step

INPUT_SIZE = 3


def make_gtrxl(**memory_kwargs: Any) -> GTrXL:
    """A small float64 cell with random parameters."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 6, "num_layers": 2, "num_heads": 2, "memory_size": 4}
    cell = GTrXL(INPUT_SIZE, **(sizes | memory_kwargs)).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.7)
    return cell


@pytest.mark.parametrize(
    ("hidden_size", "num_layers", "num_heads", "memory_size"),
    [(6, 2, 2, 4), (5, 1, 1, 1), (4, 3, 4, 12)],
)
def test_it_equals_a_transcription_of_the_papers(
    hidden_size: int, num_layers: int, num_heads: int, memory_size: int
) -> None:
    cell = make_gtrxl(
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=num_heads,
        memory_size=memory_size,
    )
    weights = {name: x.detach().numpy() for name, x in cell.named_parameters()}
    state = cell.initial_state(2)
    expected: list[list[list[Array]]] = [[[] for _ in range(num_layers)] for _ in range(2)]
    for t, x in enumerate(torch.randn(9, 2, INPUT_SIZE, dtype=torch.float64)):
        out, state = cell(x, state)
        assert state.filled.tolist() == [min(t + 1, memory_size)] * 2
        for row in range(2):
            theirs, expected[row] = step(
                x[row].numpy(), expected[row], weights, num_heads, memory_size
            )
            # Some thousand roundings of numbers up to 10.
            np.testing.assert_allclose(out[row].detach().numpy(), theirs, rtol=0, atol=1e-11)
            for ours, kept in zip(state.inputs, expected[row], strict=True):
                blank = [np.zeros(hidden_size)] * (memory_size - len(kept))
                np.testing.assert_allclose(
                    ours[row].detach().numpy(), np.array([*blank, *kept]), rtol=0, atol=1e-11
                )


def test_attention_tells_distances_apart_not_places() -> None:
    """The same steps shifted in time give the same; in another order they give something else."""
    torch.manual_seed(0)
    attention = RelativeAttention(6, 2, window=3).double()
    seen = visible(torch.tensor([[3], [3]]), 3)
    steps = torch.randn(1, 5, 6, dtype=torch.float64)
    first = attention(steps[:, :4], seen[:, :1, :4])[0][:, -1]
    both = attention(torch.cat((torch.randn_like(steps[:, :1]), steps[:, :4]), dim=1), seen)[0]
    torch.testing.assert_close(both[:, 1], first)
    swapped = attention(steps[:, [1, 0, 2, 3]], seen[:, :1, :4])[0][:, -1]
    assert not torch.allclose(swapped, first)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("window", [1, 3])
def test_scores_of_distances_stand_where_the_steps_do(steps: int, window: int) -> None:
    scores = torch.arange(1.0, steps * (window + 1) + 1).view(steps, window + 1)
    aligned = align(scores)
    assert aligned.shape == (steps, window + steps)
    for t in range(steps):
        row = [0.0] * t + scores[t].tolist() + [0.0] * (steps - 1 - t)
        assert aligned[t].tolist() == row


def test_distances_have_codes_of_their_own() -> None:
    codes = sinusoids(200, 8)
    assert codes[-1].tolist() == [0.0] * 4 + [1.0] * 4
    torch.testing.assert_close(codes[-2, 0], torch.tensor(1.0).sin())
    assert torch.cdist(codes, codes).fill_diagonal_(1).min() > 1e-2
    assert sinusoids(3, 5).shape == (4, 5)


def test_a_gate_starts_close_to_the_identity() -> None:
    gate = Gate(4)
    assert gate.bias.tolist() == [GATE_BIAS] * 4
    x = torch.randn(3, 4)
    with torch.no_grad():
        gate.bias.fill_(100.0)
    torch.testing.assert_close(gate(x, torch.randn(3, 4)), x)


def test_nothing_is_seen_beyond_the_layers_windows() -> None:
    """Two layers that see 4 steps back reach 8 back, and no further."""
    cell = make_gtrxl()
    xs = torch.randn(12, 1, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    outs = unroll(cell, xs, cell.initial_state(1), torch.zeros(12, 1, dtype=torch.bool)).outs
    (gradient,) = torch.autograd.grad(outs[-1].sum(), xs)
    reached = gradient.abs().sum(dim=(1, 2)) > 0
    assert reached.tolist() == [False] * 3 + [True] * 9


def test_what_is_broken_is_broken_for_all_that_see_it() -> None:
    cell = make_gtrxl()
    xs = torch.randn(14, 1, INPUT_SIZE, dtype=torch.float64)
    xs[2] = torch.nan
    starts = torch.zeros(14, 1, dtype=torch.bool)
    for run in (unroll, unroll_steps):
        outs = run(cell, xs, cell.initial_state(1), starts).outs
        assert outs.isnan().all(dim=(1, 2)).tolist() == [False] * 2 + [True] * 9 + [False] * 3


def test_the_heads_weightings_are_distributions_over_what_the_episode_has_had() -> None:
    cell = make_gtrxl()
    state = cell.initial_state(3)
    for t in range(6):
        x = torch.randn(3, INPUT_SIZE, dtype=torch.float64)
        _, state, seen = cell.trace(x, state)
        attention = seen["attention"]
        assert attention.shape == (3, 2, 2, 5)
        torch.testing.assert_close(attention.sum(-1), torch.ones_like(attention[..., 0]))
        lived = min(t, 4) + 1
        assert not attention[..., : 5 - lived].any()
        assert (attention[..., 5 - lived :] > 0).all()


def test_a_long_sequence_is_run_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = make_gtrxl(memory_size=40)
    lengths: list[int] = []
    run = cell._block

    def note(xs: Tensor, state: Any, starts: Tensor) -> Any:
        lengths.append(len(xs))
        return run(xs, state, starts)

    monkeypatch.setattr(cell, "_block", note)
    xs = torch.randn(100, 1, INPUT_SIZE, dtype=torch.float64)
    unroll(cell, xs, cell.initial_state(1), torch.zeros(100, 1, dtype=torch.bool))
    assert lengths == [40, 40, 20]


def test_heads_share_the_width() -> None:
    with pytest.raises(ValueError, match="num_heads is 4; allowed: divisors of hidden_size, 6"):
        GTrXL(INPUT_SIZE, hidden_size=6)
