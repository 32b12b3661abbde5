"""Cosine similarity of filtered patterns with those of their eight neighbors.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), similarity.
"""

import numpy as np

from daskstem.kernels.compared import compared_pattern
from daskstem.kernels.compiled import kernel
from daskstem.kernels.prefilter import SMALLEST_SIGNAL

NEIGHBORS = np.array(
    [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)], dtype=np.int64
)
"""Offsets (dy, dx) of the eight neighbors, in scan order: number k mirrors number 7 - k."""


@kernel()
def filter_row(
    patterns: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    row: int,
    left: int,
    out: np.ndarray,
) -> None:
    """Weighted sums of raw patterns for one row of positions.

    F(p) = sum over the footprint of a(p, n) I(n).

    Parameters
    ----------
    patterns : (H, W, P)
        Raw patterns, flattened, any real dtype.
    weights : (X, K) float32
        Weights of the row's positions.
    offsets : (K, 2) int64
        The footprint.
    row, left : int
        Where the row's first position lies in ``patterns``.
    out : (X, P) float32
        Receives the filtered patterns.
    """
    size = patterns.shape[2]
    piece = np.empty(2048, np.float32)
    for start in range(0, size, 2048):
        stop = min(size, start + 2048)
        n = stop - start
        for x in range(len(weights)):
            piece[:n] = 0
            for k in range(len(offsets)):
                a = weights[x, k]
                if a != 0.0:
                    source = patterns[row + offsets[k, 0], left + x + offsets[k, 1], start:stop]
                    for i in range(n):
                        piece[i] += a * np.float32(source[i])
            out[x, start:stop] = piece[:n]


@kernel()
def neighbor_dots(
    patterns: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    margin: tuple[int, int],
    taps: np.ndarray,
    selected: np.ndarray,
) -> np.ndarray:
    """Scalar products of every filtered, centred pattern with itself and four neighbors.

    f is the filtered pattern minus its mean, blurred, at the selected pixels. Rows are
    filtered one at a time and only two of them kept.

    Parameters
    ----------
    patterns : (H, W, Qy, Qx)
        Raw patterns, any real dtype.
    weights : (Y, X, K) float32
        Footprint weights of the positions to compare.
    offsets : (K, 2) int64
        The footprint.
    margin : (row, column)
        Where weights[0, 0] lies in ``patterns``.
    taps : (T,) float32
        Half of the blur; a single 1 for none.
    selected : (M,) int64
        Pixels that count, as flat indices.

    Returns
    -------
    (Y, X, 5) float64
        Products with itself and with ``NEIGHBORS[4:]`` (right, and the three below);
        0 where that neighbor is outside.
    """
    rows, columns = weights.shape[:2]
    q_shape = patterns.shape[2:]
    flat = patterns.reshape(patterns.shape[0], patterns.shape[1], -1)
    ones = np.ones(q_shape, np.float32)
    filtered = np.empty((columns, flat.shape[2]), np.float32)
    centred = np.empty(flat.shape[2], np.float32)
    previous = np.empty((columns, len(selected)), np.float32)
    current = np.empty((columns, len(selected)), np.float32)
    dots = np.zeros((rows, columns, 5))
    for y in range(rows):
        previous, current = current, previous
        filter_row(flat, weights[y], offsets, margin[0] + y, margin[1], filtered)
        for x in range(columns):
            compared_pattern(filtered[x].reshape(q_shape), taps, ones, 0, centred)
            for i in range(len(selected)):
                current[x, i] = centred[selected[i]]
        for x in range(columns):
            dots[y, x, 0] = _dot(current[x], current[x])
            if x + 1 < columns:
                dots[y, x, 1] = _dot(current[x], current[x + 1])
            if y > 0:
                for d in range(3):
                    nx = x + d - 1
                    if 0 <= nx < columns:
                        dots[y - 1, x, 2 + d] = _dot(previous[x], current[nx])
    return dots


@kernel()
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """Scalar product, float32 within 1024 pixels and float64 over them."""
    total = 0.0
    for start in range(0, len(a), 1024):
        part = np.float32(0)
        for i in range(start, min(len(a), start + 1024)):
            part += a[i] * b[i]
        total += np.float64(part)
    return total


@kernel()
def pattern_noise(patterns: np.ndarray, selected: np.ndarray, gain: float) -> np.ndarray:
    """Return the expected noise energy of every centred raw pattern at selected pixels.

    For counts of variance g I: sum over selected of g I (1 - 2 / P) + M g sum(I) / P^2,
    the mean's own noise included.

    Parameters
    ----------
    patterns : (H, W, P)
        Raw patterns, flattened.
    selected : (M,) int64
        Pixels that count.
    gain : float
        Counts per electron.

    Returns
    -------
    (H, W) float64
    """
    height, width, size = patterns.shape
    noise = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            pattern = patterns[y, x]
            total = 0.0
            for i in range(size):
                total += np.float64(pattern[i])
            inside = 0.0
            for i in range(len(selected)):
                inside += np.float64(pattern[selected[i]])
            share = len(selected) / size
            noise[y, x] = gain * (inside * (1 - 2 / size) + share * total / size)
    return noise


@kernel()
def shared_noise(
    weights: np.ndarray, offsets: np.ndarray, noise: np.ndarray, margin: tuple[int, int]
) -> np.ndarray:
    """Noise that the five scalar products of ``neighbor_dots`` hold in common.

    Two filtered patterns share the raw patterns in both footprints: their product exceeds
    the signal's by sum over those of a(p, n) a(p', n) N(n).

    Parameters
    ----------
    weights, offsets, margin
        As for ``neighbor_dots``.
    noise : (H, W) float64
        As from ``pattern_noise``.

    Returns
    -------
    (Y, X, 5) float64
    """
    rows, columns, n_offsets = weights.shape
    reach = offsets[:, 0].max() + 1
    number = np.full((2 * reach + 1, 2 * reach + 1), -1)
    for k in range(n_offsets):
        number[offsets[k, 0] + reach, offsets[k, 1] + reach] = k
    shared = np.zeros((rows, columns, 5))
    steps = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))
    for y in range(rows):
        for x in range(columns):
            for d in range(5):
                dy, dx = steps[d]
                if not (y + dy < rows and 0 <= x + dx < columns):
                    continue
                for k in range(n_offsets):
                    a = weights[y, x, k]
                    if a == 0.0:
                        continue
                    other = number[offsets[k, 0] - dy + reach, offsets[k, 1] - dx + reach]
                    if other >= 0:
                        ny = margin[0] + y + offsets[k, 0]
                        nx = margin[1] + x + offsets[k, 1]
                        b = weights[y + dy, x + dx, other]
                        shared[y, x, d] += np.float64(a) * b * noise[ny, nx]
    return shared


def cosine_to_neighbors(
    dots: np.ndarray, shared: np.ndarray | None, inside: tuple[slice, slice]
) -> np.ndarray:
    """Turn scalar products into similarities with all eight neighbors.

    Parameters
    ----------
    dots : (Y, X, 5) float64
        As from ``neighbor_dots``, for the wanted positions and one around them where the
        scan goes on.
    shared : (Y, X, 5) float64 or None
        As from ``shared_noise``; None leaves noise in.
    inside : (rows, columns)
        The wanted positions within Y x X.

    Returns
    -------
    (rows, columns, 8) float32
        In [-1, 1], in the order of ``NEIGHBORS``; NaN outside the scan; 0 where one of the
        two patterns is flat.
    """
    energy = dots[..., 0]
    if shared is not None:
        floor = SMALLEST_SIGNAL * energy
        energy = np.maximum(energy - shared[..., 0], floor)
        dots = dots - shared
    rows, columns = energy.shape
    similarity = np.full((rows, columns, 8), np.nan)
    for number, (dy, dx) in zip((4, 5, 6, 7), NEIGHBORS[4:], strict=True):
        here = (slice(0, rows - dy), slice(max(0, -dx), columns - max(0, dx)))
        there = (slice(dy, rows), slice(max(0, dx), columns + min(0, dx)))
        scale = np.sqrt(energy[here] * energy[there])
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = np.where(scale > 0, dots[here][..., number - 3] / scale, 0.0)
        cosine = np.clip(cosine, -1.0, 1.0)
        similarity[here][..., number] = cosine
        # Similarity is symmetric: each pair is evaluated once and read backwards.
        similarity[there][..., 7 - number] = cosine
    return similarity[inside].astype(np.float32)


def annulus(
    shape: tuple[int, int],
    inner_px: float,
    outer_px: float | None,
    center: tuple[float, float] | None = None,
) -> np.ndarray:
    """Pixels at a distance from the centre in [inner_px, outer_px].

    Parameters
    ----------
    shape
        Detector rows and columns.
    inner_px, outer_px
        Radii in pixels; ``outer_px`` None reaches the corners.
    center
        Row and column of the centre; the detector's middle by default.

    Returns
    -------
    (Qy, Qx) bool
    """
    rows, columns = shape
    y0, x0 = center or ((rows - 1) / 2, (columns - 1) / 2)
    y, x = np.ogrid[:rows, :columns]
    radius = np.hypot(y - y0, x - x0)
    within = radius <= (np.inf if outer_px is None else outer_px)
    return np.asarray((radius >= inner_px) & within)
