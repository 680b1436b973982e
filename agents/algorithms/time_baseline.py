"""The baseline that needs no network: a mean per time step."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TimeBaseline(nn.Module):
    """A running mean of the rewards-to-go per time step.

    A mean moves by 1/n at its n-th update, and by no less than `rate`. It must be read before it is
    updated, so that it does not depend on the actions it judges.

    Args:
        max_steps: How many means there are; all later steps share the last one.
        rate: Smallest step towards the newest mean.
    """

    means: Tensor
    updates: Tensor

    def __init__(self, max_steps: int, rate: float = 0.1) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("means", torch.zeros(max_steps))
        self.register_buffer("updates", torch.zeros(max_steps))

    def forward(self, steps: int) -> Tensor:
        """Returns the means of the first time steps so far, ``(steps, 1)``."""
        return self.means[self._slots(steps)].unsqueeze(1)

    @torch.no_grad()
    def update(self, returns: Tensor, weights: Tensor) -> None:
        """Takes in rewards-to-go.

        Args:
            returns: Rewards-to-go, ``(T, B)``.
            weights: 1 where a step counts, else 0, ``(T, B)``.
        """
        # After the last counted step there is nothing to learn.
        steps = int(weights.any(dim=1).sum())
        slots, counted = self._slots(steps), weights[:steps]
        nothing = torch.zeros_like(self.means)
        totals = nothing.index_add(0, slots, (returns[:steps] * counted).sum(dim=1))
        counts = nothing.index_add(0, slots, counted.sum(dim=1))
        used = min(steps, len(self.means))
        newest = totals[:used] / counts[:used]
        self.updates[:used] += 1.0
        rates = (1.0 / self.updates[:used]).clamp_min(self.rate)
        self.means[:used] += rates * (newest - self.means[:used])

    def _slots(self, steps: int) -> Tensor:
        """Which mean each time step has, ``(steps,)``."""
        return torch.arange(steps, device=self.means.device).clamp_max(len(self.means) - 1)
