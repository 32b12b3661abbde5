"""Which neighbors look alike: blurred, weighted patterns correlated over a footprint.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

import numpy as np

from daskstem.kernels.compared import compared_pattern
from daskstem.kernels.compiled import kernel

SMALLEST_SIGNAL = 0.02
"""Least share of a pattern's energy taken as signal, where counts are too few to tell."""


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
    response: np.ndarray,
    edge: int,
    half: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scalar products of every compared pattern with the half of its footprint after it.

    Rows pass through a ring of ``radius + 1`` rows of compared patterns, so memory does
    not grow with the block's height. Products run over pieces of 1024 pixels, which keeps
    one piece of a whole ring in the second-level cache.

    Parameters
    ----------
    patterns : (H, W, Qy, Qx)
        Raw patterns of a block and its halo, any real dtype.
    taps, weight, edge
        As for ``compared_pattern``.
    response : (Qy, Qx) float32
        Noise energy of one count, zeros where noise is not to be estimated.
    half : (K // 2, 2) int64
        Offsets (dy, dx) that follow the centre in scan order.

    Returns
    -------
    products : (H, W, K // 2) float32
        v(p) . v(p + offset); 0 where the neighbor is outside.
    energy : (H, W) float64
        |v(p)|^2.
    noise : (H, W) float64
        Its expected part from noise.
    """
    height, width, q_rows, q_columns = patterns.shape
    size = (q_rows - 2 * edge) * (q_columns - 2 * edge)
    depth = half[:, 0].max() + 1 if len(half) else 1
    ring = np.empty((depth, width, size), np.float32)
    products = np.zeros((height, width, len(half)), np.float32)
    energy = np.empty((height, width))
    noise = np.zeros((height, width))
    filled = 0
    for y in range(height):
        while filled < min(height, y + depth):
            for x in range(width):
                pattern = patterns[filled, x]
                energy[filled, x] = compared_pattern(
                    pattern, taps, weight, edge, ring[filled % depth, x]
                )
                noise[filled, x] = _weighted_sum(pattern, response)
            filled += 1
        for start in range(0, size, 1024):
            stop = min(size, start + 1024)
            for x in range(width):
                here = ring[y % depth, x, start:stop]
                for k in range(len(half)):
                    ny, nx = y + half[k, 0], x + half[k, 1]
                    if ny < height and 0 <= nx < width:
                        products[y, x, k] += _dot(here, ring[ny % depth, nx, start:stop])
    return products, energy, noise


@kernel()
def _dot(a: np.ndarray, b: np.ndarray) -> np.float32:
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@kernel()
def _weighted_sum(pattern: np.ndarray, response: np.ndarray) -> float:
    total = 0.0
    for y in range(pattern.shape[0]):
        for x in range(pattern.shape[1]):
            total += np.float64(pattern[y, x]) * response[y, x]
    return total


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
