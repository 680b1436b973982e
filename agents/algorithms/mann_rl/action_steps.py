"""Gradient steps of the action network, without autograd: one for each token, and all are small.

Each is what `torch.nn.functional.cross_entropy`, `backward`, `clip_grad_norm_` and Adam do, in
fewer calls; tests hold the two beside each other. The parameters lie in one tensor meanwhile, and
so do their gradients and moments, so that the gradient's norm is one call and Adam another.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from agents.algorithms.mann_rl.networks import ActionNetwork

# The names of what Adam keeps of each parameter.
_STEP, _MEAN, _SQUARE = "step", "exp_avg", "exp_avg_sq"


class _Flat:
    """The parameters of a network and what Adam keeps of them, each in one tensor."""

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.parameters = list(network.parameters())
        self._states = [optimizer.state[parameter] for parameter in self.parameters]
        for parameter, state in zip(self.parameters, self._states, strict=True):
            if not state:  # Adam's first step makes the same
                state[_STEP] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                state[_MEAN], state[_SQUARE] = (torch.zeros_like(parameter) for _ in range(2))
        self.values = _joined(parameter.detach() for parameter in self.parameters)
        self.mean, self.square = (
            _joined(state[name] for state in self._states) for name in (_MEAN, _SQUARE)
        )
        self.step: Tensor = self._states[0][_STEP].clone()
        self.grad = torch.zeros_like(self.values)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Returns the parts of a tensor such as `values`, in the shapes of the parameters."""
        parts = torch.split(flat, [parameter.numel() for parameter in self.parameters])
        return [
            part.view_as(parameter) for part, parameter in zip(parts, self.parameters, strict=True)
        ]

    def write_back(self) -> None:
        """Hands what was learned to the network and the optimizer."""
        with torch.no_grad():
            for parameter, part in zip(self.parameters, self.views(self.values), strict=True):
                parameter.copy_(part)
        for name, flat in ((_MEAN, self.mean), (_SQUARE, self.square)):
            for state, part in zip(self._states, self.views(flat), strict=True):
                state[name].copy_(part)
        for state in self._states:
            state[_STEP].copy_(self.step)


def _joined(parts: Iterator[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


class _Linear:
    """A linear layer."""

    def __init__(self, values: Iterator[Tensor], grads: Iterator[Tensor]) -> None:
        self.weight, self._bias = next(values), next(values)
        self._transposed = self.weight.t()
        self._grad_weight, self._grad_bias = next(grads), next(grads)

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        return torch.addmm(self._bias, x, self._transposed)

    def backward(self, grad: Tensor) -> None:
        torch.mm(grad.t(), self._x, out=self._grad_weight)
        torch.sum(grad, 0, out=self._grad_bias)


class _Block:
    """Linear layer, batch norm in training, and ReLU."""

    def __init__(
        self, norm: nn.BatchNorm1d, values: Iterator[Tensor], grads: Iterator[Tensor]
    ) -> None:
        self.linear = _Linear(values, grads)
        self.norm = norm
        # Nothing but finite losses may leave a trace in the network.
        self.mean, self.variance = _statistics(norm)
        self._scale, self._shift = next(values), next(values)
        self._grad_scale, self._grad_shift = next(grads), next(grads)

    def forward(self, x: Tensor) -> Tensor:
        norm = self.norm
        self._flat = self.linear.forward(x)
        normed, self._mean, self._deviation = torch.native_batch_norm(
            self._flat,
            self._scale,
            self._shift,
            self.mean,
            self.variance,
            True,
            norm.momentum or 0.0,
            norm.eps,
        )
        self._out = normed.relu_()
        return self._out

    def backward(self, grad: Tensor) -> Tensor:
        """Fills the gradients of the parameters; returns that of the linear layer's output."""
        grad, scale, shift = torch.ops.aten.native_batch_norm_backward(
            torch.ops.aten.threshold_backward(grad, self._out, 0),
            self._flat,
            self._scale,
            self.mean,
            self.variance,
            self._mean,
            self._deviation,
            True,
            self.norm.eps,
            [True, True, True],
        )
        self._grad_scale.copy_(scale)
        self._grad_shift.copy_(shift)
        self.linear.backward(grad)
        return grad

    def write_back(self, steps: int) -> None:
        """Hands the running statistics of so many steps to the network."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.running_mean.copy_(self.mean)
        norm.running_var.copy_(self.variance)
        norm.num_batches_tracked += steps


def _statistics(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Returns copies of the running mean and variance."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean.clone(), norm.running_var.clone()


def _norms(part: nn.Module) -> list[nn.BatchNorm1d]:
    return [module for module in part.modules() if isinstance(module, nn.BatchNorm1d)]


class ActionSteps:
    """Steps of gradient descent on the answers' cross-entropy.

    The network and the optimizer get what is learned from `write_back`, and not before.

    Args:
        network: The action network.
        optimizer: An Adam, whose first group are the network's parameters.
        max_grad_norm: Largest norm of the gradient.
    """

    def __init__(
        self, network: ActionNetwork, optimizer: torch.optim.Optimizer, max_grad_norm: float
    ) -> None:
        self._flat = _Flat(network, optimizer)
        self._group = optimizer.param_groups[0]
        self._max_grad_norm = max_grad_norm
        # In the order of the parameters: embedding, hidden layers, the last.
        values, grads = (
            iter(self._flat.views(flat)) for flat in (self._flat.values, self._flat.grad)
        )
        self._embedding = [_Block(norm, values, grads) for norm in _norms(network.embedding)]
        self._hidden = [_Block(norm, values, grads) for norm in _norms(network.layers)]
        self._last = _Linear(values, grads)
        self._steps = 0

    def step(
        self, inputs: Tensor, memory: Tensor, grad_of_targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Takes a step.

        Args:
            inputs: Encoded inputs, ``(C, input_size)``.
            memory: ``(C, memory_size)``.
            grad_of_targets: What `grads_of_targets` makes of the right answers, ``(C, choices)``.

        Returns:
            What the answers' probabilities were before it, and their logarithms, ``(C, choices)``.
        """
        x = inputs
        for block in self._embedding:
            x = block.forward(x)
        width = x.shape[1]
        x = torch.cat((x, memory), 1)
        for block in self._hidden:
            x = block.forward(x)
        logs = self._last.forward(x).log_softmax(1)
        outputs = logs.exp()
        # d(mean cross-entropy) / d(logits) = (probabilities - one-hot of the target) / C
        grad = torch.add(grad_of_targets, outputs, alpha=1.0 / x.shape[0])
        self._last.backward(grad)
        self._back(grad, width)
        self._descend()
        self._steps += 1
        return outputs, logs

    def _back(self, grad: Tensor, width: int) -> None:
        """Goes back through the blocks; the memory is no more than an input, and ends them.

        Args:
            grad: Of the logits.
            width: Of the input beside the memory.
        """
        above = self._last
        for block in reversed(self._hidden):
            grad = block.backward(grad @ above.weight)
            above = block.linear
        for block in self._embedding:
            block.backward(grad @ above.weight[:, :width])

    def _descend(self) -> None:
        flat, group = self._flat, self._group
        beta1, beta2 = group["betas"]
        # The gradient is divided by it; `clip_grad_norm_` has the same small number.
        excess = (torch.linalg.vector_norm(flat.grad) + 1e-6).div_(self._max_grad_norm)
        excess.clamp_(min=1.0)
        single = excess.dtype == torch.float32
        if not single:  # Adam divides by no other
            flat.grad.div_(excess)
        flat.step.add_(1.0)
        torch._fused_adam_(
            [flat.values],
            [flat.grad],
            [flat.mean],
            [flat.square],
            [],
            [flat.step],
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            grad_scale=excess if single else None,
        )

    def write_back(self) -> None:
        """Hands what was learned to the network and the optimizer."""
        self._flat.write_back()
        for block in (*self._embedding, *self._hidden):
            block.write_back(self._steps)
        self._steps = 0


def grads_of_targets(targets: Tensor, choices: int, dtype: torch.dtype) -> Tensor:
    """Returns what the right answers alone add to the gradient of the logits.

    Args:
        targets: Right answers, ``(T, C)``.
        choices: Number of answers.
        dtype: That of the network.
    """
    grads = torch.zeros(*targets.shape, choices, dtype=dtype, device=targets.device)
    return grads.scatter_(2, targets[..., None], -1.0 / targets.shape[1])
