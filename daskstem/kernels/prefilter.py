"""Which neighbors look alike: blurred, weighted patterns correlated over a footprint.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compared import compared_pattern
from daskstem.kernels.compiled import kernel
from daskstem.kernels.sampling import Sampling
from daskstem.kernels.vectors import (
    LANES,
    add_totals,
    aligned_zeros,
    apart,
    load,
    multiply_add,
    splat,
)

SMALLEST_SIGNAL = 0.02
"""Least share of a pattern's energy taken as signal, where counts are too few to tell."""
ROWS_AT_ONCE: Final = 4
"""Rows of positions that share one passage of compared patterns through the cache."""
PIECE_PX: Final = 512
"""Pixels compared at a time."""
AT_ONCE: Final = 4
"""Patterns side by side that are compared with as many others in one loop."""


def footprint(radius_px: int) -> np.ndarray:
    """Offsets (dy, dx) of all positions within ``radius_px + 0.5``, in scan order.

    Returns
    -------
    (K, 2) int64
        Symmetric about the centre, which is offset number K // 2.

    Examples
    --------
    >>> len(footprint(4))
    69
    """
    side = np.arange(-radius_px, radius_px + 1)
    dy, dx = np.meshgrid(side, side, indexing="ij")
    inside = dy**2 + dx**2 <= (radius_px + 0.5) ** 2
    return np.stack([dy[inside], dx[inside]], axis=1).astype(np.int64)


def neighbor_products(
    patterns: np.ndarray,
    sampling: Sampling,
    half: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scalar products of every compared pattern with the half of its footprint after it.

    Rows pass through a ring of compared patterns, so memory does not grow with the block's
    height. Products run over pieces of pixels, so that one piece of all patterns in the
    ring stays in the second-level cache.

    Parameters
    ----------
    patterns : (H, W, Qy, Qx)
        Raw patterns of a block and its halo, any real dtype, contiguous.
    sampling
        The pixels that are compared.
    half : (K // 2, 2) int64
        Offsets (dy, dx) that follow the centre in scan order.

    Returns
    -------
    products : (H, W, K // 2) float32
        v(p) . v(p + offset); 0 where the neighbor is outside.
    energy : (H, W) float64
        |v(p)|^2.
    sums : (H, W, 1 + M) float64
        Of the pattern, and of its products with the images of ``sampling``.
    """
    width = patterns.shape[1]
    lines = _lines(half)
    reach = int(lines[:, 0].max(initial=0))
    # zeros left and right stand for what is outside the block
    held = width + 2 * reach + 2 * AT_ONCE
    step = apart(sampling.weight.size)
    ring = aligned_zeros((reach + ROWS_AT_ONCE, held, step))
    products = np.zeros((*patterns.shape[:2], len(half)), np.float32)
    energy, sums = _compare(patterns, sampling, lines, ring, products)
    return products, energy, sums


def _lines(half: np.ndarray) -> np.ndarray:
    """Rows of the half of the footprint: dy, first dx, number of that offset, how many follow."""
    dy, first, count = np.unique(half[:, 0], return_index=True, return_counts=True)
    return np.stack([dy, half[first, 1], first, count], axis=1)


@kernel()
def _compare(
    patterns: np.ndarray, sampling: Sampling, lines: np.ndarray, ring: np.ndarray,
    products: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    height, width, size = patterns.shape[0], patterns.shape[1], sampling.weight.size
    depth, held, step = ring.shape
    reach = depth - ROWS_AT_ONCE
    values = ring.reshape(-1)
    energy, added = np.empty((height, width)), np.empty((height, width, 1 + len(sampling.images)))
    most = lines[:, 3].max() if len(lines) else 0
    sums = np.empty((ROWS_AT_ONCE, reach + 1, *_groups(width, most), AT_ONCE**2), np.float32)
    filled = 0
    for top in range(0, height, ROWS_AT_ONCE):
        bottom = min(height, top + ROWS_AT_ONCE)
        while filled < min(height, bottom + reach):
            for x in range(width):
                to = (filled % depth * held + reach + x) * step
                energy[filled, x] = compared_pattern(
                    patterns[filled, x], sampling, values[to : to + size], added[filled, x]
                )
            filled += 1
        sums[:] = 0
        for start in range(0, size, PIECE_PX):
            n = min(size - start, PIECE_PX)
            for y in range(top, bottom):
                for dy, dx, _, count in lines:
                    if y + dy < height:
                        here = (y % depth * held + reach) * step + start
                        there = ((y + dy) % depth * held + reach + dx) * step + start
                        _add_products(
                            values, here, there, step, n, width, count, sums[y - top, dy]
                        )
        for y in range(top, bottom):
            for dy, _, first, count in lines:
                if y + dy < height:
                    _spread(sums[y - top, dy], products[y, :, first : first + count])
    return energy, added


@kernel()
def _groups(width: int, count: int) -> tuple[int, int]:
    """How many groups of positions side by side there are, and of others for each of them."""
    return (width + AT_ONCE - 1) // AT_ONCE, (count + 2 * AT_ONCE - 2) // AT_ONCE


@kernel()
def _spread(sums: np.ndarray, out: np.ndarray) -> None:
    """Write the sums of position x and the one k after the first other to out[x, k]."""
    for x in range(out.shape[0]):
        group, i = x // AT_ONCE, x % AT_ONCE
        for k in range(out.shape[1]):
            other, j = (i + k) // AT_ONCE, (i + k) % AT_ONCE
            out[x, k] = sums[group, other, AT_ONCE * i + j]


@kernel()
def _add_products(
    values: np.ndarray, here: int, there: int, step: int, n: int, width: int, count: int,
    sums: np.ndarray,
) -> None:  # fmt: skip
    """Add to ``sums`` the products of n pixels of patterns from ``here`` and from ``there``.

    ``sums`` is (groups of positions, groups of others, 16).
    """
    flat = sums.reshape(-1)
    groups, others = _groups(width, count)
    for group in range(groups):
        for other in range(others):
            _add_sixteen(
                values, here + group * AT_ONCE * step, there + (group + other) * AT_ONCE * step,
                step, n, flat, (group * sums.shape[1] + other) * AT_ONCE**2,
            )  # fmt: skip


# Eight patterns that are loaded make sixteen products, whose sums stay in registers: 34
# products of 28224 pixels take 40 us, one by one 90; of the 8464 kept of them 11.
@kernel()
def _add_sixteen(
    values: np.ndarray, here: int, there: int, step: int, n: int, sums: np.ndarray, to: int
) -> None:
    """Add the products of four patterns side by side with four others side by side."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(np.float32(0))
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = a0
    for i in range(0, n, LANES):
        a, b = load(values, here + i), load(values, here + step + i)
        c, d = load(values, here + 2 * step + i), load(values, here + 3 * step + i)
        other = load(values, there + i)
        a0, b0 = multiply_add(a, other, a0), multiply_add(b, other, b0)
        c0, d0 = multiply_add(c, other, c0), multiply_add(d, other, d0)
        other = load(values, there + step + i)
        a1, b1 = multiply_add(a, other, a1), multiply_add(b, other, b1)
        c1, d1 = multiply_add(c, other, c1), multiply_add(d, other, d1)
        other = load(values, there + 2 * step + i)
        a2, b2 = multiply_add(a, other, a2), multiply_add(b, other, b2)
        c2, d2 = multiply_add(c, other, c2), multiply_add(d, other, d2)
        other = load(values, there + 3 * step + i)
        a3, b3 = multiply_add(a, other, a3), multiply_add(b, other, b3)
        c3, d3 = multiply_add(c, other, c3), multiply_add(d, other, d3)
    add_totals(sums, to, (a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3))


@kernel()
def signal_energy(energy: np.ndarray, noise: np.ndarray, gain: float) -> np.ndarray:
    """Energy of the noiseless compared pattern, pooled over 3 x 3 positions.

    Parameters
    ----------
    energy : (H, W) float64
        As from ``neighbor_products``.
    noise : (H, W) float64
        Its expected part from counting noise.
    gain : float
        Counts per electron: the noise variance of a count is its mean times the gain.
        0 turns the correction off, and the energy itself comes back.

    Returns
    -------
    (H, W) float64
        At least ``SMALLEST_SIGNAL`` of the pooled energy.
    """
    if gain == 0.0:
        return energy.copy()
    height, width = energy.shape
    signal = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            total = 0.0
            from_noise = 0.0
            n = 0
            for ny in range(max(0, y - 1), min(height, y + 2)):
                for nx in range(max(0, x - 1), min(width, x + 2)):
                    total += energy[ny, nx]
                    from_noise += gain * noise[ny, nx]
                    n += 1
            signal[y, x] = max(total - from_noise, SMALLEST_SIGNAL * total) / n
    return signal


@kernel()
def neighbor_weights(
    products: np.ndarray,
    signal: np.ndarray,
    offsets: np.ndarray,
    corr_range: tuple[float, float],
    self_weight: float,
    box: tuple[int, int, int, int],
    published_origin: tuple[int, int],
) -> np.ndarray:
    """Normalised weights of the footprint's patterns in the filtered pattern.

    C = v(p) . v(n) / sqrt(s(p) s(n)); c = clip((C - lo) / (hi - lo), 0, 1), where
    c <= 1e-3 counts as 0; a(p, n) = c / sum of c, with ``self_weight`` at the centre.

    Parameters
    ----------
    products : (H, W, K // 2) float32
        As from ``neighbor_products``.
    signal : (H, W) float64
        Energies that normalise the products.
    offsets : (K, 2) int64
        The footprint.
    corr_range : (lo, hi)
        Correlation where weights begin, and where they reach 1.
    self_weight : float
        The centre's weight before normalisation.
    box : (top, bottom, left, right)
        Positions to compute, within the H x W that are given.
    published_origin : (row, column)
        Where [0, 0] lies in the scan, for the published program's conventions: neighbors
        in the scan's first row or column are never used, the centre included, and weights
        <= 1e-3 stay in the normalisation. (-1, -1) keeps ours.

    Returns
    -------
    (bottom - top, right - left, K) float32
        Rows sum to 1 (slightly less with the published conventions).
    """
    height, width = signal.shape
    lo, hi = corr_range
    top, bottom, left, right = box
    published = published_origin[0] >= 0
    n_half = products.shape[2]
    middle = n_half
    weights = np.zeros((bottom - top, right - left, len(offsets)), np.float32)
    for y in range(top, bottom):
        for x in range(left, right):
            out = weights[y - top, x - left]
            total = 0.0
            for k in range(len(offsets)):
                ny, nx = y + offsets[k, 0], x + offsets[k, 1]
                if not (0 <= ny < height and 0 <= nx < width):
                    continue
                first = published and (
                    ny + published_origin[0] == 0 or nx + published_origin[1] == 0
                )
                if k == middle:
                    c = 1.0 if first else self_weight
                elif first:
                    continue
                else:
                    product = (
                        products[y, x, k - n_half - 1]
                        if k > middle
                        else products[ny, nx, n_half - 1 - k]
                    )
                    scale = np.sqrt(signal[y, x] * signal[ny, nx])
                    c = (product / scale - lo) / (hi - lo) if scale > 0.0 else 0.0
                    c = min(max(c, 0.0), 1.0)
                if c > 1e-3:
                    out[k] = c
                    total += c
                elif published:
                    total += c
            for k in range(len(offsets)):
                out[k] /= total
    return weights
