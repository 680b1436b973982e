from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor
from torch import distributions as reference

from agents.networks.distributions import BoxHead, DiscreteHead, make_action_head

SIZES = [3, 2, 20]
N = sum(SIZES)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _head() -> DiscreteHead:
    return DiscreteHead(spaces.MultiDiscrete(SIZES))


def _inputs(*lead: int) -> tuple[Tensor, Tensor]:
    """Random logits, and masks that forbid about half of the choices."""
    logits = 3.0 * torch.randn(*lead, N, generator=_generator(1))
    masks = torch.rand(*lead, N, generator=_generator(2)) < 0.5
    masks[..., [0, 3, 5]] = True  # one allowed choice in each sub-action
    return logits, masks


def _references(logits: Tensor, masks: Tensor) -> list[reference.Categorical]:
    parts = torch.split(logits.masked_fill(~masks, -torch.inf), SIZES, dim=-1)
    return [reference.Categorical(logits=part) for part in parts]


@pytest.mark.parametrize("lead", [(5,), (4, 5)])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_discrete_equals_torch_distributions(lead: tuple[int, ...], masked: bool) -> None:
    logits, masks = _inputs(*lead)
    ours = _head()(logits, masks if masked else None)
    theirs = _references(logits, masks if masked else torch.ones_like(masks))
    actions = torch.stack([d.sample() for d in theirs], dim=-1)  # type: ignore[no-untyped-call]
    expected = sum(d.log_prob(a) for d, a in zip(theirs, actions.unbind(-1), strict=True))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours.log_prob(actions), expected)
    # torch.distributions gives nan for the entropy of an infinite logit's gradient, not its value.
    torch.testing.assert_close(ours.entropy(), sum(d.entropy() for d in theirs))  # type: ignore[no-untyped-call]
    assert torch.equal(ours.mode(), torch.stack([d.probs.argmax(-1) for d in theirs], dim=-1))
    assert ours.sample(_generator()).shape == (*lead, 3)


def test_gradients_equal_torch_distributions() -> None:
    logits, _ = _inputs(6)
    actions = torch.tensor([[1, 0, 7]]).expand(6, 3)
    gradients = []
    for ours in (True, False):
        x = logits.clone().requires_grad_()
        if ours:
            d: Any = _head()(x)
            value = d.log_prob(actions) + 0.3 * d.entropy()
        else:
            parts = _references(x, torch.ones(6, N, dtype=torch.bool))
            value = sum(
                p.log_prob(a) + 0.3 * p.entropy()  # type: ignore[no-untyped-call]
                for p, a in zip(parts, actions.unbind(-1), strict=True)
            )
        gradients.append(torch.autograd.grad(value.sum(), x)[0])
    torch.testing.assert_close(*gradients)


def test_masked_choices_get_no_gradient_and_everything_is_finite() -> None:
    logits, masks = _inputs(8)
    x = logits.clone().requires_grad_()
    d = _head()(x, masks)
    (d.log_prob(d.sample(_generator())) + d.entropy()).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert (x.grad[~masks] == 0).all()
    assert (x.grad[masks] != 0).any()


def test_samples_have_the_right_frequencies() -> None:
    logits, masks = _inputs(1)
    draws = 40_000
    actions = _head()(logits.expand(draws, N), masks.expand(draws, N)).sample(_generator())
    for sub_action, d in enumerate(_references(logits, masks)):
        n = SIZES[sub_action]
        seen = torch.bincount(actions[:, sub_action], minlength=n) / draws
        error = 5.0 * (d.probs[0] * (1 - d.probs[0]) / draws).sqrt() + 1e-9
        assert ((seen - d.probs[0]).abs() <= error).all()


def test_a_forbidden_choice_is_never_sampled_whatever_its_logit() -> None:
    logits = torch.full((20_000, N), -50.0)
    masks = torch.zeros(20_000, N, dtype=torch.bool)
    masks[:, [1, 4, 5 + 10]] = True
    logits[~masks] = 50.0
    actions = _head()(logits, masks).sample(_generator())
    assert (actions == torch.tensor([1, 1, 10])).all()


def test_extreme_draws_stay_in_range(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, masks = _inputs(50)
    for draw in (0, 1):
        drawn = lambda x, *ends, draw=draw, **_: x.fill_(ends[draw])  # noqa: E731
        monkeypatch.setattr(Tensor, "uniform_", drawn)
        actions = _head()(logits, masks).sample()
        chosen = torch.stack([a + o for a, o in zip(actions.T, [0, 3, 5], strict=True)], dim=1)
        assert masks.gather(1, chosen).all()


def test_discrete_has_no_sub_action_dimension_and_its_start_is_for_the_environment() -> None:
    head = make_action_head(spaces.Discrete(4, start=-1))
    assert isinstance(head, DiscreteHead)
    logits = torch.tensor([[0.0, 0.0, 9.0, 0.0]])
    d = head(logits)
    assert d.mode().shape == (1,)
    torch.testing.assert_close(d.log_prob(d.mode()), torch.log_softmax(logits, -1)[:, 2])
    assert head.to_env(d.mode()).tolist() == [1]
    assert head.to_env(d.mode()).dtype == np.int64


def test_gaussian_equals_torch_distributions() -> None:
    space = spaces.Box(-1.0, 1.0, (2, 3), np.float32)
    head = make_action_head(space)
    assert isinstance(head, BoxHead)
    with torch.no_grad():
        head.log_std.copy_(torch.linspace(-1.0, 0.5, 6))
    mean = torch.randn(4, 5, 6, generator=_generator())
    ours = head(mean)
    theirs = reference.Independent(reference.Normal(mean, head.log_std.exp()), 1)
    actions = ours.sample(_generator())
    assert actions.shape == (4, 5, 2, 3)
    flat = actions.flatten(2)
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(flat))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours.entropy(), theirs.entropy())  # type: ignore[no-untyped-call]
    assert torch.equal(ours.mode().flatten(2), mean)
    many = head(mean[:1, :1].expand(1, 50_000, 6)).sample(_generator()).flatten(2)[0]
    torch.testing.assert_close(many.mean(0), mean[0, 0], atol=0.05, rtol=0)
    torch.testing.assert_close(many.std(0), head.log_std.detach().exp(), atol=0.02, rtol=0.02)
    clipped = head.to_env(5.0 * torch.ones(1, 2, 3))
    assert space.contains(clipped[0])


def test_the_generator_decides() -> None:
    logits, _ = _inputs(30)
    for make in (_head()(logits), BoxHead(spaces.Box(-1, 1, (N,), np.float32))(logits)):
        first, again, other = (make.sample(_generator(seed)) for seed in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.ones((2, N + 1), bool), r"shape \(2, 26\).*allowed: \(2, 25\)"),
        (np.ones((3, N), bool), r"allowed: \(2, 25\)"),
        (np.r_["0,2", np.ones(N, bool), np.arange(N) >= 5], "sub-action 0 in row 1"),
    ],
)
def test_wrong_masks_are_refused(masks: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _head().check_masks(masks, 2)


def test_wrong_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: Discrete, MultiDiscrete, Box"):
        make_action_head(spaces.MultiBinary(3))
    with pytest.raises(ValueError, match="2 dimensions"):
        make_action_head(spaces.MultiDiscrete(np.full((2, 2), 2)))
    with pytest.raises(ValueError, match="is too large"):
        make_action_head(spaces.Discrete(10**12))
    with pytest.raises(ValueError, match="Box action space; allowed: None"):
        BoxHead(spaces.Box(-1, 1)).check_masks(np.ones((1, 1), bool), 1)
