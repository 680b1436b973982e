"""Vectors in compiled kernels: sixteen numbers that are held in registers.

The compiler makes vector instructions of plain loops by itself, and does well where loops are
long. A short one it begins with a check that no array overlaps another, and ends with the numbers
that are left over, one by one; and sums that grow in an outer loop it takes from memory and puts
back each time. Kernels in which this costs most say themselves what stays in registers. They need
no special processor: where its registers are shorter, the compiler takes several for a vector.

Rows are contiguous float32 arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, overload, register_model

LANES = 16

# An intrinsic is called without its first argument; no type checker knows that.
_inlined: Callable[[Callable[..., Any]], Any] = intrinsic

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
# As in `agents.cells.parts.kernels.compiled`.
_FLAGS = ("reassoc", "contract", "nsz")


class Lanes(types.Type):
    """Numba's type of a vector."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes({LANES})")


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    """A vector is one of LLVM's."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)  # type: ignore[no-untyped-call]  # Numba's


_lanes = Lanes()


def _pointer(context: Any, builder: Any, kind: Any, row: Any, place: Any) -> Any:
    numbers = context.make_array(kind)(context, builder, row).data
    return builder.bitcast(builder.gep(numbers, [place]), _FLOATS.as_pointer())


@_inlined
def load(_: Any, row: Any, place: Any) -> Any:
    """Returns the numbers of a row from a place on."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], *given), align=4)

    return _lanes(row, types.intp), generate


@_inlined
def store(_: Any, row: Any, place: Any, x: Any) -> Any:
    """Writes a vector to a row from a place on."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *given[:2])
        builder.store(given[2], pointer, align=4)
        return context.get_dummy_value()

    return types.none(row, types.intp, _lanes), generate


@_inlined
def spread(_: Any, number: Any) -> Any:
    """Returns a vector of one number."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        nothing = ir.Constant(_FLOATS, ir.Undefined)
        first = builder.insert_element(nothing, given[0], ir.IntType(32)(0))
        return builder.shuffle_vector(first, nothing, ir.Constant(_INTEGERS, [0] * LANES))

    return _lanes(types.float32), generate


@_inlined
def keep_last(_: Any, x: Any, count: Any) -> Any:
    """Returns a vector with zero in the place of all numbers but the last ones."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        nothing = ir.Constant(_INTEGERS, ir.Undefined)
        first = builder.trunc(builder.sub(given[1].type(LANES), given[1]), ir.IntType(32))
        first = builder.insert_element(nothing, first, ir.IntType(32)(0))
        first = builder.shuffle_vector(first, nothing, ir.Constant(_INTEGERS, [0] * LANES))
        kept = builder.icmp_signed(">=", ir.Constant(_INTEGERS, list(range(LANES))), first)
        return builder.select(kept, given[0], ir.Constant(_FLOATS, [0.0] * LANES))

    return _lanes(_lanes, types.intp), generate


def _arithmetic(name: str) -> Callable[..., Any]:
    @_inlined
    def of_vectors(_: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return getattr(builder, name)(*given, flags=_FLAGS)

        return _lanes(_lanes, _lanes), generate

    def choose(x: Any, y: Any) -> Callable[..., Any] | None:
        def vectors(x: Any, y: Any) -> Any:
            return of_vectors(x, y)

        def number_and_vector(x: Any, y: Any) -> Any:
            return of_vectors(spread(x), y)

        if isinstance(y, Lanes):
            return vectors if isinstance(x, Lanes) else number_and_vector
        return None

    return choose


# Vectors are added, subtracted and multiplied number by number; a number may stand before one.
overload(operator.add, inline="always")(_arithmetic("fadd"))
overload(operator.iadd, inline="always")(_arithmetic("fadd"))
overload(operator.sub, inline="always")(_arithmetic("fsub"))
overload(operator.mul, inline="always")(_arithmetic("fmul"))
