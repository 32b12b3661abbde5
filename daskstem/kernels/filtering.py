"""Products of filtered patterns with each other, without the filtered patterns.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter and similarity.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel

PIECE_PX: Final = 512
"""Pixels filtered and compared at a time."""
AT_ONCE: Final = 8
"""Neighbors added in one loop."""
PAIRS_AT_ONCE: Final = 4
"""Pairs of positions whose neighbors share the first-level cache."""


@kernel()
def paired_neighbors(
    weights: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the neighbors that have a weight for one of two positions side by side.

    Parameters
    ----------
    weights : (Y, X, K) float32
        Footprint weights.
    offsets : (K, 2) int64
        The footprint.

    Returns
    -------
    counts : (Y, (X + 1) // 2) int64
        How many neighbors each pair has.
    places : (Y, (X + 1) // 2, N, 2) int64
        Their rows and columns, from the footprint's first row and first column.
    shares : (Y, (X + 1) // 2, N, 2) float32
        Their weights for the two; zeros from the count on, N a multiple of ``AT_ONCE``.
    """
    rows, columns, n_offsets = weights.shape
    reach = offsets[:, 0].max()
    side = 2 * reach + 2
    longest = (2 * reach + 1) * side
    longest += -longest % AT_ONCE
    shape = (rows, (columns + 1) // 2)
    counts = np.zeros(shape, np.int64)
    places = np.zeros((*shape, longest, 2), np.int64)
    shares = np.zeros((*shape, longest, 2), np.float32)
    both = np.empty((2 * reach + 1, side, 2), np.float32)
    for y in range(rows):
        for pair in range(shape[1]):
            both[:] = 0
            for which in range(min(2, columns - 2 * pair)):
                for k in range(n_offsets):
                    row, column = offsets[k, 0] + reach, offsets[k, 1] + reach + which
                    both[row, column, which] = weights[y, 2 * pair + which, k]
            n = 0
            for row in range(2 * reach + 1):
                for column in range(side):
                    if both[row, column, 0] != 0 or both[row, column, 1] != 0:
                        places[y, pair, n] = row, column
                        shares[y, pair, n] = both[row, column]
                        n += 1
            counts[y, pair] = n
    return counts, places, shares


@kernel()
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
        Patterns, flattened, any real dtype.
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
    height, size = patterns.shape[0], patterns.shape[2]
    rows, columns = weights.shape[:2]
    counts, places, shares = paired_neighbors(weights, offsets)
    reach = offsets[:, 0].max()
    depth, held = 2 * reach + 1, columns + 2 * reach + 1
    # a step that is no power of two, for the sake of the cache
    step = PIECE_PX + 16
    ring = np.zeros((depth, held, step), np.float32)
    # one position more on both sides, of zeros
    filtered = np.zeros((2, columns + 3, step), np.float32)
    dots = np.zeros((rows, columns, 5))
    for start in range(0, size, PIECE_PX):
        stop = min(size, start + PIECE_PX)
        if not selected[start:stop].any():
            continue
        filled = max(0, margin[0] - reach)
        for y in range(rows):
            while filled < min(height, margin[0] + y + reach + 1):
                _fill(
                    patterns[filled], means[filled], selected, (start, stop),
                    margin[1] - reach, ring[filled % depth],
                )  # fmt: skip
                filled += 1
            current, previous = filtered[y % 2], filtered[(y + 1) % 2]
            first_row = margin[0] + y + depth - reach
            _filter_row(ring, first_row, counts[y], places[y], shares[y], current)
            _add_dots(previous, current, stop - start, y, dots)
    return dots


@kernel()
def _fill(
    patterns: np.ndarray, means: np.ndarray, selected: np.ndarray, piece: tuple[int, int],
    left: int, out: np.ndarray,
) -> None:  # fmt: skip
    """Copy a piece of a row of patterns, from column ``left`` on, without their means."""
    start, stop = piece
    chosen = selected[start:stop]
    for x in range(max(0, -left), min(len(out), len(patterns) - left)):
        source, to = patterns[left + x, start:stop], out[x]
        mean = np.float32(means[left + x])
        if not np.isfinite(mean):
            # what is no number must not enter its neighbors' sums with weight 0
            to[:] = 0
            continue
        for i in range(len(source)):
            to[i] = (np.float32(source[i]) - mean) * chosen[i]


@kernel()
def _filter_row(
    ring: np.ndarray, first_row: int,
    counts: np.ndarray, places: np.ndarray, shares: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Filter one row of positions; out[1:] receives it."""
    depth, held, step = ring.shape
    sources, into = ring.reshape(-1), out.reshape(-1)
    starts = np.empty(AT_ONCE, np.uint64)
    out[:] = 0
    # few pairs at a time go through their lists together: what they need stays in the cache
    for first in range(0, len(counts), PAIRS_AT_ONCE):
        last = min(len(counts), first + PAIRS_AT_ONCE)
        for n in range(0, counts[first:last].max(), AT_ONCE):
            for pair in range(first, last):
                if n >= counts[pair]:
                    continue
                for i in range(AT_ONCE):
                    row, column = places[pair, n + i]
                    line = (first_row + row) % depth
                    starts[i] = (line * held + 2 * pair + column) * step
                to = np.uint64((2 * pair + 1) * step)
                _add_weighted(
                    sources, starts, shares[pair, n : n + AT_ONCE], into, to, np.uint64(step)
                )


# Two filtered patterns take eight neighbors at once, so that values are loaded and stored
# seldom: 126 us a position with 69 neighbors of 192 x 192 pixels, one by one 270. Indices are
# unsigned: a signed one may count from the end, and asking whether it does keeps the loop from
# vector code. The order of additions must not depend on where a block begins, so there is no
# reassociation.
@kernel(fastmath={"contract", "nsz"})
def _add_weighted(
    sources: np.ndarray, starts: np.ndarray, shares: np.ndarray,
    out: np.ndarray, to: np.uint64, step: np.uint64,
) -> None:  # fmt: skip
    """Add ``AT_ONCE`` patterns, weighted, to the filtered patterns of two positions."""
    s0, s1, s2, s3, s4, s5, s6, s7 = (
        starts[0], starts[1], starts[2], starts[3], starts[4], starts[5], starts[6], starts[7],
    )  # fmt: skip
    for i in range(np.uint64(PIECE_PX)):
        values = (
            sources[s0 + i], sources[s1 + i], sources[s2 + i], sources[s3 + i],
            sources[s4 + i], sources[s5 + i], sources[s6 + i], sources[s7 + i],
        )  # fmt: skip
        first, second = out[to + i], out[to + step + i]
        for j in range(AT_ONCE):
            first += shares[j, 0] * values[j]
            second += shares[j, 1] * values[j]
        out[to + i], out[to + step + i] = first, second


@kernel()
def _add_dots(previous: np.ndarray, current: np.ndarray, n: int, y: int, dots: np.ndarray) -> None:
    """Add a piece's products of a row with itself, with its right and the row above."""
    columns = dots.shape[1]
    for x in range(columns):
        here, right = current[x + 1, :n], current[x + 2, :n]
        above_left, above = previous[x, :n], previous[x + 1, :n]
        above_right = previous[x + 2, :n]
        own = beside = down_right = down = down_left = np.float32(0)
        for i in range(n):
            own += here[i] * here[i]
            beside += here[i] * right[i]
            down_right += here[i] * above_left[i]
            down += here[i] * above[i]
            down_left += here[i] * above_right[i]
        dots[y, x, 0] += np.float64(own)
        if x + 1 < columns:
            dots[y, x, 1] += np.float64(beside)
        if y > 0:
            dots[y - 1, x, 3] += np.float64(down)
            if x > 0:
                dots[y - 1, x - 1, 4] += np.float64(down_right)
            if x + 1 < columns:
                dots[y - 1, x + 1, 2] += np.float64(down_left)
