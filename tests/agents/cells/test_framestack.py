"""The stack of the last inputs."""

from __future__ import annotations

import pytest
import torch

from agents.cells.framestack import FrameStack
from agents.cells.unroll import unroll, unroll_steps


@pytest.mark.parametrize("stack_size", [1, 2, 5])
@pytest.mark.parametrize("run", [unroll, unroll_steps])
def test_it_shows_the_last_inputs_of_the_episode(run: object, stack_size: int) -> None:
    assert callable(run)
    cell = FrameStack(2, stack_size)
    xs = torch.arange(1.0, 29.0).view(7, 2, 2)
    starts = torch.zeros(7, 2, dtype=torch.bool)
    starts[0], starts[3, 1] = True, True
    outs, state, _ = run(cell, xs, cell.initial_state(2), starts)
    assert outs.shape == (7, 2, 2 * stack_size)
    for row, first_steps in enumerate(([0] * 7, [0, 0, 0, 3, 3, 3, 3])):
        for step, first in enumerate(first_steps):
            shown: list[float] = []
            for earlier in range(step - stack_size + 1, step + 1):
                shown += xs[earlier, row].tolist() if earlier >= first else [0.0, 0.0]
            assert outs[step, row].tolist() == shown
    assert torch.equal(state.frames.flatten(1), outs[-1, :, 2:])


def test_it_has_no_parameters_but_goes_where_it_is_sent() -> None:
    cell = FrameStack(3)
    assert list(cell.parameters()) == []
    assert cell.state_dict() == {}
    assert cell.double().initial_state(2).frames.dtype == torch.float64
    assert cell.to("meta").initial_state(2).frames.is_meta
