"""What holds on a processor holds on an accelerator; needs one, and is skipped without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import agents
from agents.algorithms.table import ALGORITHMS
from agents.cells.state import map_state, state_tensors
from agents.cells.unroll import unroll
from tests.agents.cells.cases import (
    CASES,
    differentiable,
    make_case,
    random_input,
    starts_of,
    state_after,
)

if not torch.cuda.is_available():
    pytest.skip("no accelerator here", allow_module_level=True)

STEPS, ROWS = 7, 3
# Sums in another order and other exponentials, at each of seven steps of some ten operations.
TOLERANCE = 1e5 * torch.finfo(torch.float64).eps


@pytest.mark.parametrize("case", CASES)
def test_a_cell_gives_the_same_numbers_and_gradients(case: str) -> None:
    cell = make_case(case)
    xs, state = random_input(STEPS, ROWS), state_after(cell, ROWS)
    starts = starts_of("random", STEPS, ROWS)
    results = []
    for device in ("cpu", "cuda"):
        cell.to(device)
        moved = map_state(lambda x, to=device: x.detach().to(to), state)
        inputs = xs.detach().to(device).requires_grad_()
        found = unroll(cell, inputs, moved, starts.to(device))
        total = torch.stack([x.square().sum() for x in differentiable(found)]).sum()
        wanted = [inputs, *cell.parameters()]
        gradients = torch.autograd.grad(total, wanted, materialize_grads=True)
        results.append([x.detach().cpu() for x in (*state_tensors(found), *gradients)])
    for expected, x in zip(*results, strict=True):
        largest = float(expected.abs().max()) if expected.numel() else 0.0
        tolerance = TOLERANCE * max(1.0, largest) if expected.is_floating_point() else 0.0
        torch.testing.assert_close(x, expected, rtol=0, atol=tolerance)


PLAYERS = [(name, memory) for name, spec in ALGORITHMS.items() for memory in spec.memory_names()]


# The numbers that are drawn differ, so what is compared is what a model does once it is loaded.
@pytest.mark.parametrize(("algorithm", "memory"), PLAYERS)
def test_what_learned_there_plays_here(algorithm: str, memory: str, tmp_path: Path) -> None:
    spec = ALGORITHMS[algorithm]
    cls: Any = spec.load_class()
    policy = next(iter(cls.policy_aliases))
    model = cls(policy, "Tape-Copy-v0", policy_kwargs={spec.memory: memory}, seed=0)
    assert model.device.type == "cuda", "auto takes it"
    model.learn(200)
    assert all(x.isfinite().all() for x in model.policy.parameters())
    model.save(tmp_path / "model.zip")
    here = agents.load(tmp_path / "model.zip", device="cpu")
    obs, state, other = model.env.reset(), None, None
    for _ in range(3):
        action, state = model.predict(obs, state, deterministic=True)
        again, other = here.predict(obs, other, deterministic=True)
        assert np.array_equal(action, again)
        for x, y in zip(state_tensors(state), state_tensors(other), strict=True):
            torch.testing.assert_close(x.cpu(), y.cpu(), rtol=1e-3, atol=1e-3)
