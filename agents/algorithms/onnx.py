"""A trained policy as an ONNX file, for programs that have no PyTorch."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from agents.algorithms.model import MemoryModel
from agents.cells.state import State, map_state, state_tensors, where_state
from agents.networks.distributions import DiscreteHead
from agents.networks.policy import MemoryPolicy
from agents.saving.atomic import whole_file
from memory_envs.arguments import shown

# Of the example that is exported. With one row, its number would become part of the graph.
_ROWS = 2


def export_onnx(model: MemoryModel, path: str | Path) -> Path:
    """Writes one step of a model's policy to an ONNX file; any number of rows B at once.

    Its inputs are ``observation`` (of a `Dict`, one for each key, such as ``observation.image``),
    ``episode_start``, ``(B,)`` bool, and the memory's state, one input for each of its tensors,
    such as ``state.actor.hidden``. A row whose episode starts takes nothing from the state it is
    given: zeros will do. The outputs are ``action``, the most probable one, as the environment
    takes it; the parameters of the actions' distribution, ``logits`` of all choices side by side or
    ``mean`` and ``log_std``; ``value``, ``(B,)``; and the next state, such as
    ``next_state.actor.hidden``.

    Args:
        model: A model whose policy is a `MemoryPolicy`.
        path: The file; ``.onnx`` is added to a name without a suffix.

    Returns:
        The path written.

    Raises:
        ImportError: If what the extra ``onnx`` installs is missing.
        TypeError: If the model's policy is of another kind.
    """
    if not isinstance(model.policy, MemoryPolicy):
        kind = type(model.policy).__name__
        raise TypeError(f"model is {shown(model)}, with a {kind}; allowed: with a MemoryPolicy")
    if find_spec("onnxscript") is None:
        raise ImportError("export_onnx needs onnxscript: pip install 'memory-envs[onnx]'")
    path = Path(path)
    path = path if path.suffix else path.with_suffix(".onnx")
    step = _Step(copy.deepcopy(model.policy).cpu()).eval()
    example = step.example()
    batch = torch.export.Dim("batch")
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            step,
            tuple(example.values()),
            input_names=list(example),
            output_names=step.output_names(),
            dynamic_shapes=(tuple({0: batch} for _ in example),),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        with whole_file(path) as temporary:
            program.save(temporary)
    return path


class _Step(nn.Module):
    """A step of a policy, from tensors to tensors.

    Args:
        policy: The policy, on the CPU.
    """

    def __init__(self, policy: MemoryPolicy) -> None:
        super().__init__()
        self.policy = policy
        space = policy.observation_space
        self.keys = list(space) if isinstance(space, spaces.Dict) else None
        self.state_names = _names(policy.initial_state(1), "")
        self.discrete = isinstance(policy.action_head, DiscreteHead)

    def example(self) -> dict[str, Tensor]:
        """Returns inputs by their names."""
        space, start = self.policy.observation_space, torch.ones(_ROWS, dtype=torch.bool)
        one = space.sample()
        parts: dict[str, Any] = {"observation": one}
        if self.keys is not None:
            parts = {f"observation.{key}": one[key] for key in self.keys}
        seen = {name: torch.stack([torch.as_tensor(part)] * _ROWS) for name, part in parts.items()}
        # Copies, as one tensor that stands for two parts of a state would become one input.
        state = [part.clone() for part in state_tensors(self.policy.initial_state(_ROWS))]
        names = [f"state{name}" for name in self.state_names]
        return {**seen, "episode_start": start, **dict(zip(names, state, strict=True))}

    def output_names(self) -> list[str]:
        """Returns the names of what `forward` returns."""
        parameters = ["logits"] if self.discrete else ["mean", "log_std"]
        return ["action", *parameters, "value", *(f"next_state{n}" for n in self.state_names)]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Takes the step."""
        policy, head, given = self.policy, self.policy.action_head, iter(inputs)
        obs: Any = next(given) if self.keys is None else {key: next(given) for key in self.keys}
        starts = next(given)
        initial = policy.initial_state(starts.shape[0])
        state = where_state(starts, initial, map_state(lambda _: next(given), initial))
        features, judged, after = policy.features(obs, state, None)
        scores = policy.actor(features)
        actions = head(scores).mode()
        if isinstance(head, DiscreteHead):
            actions, parameters = actions + torch.as_tensor(head.start), [scores]
        else:
            low, high = torch.as_tensor(head.low), torch.as_tensor(head.high)
            actions, parameters = actions.clamp(low, high), [scores, head.log_std.clone()]
        return (actions, *parameters, policy.critic(judged), *state_tensors(after))


def _names(state: State, prefix: str) -> list[str]:
    """The names of a state's tensors, in the order of `state_tensors`, such as ".actor.hidden"."""
    if isinstance(state, Tensor):
        return [prefix]
    if isinstance(state, dict):
        parts = list(state.items())
    else:
        parts = list(zip(getattr(state, "_fields", range(len(state))), state, strict=True))
    return [name for key, part in parts for name in _names(part, f"{prefix}.{key}")]


@contextmanager
def _quietly() -> Iterator[None]:
    """Keeps what PyTorch's exporter warns and logs of its own parts from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
