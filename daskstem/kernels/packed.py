"""Packed chunks unpacked and put into place, many in one call.

Between two calls of compiled code a thread must get hold of Python's lock again, and waits for
the other threads: two that read and summed chunk by chunk were 1.3 times as fast as one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from daskstem.kernels.compiled import kernel
from daskstem.kernels.planes import WORD, join_planes


# With reading, 16 patterns of 128 x 128 pixels a chunk: 10 us a pattern, two threads 5.3; with
# Python between the chunks 10 and 7.4 to 9.5.
@kernel()
def unpack_chunks(
    decompress: int, content: np.ndarray, places: np.ndarray, plane_bytes: np.ndarray,
    room: np.ndarray, chunk: np.ndarray, fill: int, boxes: np.ndarray, shapes: np.ndarray,
    out: np.ndarray,
) -> int:  # fmt: skip
    """Unpack chunks and write what is wanted of each to its place.

    Parameters
    ----------
    decompress
        Address of a C function ``int f(void *source, void *target, size_t size, int threads)``
        that returns the bytes it wrote, or a negative number.
    content : (B,) uint8
        Packed chunks.
    places : (N, 2) int64
        Where each begins in there, and its length; what begins at -1 is fill values.
    plane_bytes : (N,) int64
        Length of the blocks of planes of bits that a chunk is unpacked to, as
        ``join_planes`` takes them; 0 if it is unpacked to its values.
    room : (M,) uint64
        Changed; as many bytes as a chunk, or up to 7 more.
    chunk : (C,) unsigned integers
        A chunk's values; changed.
    fill
        The fill value, of the same dtype.
    boxes : (N, D, 3) int64
        What is wanted of each: where it begins in the chunk, where in ``out``, its lengths.
    shapes : (2, D) int64
        Shapes of a chunk and of ``out``.
    out : (O,) of the dtype of ``chunk``
        Changed in place.

    Returns
    -------
    The number of chunks before the first that cannot be unpacked: N if all can.
    """
    n_bytes = chunk.size * chunk.itemsize
    plain, planes = room.view(chunk.dtype), room[: n_bytes // 8]
    # of an unsigned and a signed number numba makes a float
    packed_at, room_at = np.int64(content.ctypes.data), np.int64(room.ctypes.data)
    for n in range(len(places)):
        begin = places[n, 0]
        if begin < 0:
            plain[:] = fill
        elif _call(decompress, packed_at + begin, room_at, n_bytes) != n_bytes:
            return n
        rows, length, unit = _rows(boxes[n], shapes)
        in_planes = begin >= 0 and plane_bytes[n] > 0
        if in_planes and unit % WORD != 0:
            # rows begin between two words: the chunk is put together by itself
            join_planes(planes, plane_bytes[n] // 8, 0, chunk)
        for row in range(rows):
            source, target = _place(row, boxes[n], shapes)
            values = out[target : target + length]
            if not in_planes:
                values[:] = plain[source : source + length]
            elif unit % WORD == 0:
                join_planes(planes, plane_bytes[n] // 8, source, values)
            else:
                values[:] = chunk[source : source + length]
    return len(places)


@kernel()
def _rows(box: np.ndarray, shapes: np.ndarray) -> tuple[int, int, int]:
    """Return how many rows without gaps a box has, their length, and what divides it."""
    first = _first_whole(box, shapes)
    rows = unit = 1
    for axis in range(len(box)):
        if axis < first - 1:
            rows *= box[axis, 2]
        elif axis >= first:
            unit *= box[axis, 2]
    return rows, unit * box[first - 1, 2], unit


@kernel()
def _place(row: int, box: np.ndarray, shapes: np.ndarray) -> tuple[int, int]:
    """Return where a row of a box begins in the chunk, and in ``out``."""
    first = _first_whole(box, shapes)
    source = target = 0
    step = out_step = 1
    for axis in range(len(box) - 1, -1, -1):
        i = 0
        if axis < first - 1:
            i = row % box[axis, 2]
            row //= box[axis, 2]
        source += (box[axis, 0] + i) * step
        target += (box[axis, 1] + i) * out_step
        step *= shapes[0, axis]
        out_step *= shapes[1, axis]
    return source, target


@kernel()
def _first_whole(box: np.ndarray, shapes: np.ndarray) -> int:
    """Return the first dimension from which on the box is all of the chunk and of ``out``."""
    first = len(box)
    while first > 1 and box[first - 1, 2] == shapes[0, first - 1] == shapes[1, first - 1]:
        first -= 1
    return first


@intrinsic
def _call(
    _: Any, function: Any, source: Any, target: Any, size: Any
) -> tuple[Any, Callable[..., Any]]:
    """Call the C function at an address, with two addresses, a size, and one thread."""
    given = (function, source, target, size)
    if not all(isinstance(one, types.Integer) for one in given):
        raise TypingError(f"addresses and sizes are integers, not {given}")

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        pointer, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
        of = ir.FunctionType(integer, [pointer, pointer, ir.IntType(64), integer])
        address, *places, length = values
        found = builder.inttoptr(address, of.as_pointer())
        places = [builder.inttoptr(place, pointer) for place in places]
        return builder.call(found, [*places, length, ir.Constant(integer, 1)])

    return types.int32(types.int64, types.int64, types.int64, types.int64), generate
