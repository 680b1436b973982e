"""The critic's head: true values whatever the scale, and statistics worked out by hand."""

import pytest
import torch
from torch import nn

from agents.networks.value_head import ValueHead


def _head() -> ValueHead:
    torch.manual_seed(0)
    return ValueHead(3, (4,), nn.Tanh)


def test_tracking_leaves_the_values_as_they_were() -> None:
    head, features = _head(), torch.randn(5, 2, 3)
    before = head(features)
    assert before.shape == (5, 2)
    for returns in (torch.tensor([-900.0, -1100.0]), torch.tensor([0.0, 0.5, 1.0])):
        head.track(returns)
        # Values of about one, computed as differences of numbers of about a thousand.
        torch.testing.assert_close(head(features), before, atol=1e-3, rtol=0)
        assert not head(features).equal(before)


def test_shift_and_scale_are_the_mean_and_deviation_of_equally_weighted_rollouts() -> None:
    head = _head()
    rollouts = [torch.tensor([1.0, 3.0]), torch.tensor([10.0, 20.0]), torch.tensor([-5.0, 5.0])]
    for rollout in rollouts:
        head.track(rollout)
    everything = torch.cat(rollouts)
    torch.testing.assert_close(head.shift, everything.mean())
    torch.testing.assert_close(head.scale, everything.std(correction=0))


def test_old_rollouts_are_forgotten() -> None:
    head = _head()
    for _ in range(10):
        head.track(torch.tensor([0.0, 2.0]))
    for _ in range(200):
        head.track(torch.tensor([90.0, 110.0]))
    assert float(head.shift) == pytest.approx(100.0, rel=1e-3)
    assert float(head.scale) == pytest.approx(10.0, rel=1e-2)


@pytest.mark.parametrize(("value", "scale"), [(7.0, 0.7), (-7.0, 0.7), (0.0, 1e-4)])
def test_returns_that_are_all_the_same_leave_everything_finite(value: float, scale: float) -> None:
    head, features = _head(), torch.randn(4, 3)
    before = head(features)
    for _ in range(3):
        head.track(torch.full((6,), value))
    assert head.scale == pytest.approx(scale), "a tenth of the mean: the loss is not blown up"
    torch.testing.assert_close(head(features), before, atol=1e-3, rtol=0)
