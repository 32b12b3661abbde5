"""Vectors of float32 that stay in registers, for the innermost loops of kernels.

The compiler makes vector code of simple loops by itself, but not of loops that keep many
sums at once. Prefilter and similarity over all of 192 x 192 pixels took 190 us a position
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
PAGE_PX: Final = 2**19
"""Values in a large page of memory, 2 MiB."""

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
    """Return the sum of a vector's values, added up in float64."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        double = ir.DoubleType()
        wide = ir.VectorType(double, LANES)
        kind = ir.FunctionType(double, [double, wide])
        name = f"llvm.vector.reduce.fadd.v{LANES}f64"
        add = cgutils.get_or_insert_function(builder.module, kind, name)
        # pairs first: in the order of the lanes each addition would wait for the one before
        own = builder.fpext(values[0], wide)
        return builder.call(add, [double(0.0), own], fastmath=("reassoc",))

    return types.float64(_VECTOR), generate


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


@intrinsic
def transpose(
    _: Any, source: Any, at: Any, step: Any, out: Any, to: Any, line: Any
) -> tuple[Any, Callable[..., Any]]:
    """Write the square that begins at source[at], float32, with columns as rows to out[to].

    It has ``LANES`` rows of ``LANES`` values, ``step`` apart, and ``line`` apart when they are
    written; bounds are not checked.
    """
    for array in (source, out):
        if _contiguous(array).dtype != types.float32:
            raise TypeError(f"squares of float32 are transposed, this is {array}")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def rows(number: int) -> list[Any]:
            first = _place(context, builder, signature, values, _LLVM, number)
            first = builder.bitcast(first, ir.FloatType().as_pointer())
            apart, index = values[number + 2], values[number + 2].type
            places = [builder.gep(first, [builder.mul(apart, index(k))]) for k in range(LANES)]
            return [builder.bitcast(place, _LLVM.as_pointer()) for place in places]

        vectors = [builder.load(place, align=4) for place in rows(0)]
        for place, vector in zip(rows(3), _transposed(builder, vectors), strict=True):
            builder.store(vector, place, align=4)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, out, types.intp, types.intp), generate


def _transposed(builder: Any, vectors: list[Any]) -> list[Any]:
    """Return as vectors what stands at the same place of each of ``LANES`` vectors.

    Squares of half the size change places, then squares of a quarter within them.
    """
    side = LANES // 2
    while side:
        low = [lane if not lane & side else LANES + lane - side for lane in range(LANES)]
        high = [lane + side if not lane & side else LANES + lane for lane in range(LANES)]
        for first in (row for row in range(LANES) if not row & side):
            a, b = vectors[first], vectors[first + side]
            vectors[first] = _picked(builder, a, b, low)
            vectors[first + side] = _picked(builder, a, b, high)
        side //= 2
    return vectors


def _picked(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)
    return builder.shuffle_vector(a, b, mask)


def _contiguous(array: Any) -> Any:
    """Refuse other arrays when a kernel is compiled."""
    if not (isinstance(array, types.Array) and array.layout == "C"):
        raise TypeError(f"vectors are loaded from contiguous arrays, this is {array}")
    return array


def _place(
    context: Any, builder: Any, signature: Any, values: Any, of: Any, number: int = 0
) -> Any:
    """Return where in the array that is argument ``number`` the index that follows points."""
    array = context.make_array(signature.args[number])(context, builder, values[number])
    return builder.bitcast(builder.gep(array.data, [values[number + 1]]), of.as_pointer())


@kernel()
def aligned(size: int) -> np.ndarray:
    """Return memory for ``size`` float32, not cleared, that begins with a line of the cache."""
    held = np.empty(size + LINE_PX, np.float32)
    start = -(held.ctypes.data // 4) % LINE_PX
    return held[start : start + size]


def aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros, float32, that begin with a large page of memory.

    For what is read here and there: the processor remembers where 96 pages lie, so that
    patterns of 96 neighbors on small ones take a third longer to add. NumPy asks the system for
    large pages from 4 MiB on, compiled code never; what is not touched takes no memory.
    """
    size = prod(shape)
    held = np.zeros(max(size, PAGE_PX) + PAGE_PX, np.float32)
    start = -(held.ctypes.data // 4) % PAGE_PX
    return held[start : start + size].reshape(shape)


@kernel()
def apart(size: int) -> int:
    """Return how far rows of ``size`` values should lie apart, in values.

    At least two vectors more than the row, whole lines, and an odd number of them: rows a
    power of two apart would share few places of the cache.
    """
    lines = (size + LINE_PX - 1) // LINE_PX + 2
    return int((lines + 1 - lines % 2) * LINE_PX)
