"""Vectors of float32 that stay in registers, for the innermost loops of kernels.

The compiler makes vector code of simple loops by itself, but not of loops that keep many
sums at once. Prefilter and similarity of patterns of 192 x 192 pixels take 190 us a position
with these, 260 with the best loops that the compiler was given. A vector is a local variable of
a kernel: it cannot be kept in an array, and only ``load`` and ``store`` go to memory.
"""

from collections.abc import Callable
from math import prod
from typing import Any, Final

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from daskstem.kernels.compiled import kernel

LANES: Final = 16 if binding.get_host_cpu_features().get("avx512f") else 8
"""Values in a vector: as many as the processor's registers hold."""
LINE_PX: Final = 16
"""Values in a line of the cache. Vectors that cross lines take twice the time to load."""

_LLVM: Final = ir.VectorType(ir.FloatType(), LANES)


class Vector(types.Type):
    """The type of ``LANES`` values of float32."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector({LANES})")


_VECTOR: Final = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _LLVM)


@intrinsic
def load(_: Any, array: Any, index: Any) -> tuple[Any, Callable[..., Any]]:
    """Return array[index : index + LANES], contiguous, as float32; bounds are not checked."""
    dtype = _contiguous(array).dtype

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        own = ir.VectorType(context.get_data_type(dtype), LANES)
        place = _place(context, builder, signature, values, own)
        found = builder.load(place, align=dtype.bitwidth // 8)
        if dtype == types.float32:
            return found
        if isinstance(dtype, types.Float):
            return builder.fptrunc(found, _LLVM)
        convert = builder.sitofp if dtype.signed else builder.uitofp
        return convert(found, _LLVM)

    return _VECTOR(array, types.intp), generate


@intrinsic
def store(_: Any, array: Any, index: Any, vector: Any) -> tuple[Any, Callable[..., Any]]:
    """Write a vector to array[index : index + LANES], float32; bounds are not checked."""
    if _contiguous(array).dtype != types.float32:
        raise TypeError(f"vectors are stored in arrays of float32, this is {array}")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _place(context, builder, signature, values, _LLVM), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), generate


@intrinsic
def splat(_: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """Return a vector of one value."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        undefined, integers = ir.Constant(_LLVM, ir.Undefined), ir.IntType(32)
        first = builder.insert_element(undefined, values[0], integers(0))
        everywhere = ir.Constant(ir.VectorType(integers, LANES), [0] * LANES)
        return builder.shuffle_vector(first, undefined, everywhere)

    return _VECTOR(types.float32), generate


@intrinsic
def plus(_: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """Return a + b."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fadd(*values)

    return _VECTOR(_VECTOR, _VECTOR), generate


@intrinsic
def times(_: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """Return a * b."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fmul(*values)

    return _VECTOR(_VECTOR, _VECTOR), generate


@intrinsic
def multiply_add(_: Any, a: Any, b: Any, c: Any) -> tuple[Any, Callable[..., Any]]:
    """Return a * b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_LLVM, [_LLVM] * 3)
        name = f"llvm.fma.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR), generate


@intrinsic
def total(_: Any, vector: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the sum of a vector's values, float32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), _LLVM])
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        add = cgutils.get_or_insert_function(builder.module, kind, name)
        # pairs first: in the order of the lanes each addition would wait for the one before
        return builder.call(add, [ir.FloatType()(0.0), values[0]], fastmath=("reassoc",))

    return types.float32(_VECTOR), generate


@intrinsic
def add_totals(_: Any, array: Any, index: Any, vectors: Any) -> tuple[Any, Callable[..., Any]]:
    """Add the sum of vectors[k] to array[index + k], for a tuple of 16 vectors."""
    if vectors != types.UniTuple(_VECTOR, 16):
        raise TypeError(f"the totals of 16 vectors are taken at once, this is {vectors}")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature, values, _LLVM)
        for number in range(16 // LANES):
            own = [builder.extract_value(values[2], number * LANES + k) for k in range(LANES)]
            to = builder.gep(place, [ir.IntType(32)(number)])
            old = builder.load(to, align=4)
            builder.store(builder.fadd(old, _totals(builder, own)), to, align=4)
        return context.get_dummy_value()

    return types.void(_contiguous(array), types.intp, vectors), generate


def _totals(builder: Any, vectors: list[Any]) -> Any:
    """Return the vector of the sums of ``LANES`` vectors.

    Two by two they become one vector that holds half as many parts of each sum: 30 shuffles
    and 15 additions for 16 sums, where one by one they take 64 of each.
    """
    parts = LANES
    while len(vectors) > 1:
        # in two vectors side by side, each sum's parts lie next to each other
        starts = range(0, 2 * LANES, parts)
        low = [start + part for start in starts for part in range(parts // 2)]
        high = [place + parts // 2 for place in low]
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [
            builder.fadd(_picked(builder, a, b, low), _picked(builder, a, b, high))
            for a, b in pairs
        ]
        parts //= 2
    return vectors[0]


def _picked(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)
    return builder.shuffle_vector(a, b, mask)


def _contiguous(array: Any) -> Any:
    """Refuse other arrays when a kernel is compiled."""
    if not (isinstance(array, types.Array) and array.layout == "C"):
        raise TypeError(f"vectors are loaded from contiguous arrays, this is {array}")
    return array


def _place(context: Any, builder: Any, signature: Any, values: Any, of: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]]), of.as_pointer())


@kernel()
def _from_line(held: np.ndarray) -> np.ndarray:
    return held[-(held.ctypes.data // 4) % LINE_PX :]


@kernel()
def aligned(size: int) -> np.ndarray:
    """Return memory for ``size`` float32, not cleared, that begins with a line of the cache."""
    return _from_line(np.empty(size + LINE_PX, np.float32))[:size]


def aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros, float32, that begin with a line of the cache; for large arrays.

    NumPy asks the system for large pages, which compiled code does not.
    """
    size = prod(shape)
    held: np.ndarray = _from_line(np.zeros(size + LINE_PX, np.float32))
    return held[:size].reshape(shape)


@kernel()
def apart(size: int) -> int:
    """Return how far rows of ``size`` values should lie apart, in values.

    At least two vectors more than the row, whole lines, and an odd number of them: rows a
    power of two apart would share few places of the cache.
    """
    lines = (size + LINE_PX - 1) // LINE_PX + 2
    return int((lines + 1 - lines % 2) * LINE_PX)
