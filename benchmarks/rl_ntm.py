"""Updates of `RLNTM` at the paper's size: batches of 200, 30 steps, 25 units, windows of 5 cells.

Three contestants for each controller: training as it is; training with the plain unroll, whose
graph PyTorch keeps; and the matrix products of an update alone, if all rows ran to the
end.
"""

from collections.abc import Callable
from typing import ClassVar

import torch

from agents import RLNTM, make_vec_env
from agents.algorithms.rl_ntm.backend import Backend
from agents.algorithms.rl_ntm.fast import FAST
from agents.algorithms.rl_ntm.unroll import PlainUnroll
from benchmarks.results import Measurement
from benchmarks.timing import Advance, calls_per_second
from benchmarks.updates import learn_updates

ASKED = 2000.0  # episodes per second
_ENV = "Tape-ForwardReverse-Hard-v0"
_BATCH, _STEPS, _UNITS, _RADIUS, _CELLS = 200, 30, 25, 2, 30
_CONTROLLERS = ("lstm", "direct_access")


class PlainRLNTM(RLNTM):
    """With the plain unroll."""

    cpu_backend: ClassVar[Backend] = FAST._replace(unroll=PlainUnroll)


def make_model(kind: type[RLNTM], controller: str) -> RLNTM:
    """A model that is ready to learn."""
    env = make_vec_env(
        _ENV,
        _BATCH,
        seed=0,
        max_length=_STEPS // 2,
        max_steps=_STEPS,
        input_radius=_RADIUS,
        forced_emission=True,
        on_error="continue",
    )
    policy = {
        "controller": controller,
        "hidden_size": _UNITS,
        "baseline_size": _UNITS,
        "memory_size": _CELLS,
        "memory_radius": _RADIUS,
    }
    return kind("RLNTMPolicy", env, 1e-4, policy_kwargs=policy, seed=0, device="cpu")


def training(kind: type[RLNTM], controller: str) -> Advance:
    """Calls are updates: 200 whole episodes and a gradient step."""
    model = make_model(kind, controller)

    def advance(calls: int) -> None:
        learn_updates(model, calls)

    return advance


def products(controller: str) -> Advance:
    """Calls are the matrix products of an update, forward and backward."""
    policy = make_model(RLNTM, controller).policy
    network = policy.controller
    rows, width = network.weight_in.shape
    read, outputs = len(network.weight_read), network.weight_out.shape[1]
    tape = _STEPS // 2 + 1  # the offline baseline reads it first
    every, each = _BATCH * _STEPS, _BATCH
    gates = 4 * _UNITS
    shapes = [
        # The controller, step by step: from memory, state and output layer, and back.
        *[(each, read + _UNITS, width), (each, _UNITS, outputs)] * _STEPS,
        *[(each, outputs, _UNITS), (each, width, read + _UNITS)] * _STEPS,
        # Its weights, all steps at once.
        *[(rows, every, width), (read + _UNITS, every, width), (_UNITS, every, outputs)],
        # The baseline's inputs and their weights.
        *[(every, rows + read, _UNITS), (rows + read, every, _UNITS)],
        *[(each * (tape + _STEPS), _UNITS + 2, gates)] * 3,
        # Its recurrence, forward, backward, and the weights.
        *[(each, _UNITS, gates), (each, gates, _UNITS)] * (tape + _STEPS),
        (_UNITS, each * (tape + _STEPS), gates),
    ]
    pairs = [(torch.ones(m, k), torch.ones(k, n)) for m, k, n in shapes]

    def advance(calls: int) -> None:
        for _ in range(calls):
            for left, right in pairs:
                torch.mm(left, right)

    return advance


def measure(repeats: int, seconds: float) -> tuple[list[Measurement], list[str]]:
    """Measure all in turns, with one thread of PyTorch and with its default.

    Returns:
        The measurements, in episodes per second, and notes on them.
    """
    makers: dict[str, Callable[[str], Advance]] = {
        "RLNTM": lambda controller: training(RLNTM, controller),
        "RLNTM, plain unroll": lambda controller: training(PlainRLNTM, controller),
        "matrix products alone": products,
    }
    default = torch.get_num_threads()
    found: list[Measurement] = []
    notes: list[str] = []
    try:
        for threads in sorted({1, default}):
            torch.set_num_threads(threads)
            for controller in _CONTROLLERS:
                advances = [make(controller) for make in makers.values()]
                rates = calls_per_second(advances, repeats, seconds)
                section = f"{controller}, {threads} thread{'s'[: threads - 1]}"
                these = [
                    Measurement(section, name, "", [rate * _BATCH for rate in each])
                    for name, each in zip(makers, rates, strict=True)
                ]
                found += these
                notes.append(_note(*these))
    finally:
        torch.set_num_threads(default)
    return found, notes


def _note(ours: Measurement, plain: Measurement, products: Measurement) -> str:
    verdict = "reached" if ours.median >= ASKED else "missed"
    return (
        f"{ours.section}: {ours.median / _BATCH:.1f} updates a second, {ASKED:,.0f} episodes a "
        f"second {verdict}; {ours.median / plain.median:.1f} times the plain unroll; matrix "
        f"products take {ours.median / products.median:.0%} of the time"
    )
