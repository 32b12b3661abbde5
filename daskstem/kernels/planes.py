"""Integers put together from the planes of their bits, as bit-shuffled chunks hold them."""

from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel

Words = tuple[np.uint64, ...]

WORD: Final = 64
"""Values of which a number of a plane holds a bit each."""

# Numbers taken from each plane at once: they and their values stay in the first-level cache.
_TILE: Final = 64

# What is exchanged between two numbers: so many bits apart, those under the mask.
_BITS: Final = (
    (np.uint64(4), np.uint64(0x0F0F0F0F0F0F0F0F)),
    (np.uint64(2), np.uint64(0x3333333333333333)),
    (np.uint64(1), np.uint64(0x5555555555555555)),
)
_BYTES: Final = (
    (np.uint64(32), np.uint64(0x00000000FFFFFFFF)),
    (np.uint64(16), np.uint64(0x0000FFFF0000FFFF)),
    (np.uint64(8), np.uint64(0x00FF00FF00FF00FF)),
)


# 10 GB/s of uint16 where all are below 256, 5 otherwise, one thread; Blosc as installed has 5.
@kernel()
def join_planes(blocks: np.ndarray, block_size: int, first: int, values: np.ndarray) -> None:
    """Put integers together from the planes of their bits.

    Parameters
    ----------
    blocks : (M,) uint64
        Blocks of planes, one after the other. Plane b of a block holds bit b of all its
        values, from the lowest bit of its first number on.
    block_size
        Numbers in a block, the last one may have less: as many as bits in a value, or a
        multiple.
    first
        Number of the first value that is wanted, a multiple of ``WORD``.
    values : (N,) unsigned integers
        Receives N values, a multiple of ``WORD``.
    """
    tile, ordered = np.empty((8, _TILE), np.uint64), np.empty((_TILE, 8), np.uint64)
    n_planes = 8 * values.itemsize
    for start in range(0, len(blocks), block_size):
        planes = blocks[start : start + block_size].reshape(n_planes, -1)
        begin = WORD * start // n_planes
        low, high = max(first, begin), min(first + len(values), begin + WORD * planes.shape[1])
        if low < high:
            own = values[low - first : high - first]
            _join_block(planes, (low - begin) // WORD, own, tile, ordered)


@kernel()
def _join_block(
    planes: np.ndarray, word: int, values: np.ndarray, tile: np.ndarray, ordered: np.ndarray
) -> None:
    parts = ordered.view(np.uint8).reshape(-1)
    for start in range(0, len(values), WORD * _TILE):
        own = values[start : start + WORD * _TILE]
        begin = word + start // WORD
        for first in range(0, len(planes), 8):
            found = np.uint64(0)
            for k in range(8):
                plane, row = planes[first + k, begin : begin + len(own) // WORD], tile[k]
                for j in range(len(plane)):
                    found |= plane[j]
                    row[j] = plane[j]
            # counts are low: in most tiles no upper byte holds anything
            if found == 0 and first > 0:
                continue
            # number j of row r becomes the bytes of eight values from 64 j + 8 r on
            for j in range(_TILE):
                a, b, c, d = tile[0, j], tile[1, j], tile[2, j], tile[3, j]
                e, f, g, h = tile[4, j], tile[5, j], tile[6, j], tile[7, j]
                a, b, c, d, e, f, g, h = _transposed((a, b, c, d, e, f, g, h), _BITS)
                a, b, c, d, e, f, g, h = _transposed((a, b, c, d, e, f, g, h), _BYTES)
                tile[0, j], tile[1, j], tile[2, j], tile[3, j] = a, b, c, d
                tile[4, j], tile[5, j], tile[6, j], tile[7, j] = e, f, g, h
            for j in range(_TILE):
                for r in range(8):
                    ordered[j, r] = tile[r, j]
            if first == 0:
                for i in range(len(own)):
                    own[i] = parts[i]
            elif first == 8:
                # a constant lets the compiler use lanes of the values' width: 1.3 times as fast
                for i in range(len(own)):
                    own[i] |= parts[i] << 8
            else:
                for i in range(len(own)):
                    own[i] |= parts[i] << first


@kernel()
def _transposed(rows: Words, steps: tuple[Words, ...]) -> Words:
    """Transpose a matrix of eight rows: its quarters, the quarters of these, and theirs."""
    a, b, c, d, e, f, g, h = rows
    halves, quarters, eighths = steps
    a, e = _exchanged(a, e, halves)
    b, f = _exchanged(b, f, halves)
    c, g = _exchanged(c, g, halves)
    d, h = _exchanged(d, h, halves)
    a, c = _exchanged(a, c, quarters)
    b, d = _exchanged(b, d, quarters)
    e, g = _exchanged(e, g, quarters)
    f, h = _exchanged(f, h, quarters)
    a, b = _exchanged(a, b, eighths)
    c, d = _exchanged(c, d, eighths)
    e, f = _exchanged(e, f, eighths)
    g, h = _exchanged(g, h, eighths)
    return a, b, c, d, e, f, g, h


@kernel()
def _exchanged(low: np.uint64, high: np.uint64, step: Words) -> Words:
    """Exchange the upper part of one number with the lower part of another."""
    shift, mask = step
    other = ((low >> shift) ^ high) & mask
    return low ^ (other << shift), high ^ other
