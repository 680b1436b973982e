"""What MNM's compiled kernels are given and leave behind.

Shapes: T steps, B rows, U units, G = 4 * U gates, L layers of D units, H heads, Q queries,
V = (3 * H + 1) * D numbers in the interaction vectors. Queries are the read keys and, where the
meta objective is computed, the write keys after them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.cells.parts.kernels import Bools, Floats

Ints = npt.NDArray[np.int64]


class Switches(NamedTuple):
    """Options of the cell that change what a step does.

    Attributes:
        linear_values: Whether the memory's last layer has no tanh.
        normalized_writes: Whether a layer's step is divided by the squared length of what it sees.
        by_gradient: Whether errors are those of MNM-g (equation 3), or of MNM-p (equation 4).
        error_scale: What MNM-g multiplies the errors of the values by.
        standardised: Whether the interface sees hidden states of mean 0 and variance 1.
    """

    linear_values: bool
    normalized_writes: bool
    by_gradient: bool
    error_scale: np.float32
    standardised: bool


class Traces(NamedTuple):
    """What one row's step leaves behind.

    Attributes:
        vectors: The interaction vectors, ``(3 * H + 1, D)``: read keys, write keys, values, rate.
        targets: What the backward functions of all layers but the last say, ``(H, L - 1, D)``; in
            MNM-g, which has none, ``(H, 0, D)``.
        passed: What comes down to the layers of the error of the values, before it passes their
            tanh, ``(L, H, D)``; in MNM-p, where nothing does, ``(0, H, D)``.
        rates: ``(L,)``, or ``(1,)`` where layers share one.
        written: What the write keys bring forth before the write, ``(L, H, D)``.
        queried: What the queries bring forth after it, ``(L, Q, D)``.
    """

    vectors: Floats
    targets: Floats
    passed: Floats
    rates: Floats
    written: Floats
    queried: Floats


class Weights(NamedTuple):
    """What all rows share.

    Matrices are ``(outputs, inputs)``. Forward all but that of the rates are transposed, as
    `add_packed_product` wants them.

    Attributes:
        recurrent: From what enters a step to the gates, ``(G, E)``.
        interface: From the hidden state to the interaction vectors, ``(V, U)``.
        interface_bias: ``(V,)``.
        rate: From the rate vector to the rates, ``(L, D)`` or ``(1, D)``.
        rate_bias: ``(L,)`` or ``(1,)``.
        feedback: The backward functions, one below the other, ``((L - 1) * D, D)``; in MNM-g, which
            has none, ``(0, D)``.
        feedback_bias: ``((L - 1) * D,)`` or ``(0,)``.
        initial_memory: ``(L, D, D)``.
    """

    recurrent: Floats
    interface: Floats
    interface_bias: Floats
    rate: Floats
    rate_bias: Floats
    feedback: Floats
    feedback_bias: Floats
    initial_memory: Floats


class Record(NamedTuple):
    """What the steps leave behind: ``(T, B)``, and for each what is said here.

    Attributes:
        starts: Whether an episode starts.
        endings: Index in `ended` of the memory that a start replaces.
        ended: Memories of the episodes that end before the last step, ``(n, L, D, D)`` in all.
        entering: What enters the step, the last of what left the one before, ``(E,)``.
        gates: First what the input adds to the gates, then what leaves them, ``(G,)``.
        cells: The cell state that enters, ``(U,)``; there are T + 1 of them.
        tanh_cells: The hyperbolic tangent of the one that leaves, ``(U,)``.
        outs: The hidden state and the read that leave the step, ``(U + D,)``.
        vectors: See `Traces`, ``(3 * H + 1, D)``.
        targets: See `Traces`, ``(H, L - 1, D)`` or ``(H, 0, D)``.
        passed: See `Traces`, ``(0, H, D)`` or ``(L, H, D)``.
        rates: See `Traces`, ``(L,)`` or ``(1,)``.
        written: See `Traces`, ``(L, H, D)``.
        queried: See `Traces`, ``(L, Q, D)``.
        missed: The meta objective, or zero where its queries are not made.
    """

    starts: Bools
    endings: Ints
    ended: Floats
    entering: Floats
    gates: Floats
    cells: Floats
    tanh_cells: Floats
    outs: Floats
    vectors: Floats
    targets: Floats
    passed: Floats
    rates: Floats
    written: Floats
    queried: Floats
    missed: Floats


class Gradients(NamedTuple):
    """Gradients by what a record holds, and by states.

    Attributes:
        outs: Given; what comes from the step after is added.
        missed: Given.
        cell: By the cell state that leaves the last step, ``(B, U)``; becomes that by the first.
        memory: Likewise by the memory, ``(B, L, D, D)``.
        entering: Takes that by what enters the first step, ``(B, E)``.
        gates: Takes that by what enters the gates.
        vectors: Given as zero; takes that by the interaction vectors before their tanh.
        targets: Takes that by the targets before their tanh.
        rates: Given as zero; takes that by the rates before their sigmoid.
    """

    outs: Floats
    missed: Floats
    cell: Floats
    memory: Floats
    entering: Floats
    gates: Floats
    vectors: Floats
    targets: Floats
    rates: Floats
