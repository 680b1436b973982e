"""The memory cells over sequences, forward and backward, beside PyTorch's LSTM and another DNC.

What is timed is the unroll of a cell alone: no environment, encoder or optimiser. Backward goes to
parameters and inputs, since an encoder stands below. Nothing restarts within a sequence, because
the peers know no restarts.
"""

import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from agents.cells import CELLS, make_cell
from agents.cells.unroll import unroll
from benchmarks.results import Measurement
from benchmarks.timing import Advance, calls_per_second

INPUT_SIZE, UNITS = 64, 128
ROWS, STEPS = (16, 64, 128), (32, 100)
# The sizes that `dnc` has by default, which the package is given, too.
_SLOTS, _WORD, _READ_HEADS = 32, 16, 2
_REFERENCE = "torch.nn.LSTM"
_PACKAGE = "dnc, the package"

# From inputs `(T, B, INPUT_SIZE)` to outputs and the sum of the cell's own losses.
Run = Callable[[Tensor], tuple[Tensor, Tensor | float]]


@dataclass(frozen=True)
class Contestant:
    """A memory that is measured.

    Attributes:
        name: In the table.
        make: Builds it; returns its parameters, and what runs it over a sequence from its start.
        sizes: For which rows and steps.
        module: What has to be installed.
    """

    name: str
    make: Callable[[], tuple[list[nn.Parameter], Run]]
    sizes: tuple[tuple[int, int], ...] = tuple(itertools.product(ROWS, STEPS))
    module: str = "agents"


def ours(memory: str, **memory_kwargs: Any) -> Callable[[], tuple[list[nn.Parameter], Run]]:
    """Returns what builds one of our cells, and runs it with its own losses."""

    def make() -> tuple[list[nn.Parameter], Run]:
        cell = make_cell(memory, INPUT_SIZE, **memory_kwargs)

        def run(xs: Tensor) -> tuple[Tensor, Tensor | float]:
            starts = torch.zeros(xs.shape[:2], dtype=torch.bool)
            outs, _, losses = unroll(cell, xs, cell.initial_state(xs.shape[1]), starts)
            own = [weight * losses[name].mean() for name, weight in cell.loss_weights.items()]
            return outs, sum(own)

        return list(cell.parameters()), run

    return make


def _torch_lstm() -> tuple[list[nn.Parameter], Run]:
    lstm = nn.LSTM(INPUT_SIZE, UNITS)
    return list(lstm.parameters()), lambda xs: (lstm(xs)[0], 0.0)


def _dnc_package() -> tuple[list[nn.Parameter], Run]:
    dnc = importlib.import_module("dnc").DNC(
        input_size=INPUT_SIZE,
        hidden_size=UNITS,
        num_layers=1,
        num_hidden_layers=1,
        nr_cells=_SLOTS,
        cell_size=_WORD,
        read_heads=_READ_HEADS,
        batch_first=False,
    )
    nothing = (None, None, None)
    return list(dnc.parameters()), lambda xs: (dnc(xs, nothing, reset_experience=True)[0], 0.0)


# A row for each cell, in its default sizes, and one for each size that somebody asks about.
CONTESTANTS = [
    Contestant(_REFERENCE, _torch_lstm),
    *(Contestant(name, ours(name)) for name in CELLS),
    Contestant(_PACKAGE, _dnc_package, module="dnc"),
    Contestant(
        "mnm-p, 200 units, 3 layers of 100, 3 heads",
        ours("mnm-p", hidden_size=200, memory_layers=3, memory_width=100, num_heads=3),
        ((64, 100),),
    ),
]


def measure(
    contestants: list[Contestant], repeats: int, seconds: float, quick: bool = False
) -> tuple[list[Measurement], list[str]]:
    """Measures the contestants in turns, size by size.

    Args:
        contestants: Whom to measure.
        repeats: Measurements of each.
        seconds: The approximate length of one measurement.
        quick: Whether one tiny size is enough for all.

    Returns:
        The measurements, in steps of one row per second, and a note for whoever is left out as not
        installed.
    """
    notes = []
    ready = []
    for contestant in contestants:
        try:
            importlib.import_module(contestant.module)
        except ImportError as error:
            notes.append(f"{contestant.name} is left out: {error}")
            continue
        ready.append((contestant, *contestant.make()))
    sizes = [(2, 3)] if quick else list(dict.fromkeys(s for c in contestants for s in c.sizes))
    found: list[Measurement] = []
    for backward, (rows, steps) in itertools.product((False, True), sizes):
        taking_part = [one for one in ready if quick or (rows, steps) in one[0].sizes]
        xs = torch.randn(steps, rows, INPUT_SIZE, generator=torch.Generator().manual_seed(0))
        xs.requires_grad_(backward)
        advances = [_advance(run, xs, parameters) for _, parameters, run in taking_part]
        rates = calls_per_second(advances, repeats, seconds)
        these = [
            Measurement(
                section=f"{_direction(backward)}, {rows} rows, {steps} steps",
                name=contestant.name,
                variant=f"{sum(p.numel() for p in parameters):,} parameters",
                steps_per_second=[rows * steps * rate for rate in each],
                is_reference=contestant.name == _REFERENCE,
            )
            for (contestant, parameters, _), each in zip(taking_part, rates, strict=True)
        ]
        found += these
        medians = {measurement.name: measurement.median for measurement in these}
        if medians.keys() >= {"dnc", _PACKAGE}:
            ratio = medians["dnc"] / medians[_PACKAGE]
            notes.append(f"{these[0].section}: dnc is {ratio:.1f} times as fast as the package")
    return found, notes


def _direction(backward: bool) -> str:
    return "forward + backward" if backward else "forward"


def _advance(run: Run, xs: Tensor, parameters: list[nn.Parameter]) -> Advance:
    """Runs a sequence a call, and backward where the inputs want a gradient."""

    def advance(calls: int) -> None:
        for _ in range(calls):
            with torch.set_grad_enabled(xs.requires_grad):
                outs, loss = run(xs)
                if xs.requires_grad:
                    total = outs.square().mean() + loss
                    torch.autograd.grad(total, [xs, *parameters], allow_unused=True)

    return advance
