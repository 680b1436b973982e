"""Windows of the last steps, against plain loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agents.cells.parts.windows import keep_last, steps_before, visible


def histories(starts: Tensor, kept: list[int]) -> list[list[list[int]]]:
    """For each row and step, the steps of the episode up to it; kept ones have negative numbers."""
    found: list[list[list[int]]] = []
    for row, count in enumerate(kept):
        episode = list(range(-count, 0))
        found.append([])
        for step in range(len(starts)):
            episode = [step] if starts[step, row] else [*episode, step]
            found[-1].append(episode)
    return found


@pytest.mark.parametrize("window", [0, 1, 3, 9])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_step_sees_the_last_steps_of_its_episode(steps: int, window: int) -> None:
    generator = torch.Generator().manual_seed(steps)
    starts = torch.rand(steps, 6, generator=generator) < 0.3
    kept = [min(window, count) for count in (0, 1, 2, 9, 9, 9)]
    before = steps_before(starts, torch.tensor(kept))
    seen = visible(before, window)
    assert seen.shape == (6, steps, window + steps)
    # What a thing holds is its number, so that 0 means nothing only where it is made so.
    numbers = torch.arange(-window, steps).expand(6, -1).clone()
    for row, count in enumerate(kept):
        numbers[row, : window - count] = 0
    last = keep_last(numbers, starts)
    assert last.shape == (6, window)
    for row, episodes in enumerate(histories(starts, kept)):
        for step, episode in enumerate(episodes):
            assert before[step, row] == len(episode) - 1
            places = (seen[row, step].nonzero().squeeze(1) - window).tolist()
            assert places == episode[-window - 1 :]
        left = episodes[-1][-window:] if window else []
        assert last[row].tolist() == [0] * (window - len(left)) + left


def test_what_an_episode_leaves_behind_may_be_nan() -> None:
    things = torch.tensor([[torch.nan, 1.0, torch.nan, 2.0]]).unsqueeze(2).requires_grad_()
    last = keep_last(things, torch.tensor([[False], [True]]))
    assert last.flatten().tolist() == [0.0, 2.0]
    (gradient,) = torch.autograd.grad(last.square().sum(), things)
    assert gradient.flatten().tolist() == [0.0, 0.0, 0.0, 4.0]
