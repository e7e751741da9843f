"""Raw addresses as typed pointers inside numba functions, and the indirect call of a pattern's kernel.

A driver compiled once can so walk patterns and arrays that it knows by address only. Whoever hands an address
to a driver keeps the object behind it alive.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

FLOATS = types.CPointer(types.float64)
INT32S = types.CPointer(types.int32)
INT64S = types.CPointer(types.int64)


def _reinterpreting(result: Any, name: str) -> Any:
    def typed(typing_context: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(result))

        return result(types.int64), codegen

    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


floats_at = _reinterpreting(FLOATS, "floats_at")
int32s_at = _reinterpreting(INT32S, "int32s_at")
int64s_at = _reinterpreting(INT64S, "int64s_at")
untyped_at = _reinterpreting(types.voidptr, "untyped_at")


@intrinsic
def data_of(typing_context: Any, array: Any) -> Any:
    """Pointer to the first element of a contiguous array."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def offset(typing_context: Any, pointer: Any, count: Any) -> Any:
    """Pointer ``count`` elements further on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), codegen


@intrinsic
def address_of(typing_context: Any, pointer: Any) -> Any:
    """The pointer as an integer."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], ir.IntType(64))

    return types.int64(pointer), codegen


@intrinsic
def call_kernel(typing_context: Any, address: Any, count: Any, inputs: Any, out: Any) -> Any:
    """Call the kernel at ``address`` with the addresses of its inputs; `kernel_source` describes the rest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer, pointer = ir.IntType(64), ir.DoubleType().as_pointer()
        function = ir.FunctionType(ir.VoidType(), [integer, pointer.as_pointer(), pointer])
        callee = builder.inttoptr(args[0], function.as_pointer())
        inputs, out = builder.bitcast(args[2], pointer.as_pointer()), builder.bitcast(args[3], pointer)
        builder.call(callee, [args[1], inputs, out])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, INT64S, FLOATS), codegen
