"""Which neighbors look alike: blurred, weighted patterns correlated over a footprint.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

from typing import Final

import numpy as np

from daskstem.kernels.compared import compared_pattern
from daskstem.kernels.compiled import kernel

SMALLEST_SIGNAL = 0.02
"""Least share of a pattern's energy taken as signal, where counts are too few to tell."""
ROWS_AT_ONCE: Final = 4
"""Rows of positions that share one passage of compared patterns through the cache."""
PIECE_PX: Final = 512
"""Pixels compared at a time."""
AT_ONCE: Final = 5
"""Neighbors compared with a pattern in one loop."""


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


@kernel()
def neighbor_products(
    patterns: np.ndarray,
    taps: np.ndarray,
    weight: np.ndarray,
    responses: np.ndarray,
    edge: int,
    half: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scalar products of every compared pattern with the half of its footprint after it.

    Rows pass through a ring of compared patterns, so memory does not grow with the block's
    height. Products run over pieces of pixels, so that one piece of all patterns in the
    ring stays in the second-level cache.

    Parameters
    ----------
    patterns : (H, W, Qy, Qx)
        Raw patterns of a block and its halo, any real dtype.
    taps, weight, responses, edge
        As for ``compared_pattern``.
    half : (K // 2, 2) int64
        Offsets (dy, dx) that follow the centre in scan order.

    Returns
    -------
    products : (H, W, K // 2) float32
        v(p) . v(p + offset); 0 where the neighbor is outside.
    energy : (H, W) float64
        |v(p)|^2.
    noise : (H, W) float64
        Its expected part from counting noise.
    """
    height, width, q_rows, q_columns = patterns.shape
    size = (q_rows - 2 * edge) * (q_columns - 2 * edge)
    reach = half[:, 0].max() if len(half) else 0
    depth = reach + ROWS_AT_ONCE
    # zeros left and right stand for what is outside the block; rows whose lengths were a
    # power of two would share few places of the cache
    ring = np.zeros((depth, width + 2 * reach + AT_ONCE, size + 16 - size % 16), np.float32)
    products = np.zeros((height, width, len(half)), np.float32)
    energy = np.empty((height, width))
    noise = np.empty((height, width))
    filled = 0
    for top in range(0, height, ROWS_AT_ONCE):
        bottom = min(height, top + ROWS_AT_ONCE)
        while filled < min(height, bottom + reach):
            for x in range(width):
                energy[filled, x], noise[filled, x] = compared_pattern(
                    patterns[filled, x], taps, weight, responses, edge,
                    ring[filled % depth, reach + x, :size],
                )  # fmt: skip
            filled += 1
        for start in range(0, size, PIECE_PX):
            stop = min(size, start + PIECE_PX)
            for y in range(top, bottom):
                first = 0
                while first < len(half) and y + half[first, 0] < height:
                    dy, dx = half[first]
                    count = 1
                    while first + count < len(half) and half[first + count, 0] == dy:
                        count += 1
                    _add_products(
                        ring[y % depth, reach:], ring[(y + dy) % depth, reach + dx :],
                        (start, stop), products[y, :, first : first + count],
                    )  # fmt: skip
                    first += count
    return products, energy, noise


@kernel()
def _add_products(
    here: np.ndarray, there: np.ndarray, piece: tuple[int, int], out: np.ndarray
) -> None:
    """Add to out[x, k] the product of here[x] and there[x + k], over a piece of pixels.

    Two patterns are compared with five at once, so that each value that is loaded is used
    more than once: 34 products of 28224 pixels take 45 us, one by one 90.
    """
    width, count = out.shape
    start, stop = piece
    found = np.empty((2, AT_ONCE), np.float32)
    for x in range(0, width, 2):
        for first in range(0, count + 1, AT_ONCE):
            _ten_products(
                here[x, start:stop], here[x + 1, start:stop],
                there[x + first, start:stop], there[x + first + 1, start:stop],
                there[x + first + 2, start:stop], there[x + first + 3, start:stop],
                there[x + first + 4, start:stop], found,
            )  # fmt: skip
            for i in range(AT_ONCE):
                k = first + i
                if k < count:
                    out[x, k] += found[0, i]
                if 0 < k <= count and x + 1 < width:
                    out[x + 1, k - 1] += found[1, i]


@kernel(inline="always")
def _ten_products(
    a: np.ndarray, b: np.ndarray,
    n0: np.ndarray, n1: np.ndarray, n2: np.ndarray, n3: np.ndarray, n4: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    # scalars of their own, which the compiler keeps in registers
    a0 = a1 = a2 = a3 = a4 = b0 = b1 = b2 = b3 = b4 = np.float32(0)
    for i in range(len(a)):
        a0 += a[i] * n0[i]
        a1 += a[i] * n1[i]
        a2 += a[i] * n2[i]
        a3 += a[i] * n3[i]
        a4 += a[i] * n4[i]
        b0 += b[i] * n0[i]
        b1 += b[i] * n1[i]
        b2 += b[i] * n2[i]
        b3 += b[i] * n3[i]
        b4 += b[i] * n4[i]
    out[0, 0], out[0, 1], out[0, 2], out[0, 3], out[0, 4] = a0, a1, a2, a3, a4
    out[1, 0], out[1, 1], out[1, 2], out[1, 3], out[1, 4] = b0, b1, b2, b3, b4


@kernel()
def signal_energy(energy: np.ndarray, noise: np.ndarray, gain: float) -> np.ndarray:
    """Energy of the noiseless compared pattern, pooled over 3 x 3 positions.

    Parameters
    ----------
    energy, noise : (H, W) float64
        As from ``neighbor_products``.
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
