"""The check itself: three gradients that must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from agents.evaluation.gradcheck.report import Group, Report
from agents.evaluation.gradcheck.sampler import EnumerationError, Sampler, enumerate_sequences

# Plays one episode in each of `sampler.rows` rows. Returns each episode's loss: one tensor, or
# B scalars, which is much faster where each has a graph of its own.
Play = Callable[[Sampler], Tensor | Sequence[Tensor]]
# The same without losses: what the rows are paid is all that counts.
PlayExactly = Callable[[Sampler], object]
Groups = Mapping[str, Sequence[Tensor]]

# Of the probabilities' sum.
_TOLERANCE = 1e-12
# What is smaller than this share of the whole gradient is compared with this share.
_FLOOR = 1e-6
# Of central differences of fourth order: their error is about its fourth power.
_STEP = 1e-3


def check_gradients(
    play: Play,
    parameters: nn.Module | Groups,
    exact: PlayExactly | None = None,
    title: str = "gradients",
    directions: int = 2,
    variance: bool = True,
    limit: int = 10_000,
    generator: torch.Generator | None = None,
) -> Report:
    """Compares an algorithm's expected gradient with the exact one, and that with differences.

    Three gradients of the expected return are computed: the algorithm's own, weighing each episode
    by its probability; the exact one, by backpropagation through probabilities and returns of all
    sequences; and central differences.

    The losses are what the algorithm makes of each episode if it is the only one: sums over steps,
    not means, and to be minimised. What it does with many episodes is to take their mean, whose
    expectation is the same.

    Args:
        play: The algorithm, with `sampler` in place of chance.
        parameters: Parameters in float64; those of a module are grouped by its children. Those
            that need no gradient are left out.
        exact: Plays with gradients and calls `sampler.choose` and `sampler.record`; by default
            `play` does. To be given where the algorithm draws its actions without gradients.
        title: Title of the report.
        directions: Number of random directions of central differences for each group.
        variance: Whether the variance of one episode's gradient is computed as well, which takes a
            backward pass for each sequence.
        limit: Largest number of sequences.
        generator: Source of the directions; by default one seeded with 0.

    Raises:
        EnumerationError: If the sequences cannot be enumerated.
    """
    exact = exact or play
    groups = _groups(parameters)
    plan = enumerate_sequences(exact, limit)
    sampler = _played(exact, plan)
    probabilities = sampler.probabilities.detach()
    objective = sampler.probabilities @ sampler.returns
    if not objective.requires_grad:
        raise EnumerationError(
            "the objective has no gradient: `sampler.choose` was given logits without one; give "
            "`exact`, which plays with gradients"
        )
    truth = _gradient(objective, groups)
    losses = list(play(Sampler(plan)))
    if len(losses) != len(probabilities) or losses[0].dim():
        raise ValueError(f"there are {len(losses)} losses; allowed: {len(probabilities)} numbers")
    found = _gradient(-(probabilities @ torch.stack(losses).double()), groups)
    variances = _variances(losses, probabilities, found, groups) if variance else {}
    generator = generator or torch.Generator().manual_seed(0)
    numeric = {
        name: _numeric_error(exact, plan, groups[name], truth[name], directions, generator)
        for name in groups
    }
    return Report(
        title,
        len(probabilities),
        len(plan),
        float(probabilities.sum()),
        float(objective.detach()),
        tuple(_compared(truth, found, numeric, variances)),
    )


def compare_losses(found: Tensor, expected: Tensor, groups: Groups) -> dict[str, float]:
    """Returns the relative difference between the gradients of two losses, for each group.

    Args:
        found: The loss in question.
        expected: The loss that it is compared with.
        groups: Groups of parameters, by name.
    """
    ours, theirs = (_gradient(loss, groups) for loss in (found, expected))
    floor = _FLOOR * float(torch.cat([*theirs.values()]).norm())
    return {
        name: _relative(ours[name] - theirs[name], floor, ours[name], theirs[name])
        for name in groups
    }


def _compared(
    truth: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    numeric: Mapping[str, Tensor],
    variances: Mapping[str, float],
) -> Iterator[Group]:
    """What is reported of each group; the arguments are those of all groups."""
    floor = _FLOOR * float(torch.cat([*truth.values()]).norm())
    for name, exact in truth.items():
        difference = found[name] - exact
        yield Group(
            name,
            size=len(exact),
            norm=float(exact.norm()),
            error=_relative(difference, floor, found[name], exact),
            numeric_error=_relative(numeric[name], floor, exact),
            bias=float(difference.norm()),
            variance=variances.get(name),
        )


def _groups(parameters: nn.Module | Groups) -> Groups:
    if isinstance(parameters, nn.Module):
        found: dict[str, list[Tensor]] = {}
        for name, parameter in parameters.named_parameters():
            found.setdefault(name.partition(".")[0], []).append(parameter)
        parameters = found
    for name, group in parameters.items():
        if wrong := {part.dtype for part in group} - {torch.float64}:
            raise ValueError(f"{name} is of {wrong.pop()}; allowed: torch.float64")
    learned = {n: [part for part in parts if part.requires_grad] for n, parts in parameters.items()}
    return {name: group for name, group in learned.items() if group}


def _played(exact: PlayExactly, plan: Tensor) -> Sampler:
    """A sampler after the play, its probabilities checked."""
    sampler = Sampler(plan)
    exact(sampler)
    total = float(sampler.probabilities.detach().sum())
    if not abs(total - 1.0) < _TOLERANCE:
        raise EnumerationError(
            f"the probabilities of all sequences add up to {total!r}, not 1; are logits and masks "
            "the same whenever the same actions were taken?"
        )
    return sampler


def _gradient(value: Tensor, groups: Groups) -> dict[str, Tensor]:
    """The gradient of each group, flat; zeros where it does not reach."""
    parameters = [parameter for group in groups.values() for parameter in group]
    gradients = iter(
        torch.autograd.grad(
            value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
    )
    return {
        name: torch.cat([next(gradients).flatten() for _ in group])
        for name, group in groups.items()
    }


def _variances(
    losses: Sequence[Tensor], probabilities: Tensor, mean: Mapping[str, Tensor], groups: Groups
) -> dict[str, float]:
    """The variance of one episode's gradient, summed over each group."""
    squares = dict.fromkeys(groups, 0.0)
    for loss, probability in zip(losses, probabilities.tolist(), strict=True):
        for name, gradient in _gradient(loss, groups).items():
            squares[name] += probability * float((-gradient - mean[name]).square().sum())
    return squares


def _numeric_error(
    exact: PlayExactly,
    plan: Tensor,
    group: Sequence[Tensor],
    gradient: Tensor,
    directions: int,
    generator: torch.Generator,
) -> Tensor:
    """What the gradient along random directions differs from central differences by."""
    errors = [torch.zeros((), dtype=gradient.dtype)]
    for direction in _unit_vectors(gradient, directions, generator):
        values = [_shifted(exact, plan, group, direction * k * _STEP) for k in (1, -1, 2, -2)]
        near, far = values[0] - values[1], values[2] - values[3]
        errors.append((8.0 * near - far) / (12.0 * _STEP) - gradient @ direction)
    return torch.stack(errors).abs().max()


def _unit_vectors(gradient: Tensor, count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Along the gradient, where an error in its size shows best, and in random directions."""
    if float(gradient.norm()) > 0.0:
        yield gradient / gradient.norm()
    for _ in range(count):
        direction = torch.randn(len(gradient), generator=generator, dtype=gradient.dtype)
        yield direction / direction.norm()


@torch.no_grad()
def _shifted(exact: PlayExactly, plan: Tensor, group: Sequence[Tensor], shift: Tensor) -> Tensor:
    """The objective after a shift of one group of parameters."""
    before = [parameter.clone() for parameter in group]
    parts = torch.split(shift, [parameter.numel() for parameter in group])
    try:
        for parameter, part in zip(group, parts, strict=True):
            parameter.add_(part.view_as(parameter))
        sampler = _played(exact, plan)
    finally:
        for parameter, old in zip(group, before, strict=True):
            parameter.copy_(old)
    return sampler.probabilities @ sampler.returns


def _relative(error: Tensor, floor: float, *sizes: Tensor) -> float:
    size = max(floor, *(float(size.norm()) for size in sizes))
    return float(error.norm()) / size if size > 0.0 else 0.0
