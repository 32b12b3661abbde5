"""Products of filtered patterns with each other, without the filtered patterns.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter and similarity.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel
from daskstem.kernels.vectors import (
    LANES,
    Vector,
    aligned,
    aligned_zeros,
    apart,
    load,
    multiply_add,
    plus,
    splat,
    store,
    times,
    total,
)

PIECE_PX: Final = 288
"""Pixels filtered and compared at a time, a multiple of three vectors."""
SIDE: Final = 2
"""Rows and columns of positions that share the neighbors that are loaded: four in a square have
88 neighbors at a radius of 4, four in a row 96."""


@kernel()
def shared_neighbors(
    weights: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the neighbors that have a weight for one of four positions in a square.

    Parameters
    ----------
    weights : (Y, X, K) float32
        Footprint weights.
    offsets : (K, 2) int64
        The footprint.

    Returns
    -------
    counts : ((Y + 1) // 2, (X + 1) // 2) int64
        How many neighbors each square of positions has.
    places : ((Y + 1) // 2, (X + 1) // 2, N, 2) int64
        Their rows and columns, from the footprint's first row and first column, in scan order.
    shares : ((Y + 1) // 2, (X + 1) // 2, N, 4) float32
        Their weights for the four.
    """
    rows, columns, n_offsets = weights.shape
    reach = offsets[:, 0].max()
    span = 2 * reach + SIDE
    shape = ((rows + SIDE - 1) // SIDE, (columns + SIDE - 1) // SIDE)
    counts = np.zeros(shape, np.int64)
    places = np.empty((*shape, span**2, 2), np.int64)
    shares = np.empty((*shape, span**2, SIDE**2), np.float32)
    all_four = np.empty((span, span, SIDE**2), np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            all_four[:] = 0
            for which in range(SIDE**2):
                dy, dx = which // SIDE, which % SIDE
                y, x = SIDE * i + dy, SIDE * j + dx
                if y < rows and x < columns:
                    for k in range(n_offsets):
                        row, column = offsets[k, 0] + reach + dy, offsets[k, 1] + reach + dx
                        all_four[row, column, which] = weights[y, x, k]
            n = 0
            for row in range(span):
                for column in range(span):
                    if all_four[row, column].any():
                        places[i, j, n] = row, column
                        shares[i, j, n] = all_four[row, column]
                        n += 1
            counts[i, j] = n
    return counts, places, shares


def neighbor_dots(
    patterns: np.ndarray,
    means: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    margin: tuple[int, int],
    selected: np.ndarray,
) -> np.ndarray:
    """Scalar products of every filtered, centred pattern with itself and four neighbors.

    f(p) = sum over the footprint of a(p, n) (I(n) - mean of I(n)), at the selected pixels.
    Everything is done for one piece of pixels after the other, so that the pieces of all
    patterns that a row of positions needs stay in the second-level cache: filtered patterns
    are never written to memory.

    Parameters
    ----------
    patterns : (H, W, P)
        Patterns, flattened, any real dtype, contiguous.
    means : (H, W) float64
        Their means.
    weights : (Y, X, K) float32
        Footprint weights of the positions to compare.
    offsets : (K, 2) int64
        The footprint.
    margin : (row, column)
        Where the first of them lies in ``patterns``.
    selected : (P,) float32
        1 at pixels that count, else 0.

    Returns
    -------
    (Y, X, 5) float64
        Products with itself and with ``NEIGHBORS[4:]`` (right, and the three below);
        0 where that neighbor is outside.
    """
    rows, columns = weights.shape[:2]
    counts, places, shares = shared_neighbors(weights, offsets)
    reach = int(offsets[:, 0].max())
    depth, held = 2 * reach + SIDE, columns + 2 * reach + SIDE
    ring = aligned_zeros((depth, held, apart(PIECE_PX)))
    first = (margin[0] - reach, margin[1] - reach)
    # where in the ring the neighbors of each square of positions begin
    top = SIDE * np.arange(places.shape[0])[:, np.newaxis, np.newaxis]
    left = SIDE * np.arange(places.shape[1])[:, np.newaxis]
    line = (first[0] + top + places[..., 0]) % depth
    starts = (line * held + left + places[..., 1]) * ring.shape[2]
    dots = np.zeros((rows, columns, 5))
    _add_all_dots(patterns, means, selected, first, ring, counts, starts, shares, dots)
    return dots


@kernel()
def _add_all_dots(
    patterns: np.ndarray, means: np.ndarray, selected: np.ndarray, first: tuple[int, int],
    ring: np.ndarray, counts: np.ndarray, starts: np.ndarray, shares: np.ndarray, dots: np.ndarray,
) -> None:  # fmt: skip
    """Pass pieces of all patterns through the ring, from position ``first`` on."""
    height, size = patterns.shape[0], patterns.shape[2]
    (rows, columns), (depth, held, step) = dots.shape[:2], ring.shape
    values = ring.reshape(-1)
    # filtered patterns of a row of squares and of the row above it, with a position of zeros more
    # on both sides
    held_lines, line = SIDE + 1, (columns + SIDE + 2) * step
    filtered = aligned(held_lines * line)
    filtered[:] = 0
    for start in range(0, size, PIECE_PX):
        stop = min(size, start + PIECE_PX)
        if not selected[start:stop].any():
            continue
        filled = max(0, first[0])
        for i in range(len(counts)):
            top = SIDE * i
            while filled < min(height, first[0] + top + depth):
                _fill(
                    patterns[filled], means[filled], selected, (start, stop), first[1], held,
                    values, filled % depth * held * step, step,
                )  # fmt: skip
                filled += 1
            upper, lower = top % held_lines * line, (top + 1) % held_lines * line
            above = (top - 1) % held_lines * line
            for j in range(counts.shape[1]):
                at = (1 + SIDE * j) * step
                _filter_four(
                    values, starts[i, j], counts[i, j], shares[i, j],
                    filtered, upper + at, lower + at, step,
                )  # fmt: skip
            _add_dots(filtered, above, upper, step, stop - start, top, dots)
            if top + 1 < rows:
                _add_dots(filtered, upper, lower, step, stop - start, top + 1, dots)


@kernel()
def _fill(
    patterns: np.ndarray, means: np.ndarray, selected: np.ndarray, piece: tuple[int, int],
    left: int, held: int, ring: np.ndarray, to: int, step: int,
) -> None:  # fmt: skip
    """Copy a piece of a row of patterns, from column ``left`` on, without their means."""
    start, stop = piece
    columns, size = patterns.shape
    values = patterns.reshape(-1)
    whole = (stop - start) // LANES * LANES
    for x in range(max(0, left), min(columns, left + held)):
        place, source = to + (x - left) * step, x * size + start
        mean = np.float32(means[x])
        if not np.isfinite(mean):
            # what is no number must not enter its neighbors' sums with weight 0
            ring[place : place + step] = 0
            continue
        less = splat(-mean)
        for i in range(0, whole, LANES):
            store(
                ring,
                place + i,
                times(plus(load(values, source + i), less), load(selected, start + i)),
            )
        for i in range(whole, stop - start):
            ring[place + i] = (np.float32(values[source + i]) - mean) * selected[start + i]
        ring[place + stop - start : place + step] = 0


# Twelve sums stay in registers while all neighbors pass, and each value that is loaded enters
# four of them: with 69 neighbors of 192 x 192 pixels a position takes 80 us, what is filtered
# and its scalar products included; with eight sums, where additions wait for the one before, 86;
# with two positions and eight neighbors in a loop 120; with four positions in a row 2 to 4 % more.
# The order of additions does not depend on where a block begins.
@kernel()
def _filter_four(
    ring: np.ndarray, starts: np.ndarray, count: int, shares: np.ndarray,
    out: np.ndarray, upper: int, lower: int, step: int,
) -> None:  # fmt: skip
    """Write the weighted sums of patterns for two positions above two, a piece of pixels long."""
    share = shares.reshape(-1)
    none = splat(np.float32(0))
    for i in range(0, PIECE_PX, 3 * LANES):
        a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = none
        for n in range(count):
            place = starts[n] + i
            one, two = load(ring, place), load(ring, place + LANES)
            three, weight = load(ring, place + 2 * LANES), splat(share[4 * n])
            a0, a1 = multiply_add(one, weight, a0), multiply_add(two, weight, a1)
            a2, weight = multiply_add(three, weight, a2), splat(share[4 * n + 1])
            b0, b1 = multiply_add(one, weight, b0), multiply_add(two, weight, b1)
            b2, weight = multiply_add(three, weight, b2), splat(share[4 * n + 2])
            c0, c1 = multiply_add(one, weight, c0), multiply_add(two, weight, c1)
            c2, weight = multiply_add(three, weight, c2), splat(share[4 * n + 3])
            d0, d1 = multiply_add(one, weight, d0), multiply_add(two, weight, d1)
            d2 = multiply_add(three, weight, d2)
        _store_three(out, upper + i, a0, a1, a2)
        _store_three(out, upper + i + step, b0, b1, b2)
        _store_three(out, lower + i, c0, c1, c2)
        _store_three(out, lower + i + step, d0, d1, d2)


@kernel(inline="always")
def _store_three(out: np.ndarray, to: int, first: Vector, second: Vector, third: Vector) -> None:
    store(out, to, first)
    store(out, to + LANES, second)
    store(out, to + 2 * LANES, third)


@kernel()
def _add_dots(
    filtered: np.ndarray, previous: int, current: int, step: int, n: int, y: int, dots: np.ndarray
) -> None:
    """Add a piece's products of a row with itself, with its right and the row above."""
    columns = dots.shape[1]
    none = splat(np.float32(0))
    for x in range(columns):
        here, above = current + (x + 1) * step, previous + (x + 1) * step
        own = beside = down_right = down = down_left = none
        for i in range(0, n, LANES):
            values = load(filtered, here + i)
            own = multiply_add(values, values, own)
            beside = multiply_add(values, load(filtered, here + step + i), beside)
            down_right = multiply_add(values, load(filtered, above - step + i), down_right)
            down = multiply_add(values, load(filtered, above + i), down)
            down_left = multiply_add(values, load(filtered, above + step + i), down_left)
        dots[y, x, 0] += total(own)
        if x + 1 < columns:
            dots[y, x, 1] += total(beside)
        if y > 0:
            dots[y - 1, x, 3] += total(down)
            if x > 0:
                dots[y - 1, x - 1, 4] += total(down_right)
            if x + 1 < columns:
                dots[y - 1, x + 1, 2] += total(down_left)
