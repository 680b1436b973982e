"""Every cell of the table, and the toys, in small sizes; inputs and states to try them with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.cells import MemoryCell, make_cell
from agents.cells.state import State, map_state, state_tensors
from tests.agents.cells.toy_cells import TOYS

INPUT_SIZE = 5
# In a batch of another size a product of matrices adds its terms in another order. A step has some
# ten products and quotients in a row, with at most 30 terms of order one: a few hundred roundings.
ROUNDINGS = 1000
ROUNDING = ROUNDINGS * torch.finfo(torch.float64).eps
FAST_SIZES = {"hidden_size": 6, "num_heads": 2, "key_size": 3, "value_size": 4}
TITANS_SIZES = {"hidden_size": 6, "memory_width": 5, "key_size": 3, "value_size": 4}
MNM_SIZES = {"hidden_size": 6, "memory_layers": 2, "memory_width": 4}
NTM_SIZES = {"hidden_size": 6, "memory_size": 5, "word_size": 3}
# The cells of the table, and their options.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("none", {}),
    "lstm": ("lstm", {"hidden_size": 6}),
    "gru": ("gru", {"hidden_size": 6}),
    "memory-net": ("memory-net", {"memory_size": 6}),
    "mingru": ("mingru", {"hidden_size": 6}),
    "lru": ("lru", {"hidden_size": 6, "state_size": 4}),
    "ffm": ("ffm", {"hidden_size": 6, "memory_size": 4, "context_size": 3}),
    "ntm": ("ntm", NTM_SIZES),
    "ntm-many-heads": (
        "ntm",
        NTM_SIZES
        | {"num_read_heads": 2, "num_write_heads": 3, "controller": "feedforward"}
        | {"shift_range": 2, "learned_initial_memory": True},
    ),
    "fwp": ("fwp", FAST_SIZES),
    "fwp-dpfp": ("fwp", FAST_SIZES | {"feature_map": "dpfp"}),
    "delta": ("delta", FAST_SIZES),
    "delta-dpfp": ("delta", FAST_SIZES | {"feature_map": "dpfp", "conv_size": 1}),
    "gated-delta": ("gated-delta", FAST_SIZES),
    "gated-delta-one-head": ("gated-delta", FAST_SIZES | {"num_heads": 1, "conv_size": 2}),
    "titans": ("titans", TITANS_SIZES),
    "titans-matrix": ("titans", TITANS_SIZES | {"memory_layers": 1, "conv_size": 1}),
    "titans-deep": ("titans", TITANS_SIZES | {"memory_layers": 3, "conv_size": 2}),
    "ntm-notebook": ("ntm", NTM_SIZES | {"variant": "notebook"}),
    "dnc": ("dnc", NTM_SIZES),
    "dnc-all-options": (
        "dnc",
        NTM_SIZES
        | {"num_read_heads": 3, "controller": "feedforward", "masks": True}
        | {"deallocation": True, "sharpening": True, "interface_norm": True},
    ),
    "mnm-g": ("mnm-g", MNM_SIZES),
    "mnm-g-options": (
        "mnm-g",
        MNM_SIZES
        | {"num_heads": 3, "rate_per_layer": True, "linear_values": True}
        | {"recall_delay": 2, "recall_decay": 0.5, "normalized_writes": False},
    ),
    "mnm-g-deep": (
        "mnm-g",
        MNM_SIZES
        | {"memory_layers": 3, "num_heads": 3, "rate_per_layer": True, "linear_values": True},
    ),
    "mnm-g-as-printed": ("mnm-g", MNM_SIZES | {"num_heads": 4, "normalized_writes": False}),
    "mnm-g-bare": ("mnm-g", MNM_SIZES | {"memory_layers": 1, "recall_weight": 0.0}),
    "mnm-g-norm": ("mnm-g", MNM_SIZES | {"num_heads": 2, "layer_norm": True}),
    "mnm-g-feedforward": ("mnm-g", MNM_SIZES | {"controller": "feedforward"}),
    "mnm-p": ("mnm-p", MNM_SIZES),
    "mnm-p-options": (
        "mnm-p",
        MNM_SIZES
        | {"memory_layers": 3, "num_heads": 3, "rate_per_layer": False, "linear_values": True}
        | {"recall_delay": 2, "recall_decay": 0.5},
    ),
    "mnm-p-as-printed": (
        "mnm-p",
        MNM_SIZES
        | {"num_heads": 4, "rate_per_layer": False, "linear_values": True}
        | {"normalized_writes": False},
    ),
    "mnm-p-bare": (
        "mnm-p",
        MNM_SIZES | {"memory_layers": 3, "num_heads": 2, "recall_weight": 0.0},
    ),
    "mnm-p-norm": ("mnm-p", MNM_SIZES | {"num_heads": 3, "layer_norm": True}),
    "mnm-p-feedforward": (
        "mnm-p",
        MNM_SIZES | {"num_heads": 2, "layer_norm": True, "controller": "feedforward"},
    ),
    "salu": ("salu", {"hidden_size": 5, "memory_size": 9, "key_size": 3, "value_size": 2}),
    "salu-many-heads": (
        "salu",
        {"hidden_size": 5, "memory_size": 2, "key_size": 2, "value_size": 3, "num_heads": 3},
    ),
    "salu-of-one": ("salu", {"hidden_size": 4, "memory_size": 1, "num_heads": 2}),
    **{
        f"plastic-{rule}": ("plastic", {"hidden_size": 4, "rule": rule})
        for rule in ("hebb", "oja", "clip", "modulated", "retroactive")
    },
    "plastic-homogeneous": ("plastic", {"hidden_size": 4, "homogeneous": True}),
    "framestack": ("framestack", {"stack_size": 3}),
    "framestack-of-one": ("framestack", {"stack_size": 1}),
    "gtrxl": ("gtrxl", {"hidden_size": 6, "num_heads": 2, "memory_size": 2}),
    "gtrxl-one-layer": ("gtrxl", {"hidden_size": 4, "num_layers": 1, "memory_size": 6}),
}
# The toys have states of lists, dicts and integers, losses of their own, gradients in a step.
WITH_TOYS = [*CASES, *(f"toy-{name}" for name in TOYS)]
PATTERNS = ["none", "first", "last", "all", "random"]


def make_case(case: str) -> MemoryCell[Any]:
    """The cell of a case, with the same first weights each time, in float64."""
    torch.manual_seed(0)
    if case.startswith("toy-"):
        toy: Any = TOYS[case.removeprefix("toy-")]
        cell: MemoryCell[Any] = toy(INPUT_SIZE)
    else:
        name, memory_kwargs = CASES[case]
        cell = make_cell(name, INPUT_SIZE, **memory_kwargs)
    return cell.double()


def random_input(*shape: int) -> Tensor:
    return torch.randn(*shape, INPUT_SIZE, dtype=torch.float64, requires_grad=True)


def state_after(cell: MemoryCell[Any], rows: int, steps: int = 3) -> State:
    """A state of a float64 cell that has seen something; with gradients where it may have them."""
    state = cell.initial_state(rows)
    for _ in range(steps):
        _, state = cell(random_input(rows), state)
    return map_state(leaf, state)


def leaf(x: Tensor) -> Tensor:
    """A copy without history, with a gradient where its type has one."""
    return x.detach().clone().requires_grad_(x.is_floating_point())


def converted(state: State, dtype: torch.dtype) -> State:
    """The state whose numbers are of another type; integers stay what they are."""
    return map_state(lambda x: leaf(x.to(dtype) if x.is_floating_point() else x), state)


def differentiable(*nested: Any) -> list[Tensor]:
    """All tensors of outputs, states and losses that may have a gradient."""
    return [x for x in state_tensors(nested) if x.is_floating_point()]


def starts_of(pattern: str, steps: int, rows: int) -> Tensor:
    """Episode starts ``(steps, rows)`` after a pattern of `PATTERNS`."""
    starts = torch.zeros(steps, rows, dtype=torch.bool)
    match pattern:
        case "first":
            starts[0] = True
        case "all":
            starts[:] = True
        case "last":
            starts[-1, rows // 2 :] = True
        case "random":
            starts = torch.rand(steps, rows, generator=torch.Generator().manual_seed(0)) < 0.3
    return starts
