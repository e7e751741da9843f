"""Vector instructions for numba: a run of neighbouring numbers added, with a sign, to several others.

numba cannot be told that two arrays do not overlap, so a loop over a run of 32 numbers costs more checks than
sums. Here the run is loaded into vector registers once and added wherever it has to go.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_REGISTER = 64  # bytes; narrower machines split a vector in two or four
_INT64, _INT32, _INT8 = ir.IntType(64), ir.IntType(32), ir.IntType(8)
# Rows whose fetching from memory starts ahead of use: 1.4 times faster than none, best of 0 to 32.
PREFETCHED = 8


def _lanes(dtype: Any) -> int:
    return int(_REGISTER // (dtype.bitwidth // 8))


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _vector_at(builder: Any, pointer: Any, index: Any, vector: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())


def _prefetch(builder: Any, address: Any, bytes_ahead: Any) -> None:
    pointer = ir.PointerType(_INT8)
    kind = ir.FunctionType(ir.VoidType(), [pointer, _INT32, _INT32, _INT32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    place = builder.inttoptr(builder.add(address, bytes_ahead), pointer)
    reading, keep, data = ir.Constant(_INT32, 0), ir.Constant(_INT32, 3), ir.Constant(_INT32, 1)
    builder.call(function, [place, reading, keep, data])


def _scattering(width: int, name: str) -> Any:
    """Intrinsic of (source address, row stride in bytes, factor, rows, signs, at, count, buffer).

    ``buffer[rows[at + z] * width : ... + width] += signs[at + z] * factor * source[:width]`` for z < count.
    """

    def typed(
        typing_context: Any,
        source: Any,
        stride: Any,
        factor: Any,
        rows: Any,
        signs: Any,
        at: Any,
        count: Any,
        buffer: Any,
    ) -> Any:
        dtype = buffer.dtype
        lanes = _lanes(dtype)
        signature = types.void(types.int64, types.int64, dtype, rows, signs, types.int64, types.int64, buffer)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source, stride, factor, rows, signs, at, count, buffer = args
            number = context.get_value_type(dtype)
            vector = ir.VectorType(number, lanes)
            zero = ir.Constant(vector, ir.Undefined)
            everywhere = ir.Constant(ir.VectorType(_INT32, lanes), [0] * lanes)

            def spread(value: Any) -> Any:
                first = builder.insert_element(zero, value, ir.Constant(_INT32, 0))
                return builder.shuffle_vector(first, zero, everywhere)

            row_data = _data(context, builder, signature.args[3], rows)
            sign_data = _data(context, builder, signature.args[4], signs)
            target = _data(context, builder, signature.args[7], buffer)
            start = builder.inttoptr(source, number.as_pointer())
            factors = spread(factor)
            ahead = builder.mul(stride, ir.Constant(_INT64, PREFETCHED))
            size = dtype.bitwidth // 8
            run = []
            for first in range(0, width, lanes):
                loaded = builder.load(
                    _vector_at(builder, start, ir.Constant(_INT64, first), vector), align=size
                )
                run.append(builder.fmul(loaded, factors))
                _prefetch(builder, source, builder.add(ahead, ir.Constant(_INT64, first * size)))
            with cgutils.for_range(builder, count) as loop:
                place = builder.add(at, loop.index)
                row = builder.sext(builder.load(builder.gep(row_data, [place])), _INT64)
                sign = spread(builder.sitofp(builder.load(builder.gep(sign_data, [place])), number))
                base = builder.mul(row, ir.Constant(_INT64, width))
                for position, loaded in enumerate(run):
                    offset = builder.add(base, ir.Constant(_INT64, position * lanes))
                    pointer = _vector_at(builder, target, offset, vector)
                    product = builder.fmul(loaded, sign, flags=["contract"])
                    total = builder.fadd(builder.load(pointer, align=size), product, flags=["contract"])
                    builder.store(total, pointer, align=size)
            return context.get_dummy_value()

        return signature, codegen

    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


scatter_32 = _scattering(32, "scatter_32")
scatter_16 = _scattering(16, "scatter_16")
