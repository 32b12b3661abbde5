"""Products of filtered patterns with each other, without the filtered patterns.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter and similarity.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel

PIECE_PX: Final = 512
"""Pixels filtered and compared at a time."""
AT_ONCE: Final = 10
"""Neighbors added in one loop: two footprints of radius 4 side by side are ten wide."""
PAIRS_AT_ONCE: Final = 4
"""Pairs of positions that share a row of neighbors in the first-level cache."""


# The order of additions must not depend on where a block begins: no reassociation.
@kernel(fastmath={"contract", "nsz"})
def _add_weighted(
    sources: np.ndarray, at: np.uint64, step: np.uint64,
    weights: np.ndarray,
    out: np.ndarray, to: np.uint64, n: np.uint64,
) -> None:  # fmt: skip
    """Add ``AT_ONCE`` neighboring patterns, weighted, to two filtered patterns.

    Indices are unsigned: a signed one may count from the end, and asking whether it does
    keeps the loop from vector code.
    """
    for i in range(n):
        first, second = out[to + i], out[to + step + i]
        # of constant length, so the compiler unrolls it and each value is loaded once
        for j in range(AT_ONCE):
            value = sources[at + np.uint64(j) * step + i]
            first += weights[0, j] * value
            second += weights[1, j] * value
        out[to + i], out[to + step + i] = first, second


@kernel()
def paired_weights(weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Weights as ``neighbor_dots`` uses them: for two positions, by row and column.

    Parameters
    ----------
    weights : (Y, X, K) float32
        Footprint weights.
    offsets : (K, 2) int64
        The footprint.

    Returns
    -------
    (Y, (X + 1) // 2, 2 reach + 1, G, 2, AT_ONCE) float32
        Weights of G groups of columns, the first of which is ``reach`` left of the first of
        two positions; zeros where the footprint of one has none.
    """
    rows, columns, n_offsets = weights.shape
    reach = offsets[:, 0].max()
    groups = (2 * reach + 2 + AT_ONCE - 1) // AT_ONCE
    shape = (rows, (columns + 1) // 2, 2 * reach + 1, groups, 2, AT_ONCE)
    paired = np.zeros(shape, np.float32)
    for y in range(rows):
        for x in range(columns):
            for k in range(n_offsets):
                dy, dx = offsets[k]
                column = dx + reach + x % 2
                group, place = column // AT_ONCE, column % AT_ONCE
                paired[y, x // 2, dy + reach, group, x % 2, place] = weights[y, x, k]
    return paired


@kernel()
def neighbor_dots(
    patterns: np.ndarray,
    means: np.ndarray,
    paired: np.ndarray,
    columns: int,
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
    paired
        Footprint weights of the positions to compare, as from ``paired_weights``.
    columns : int
        Number X of positions in a row of them.
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
    rows, n_pairs, depth, groups = paired.shape[:4]
    reach = depth // 2
    # a step that is no power of two, for the sake of the cache
    step = PIECE_PX + 16
    held = columns + 2 * reach + AT_ONCE * groups
    ring = np.zeros((depth, held, step), np.float32)
    # one position more on both sides, of zeros
    filtered = np.zeros((2, 2 * n_pairs + 2, step), np.float32)
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
            _filter_row(ring, margin[0] + y, height, paired[y], current)
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
    ring: np.ndarray, row: int, height: int, paired: np.ndarray, out: np.ndarray
) -> None:
    """Filter one row of positions; out[1:] receives it."""
    n_pairs, depth, groups = paired.shape[:3]
    reach = depth // 2
    held, step = np.uint64(ring.shape[1]), np.uint64(ring.shape[2])
    sources, into = ring.reshape(-1), out.reshape(-1)
    out[:] = 0
    # few positions at a time: what they need of a row of patterns stays in the first cache
    for first in range(0, n_pairs, PAIRS_AT_ONCE):
        for dy in range(-min(reach, row), min(reach, height - 1 - row) + 1):
            line = np.uint64((row + dy) % depth) * held
            for pair in range(first, min(n_pairs, first + PAIRS_AT_ONCE)):
                for group in range(groups):
                    weights = paired[pair, dy + reach, group]
                    if weights.any():
                        at = (line + np.uint64(2 * pair + group * AT_ONCE)) * step
                        to = np.uint64(2 * pair + 1) * step
                        _add_weighted(sources, at, step, weights, into, to, np.uint64(PIECE_PX))


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
