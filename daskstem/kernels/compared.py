"""What patterns are compared by: blurred, weighted, without their mean.

Method: Lee et al., arXiv:2601.17262 (doi 10.1093/mam/ozag044), prefilter.
"""

from math import ceil
from typing import Final

import numpy as np

from daskstem.kernels.compiled import kernel

TAPS_AT_ONCE: Final = 4
"""Taps of the blur that one loop applies."""


def radial_weight(
    shape: tuple[int, int], edge_px: int, center: tuple[float, float] | None = None
) -> np.ndarray:
    """Weight r^2 / (Qy Qx) of every detector pixel, zero in a frame of ``edge_px``.

    Parameters
    ----------
    shape
        Detector rows and columns.
    edge_px
        Width of the frame that counts for nothing.
    center
        Row and column that r is measured from; the detector's middle by default.

    Returns
    -------
    (Qy, Qx) float32
    """
    rows, columns = shape
    y0, x0 = center or ((rows - 1) / 2, (columns - 1) / 2)
    y = (np.arange(rows) - y0)[:, np.newaxis]
    x = (np.arange(columns) - x0)[np.newaxis]
    weight = (y**2 + x**2) / (rows * columns)
    inner = np.zeros(shape, dtype=bool)
    inner[edge_px : rows - edge_px, edge_px : columns - edge_px] = True
    return np.where(inner, weight, 0.0).astype(np.float32)


def gaussian_taps(sigma_px: float) -> np.ndarray:
    """Half of a normalised Gaussian, centre first, cut off at 4 sigma as SciPy does.

    Returns
    -------
    (T,) float32
        Taps 0, 1, ... T - 1; ``taps[0] + 2 * taps[1:].sum()`` is 1. Zeros at the end make
        T - 1 a multiple of ``TAPS_AT_ONCE``.
    """
    reach = int(4.0 * sigma_px + 0.5)
    taps = np.zeros(1 + TAPS_AT_ONCE * ceil(reach / TAPS_AT_ONCE))
    taps[: reach + 1] = np.exp(-0.5 * (np.arange(reach + 1) / max(sigma_px, 1e-9)) ** 2)
    return (taps / (taps[0] + 2 * taps[1:].sum())).astype(np.float32)


def count_responses(weight: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return what one count at each pixel adds to a pattern's weighted mean and energy.

    The compared pattern is linear in the counts, v = L I with
    L(q, j) = w(q) (g(q, j) - m(j)), where g is the blur and m(j) = sum_q w(q) g(q, j) / sum w
    the part of a count at j in the weighted mean. Counting noise of one count at j adds
    sum_q L(q, j)^2 to the expectation of |v|^2, beyond the signal's own.

    Parameters
    ----------
    weight : (Qy, Qx) float32
        As from ``radial_weight``.
    taps : (T,) float32
        As from ``gaussian_taps``.

    Returns
    -------
    (2, Qy, Qx) float32
        m, and the energy from noise.
    """
    w = weight.astype(np.float64)
    by, bx = (_blur_matrix(n, taps) for n in w.shape)
    mean = by @ w @ bx / max(w.sum(), np.finfo(np.float32).tiny)
    squared = (by**2).T @ w**2 @ bx**2
    mixed = by.T @ w**2 @ bx
    energy = squared - 2 * mean * mixed + mean**2 * (w**2).sum()
    return np.stack([mean, energy]).astype(np.float32)


def _blur_matrix(size: int, taps: np.ndarray) -> np.ndarray:
    """Blur with reflecting edges as a symmetric matrix."""
    matrix = np.zeros((size, size))
    period = 2 * size
    for tap in range(-len(taps) + 1, len(taps)):
        target = (np.arange(size) + tap) % period
        target = np.where(target < size, target, period - 1 - target)
        np.add.at(matrix, (np.arange(size), target), float(taps[abs(tap)]))
    return matrix


@kernel()
def compared_pattern(
    pattern: np.ndarray,
    taps: np.ndarray,
    weight: np.ndarray,
    responses: np.ndarray,
    edge: int,
    out: np.ndarray,
) -> tuple[float, float]:
    """Blur a pattern, take out its weighted mean, weight it; keep what the edge leaves.

    v = (G - sum(G w) / sum(w)) w with G the Gaussian blur with reflecting edges.

    Parameters
    ----------
    pattern : (Qy, Qx)
        Any real dtype.
    taps : (T,) float32
        Half of the Gaussian, as from ``gaussian_taps``.
    weight : (Qy, Qx) float32
        Zero in a frame of ``edge`` pixels.
    responses : (2, Qy, Qx) float32
        As from ``count_responses``.
    edge : int
        Width of that frame.
    out : ((Qy - 2 edge) * (Qx - 2 edge),) float32
        Receives v.

    Returns
    -------
    |v|^2 and its expected part from counting noise, float64.
    """
    rows, columns = pattern.shape
    height, width = rows - 2 * edge, columns - 2 * edge
    reach = len(taps) - 1
    beyond = reach - edge
    # blurred along x: the rows that the blur along y reaches, mirrored ones included
    along_x = np.empty((height + 2 * reach) * width, np.float32)
    padded = np.empty(columns + 2 * reach, np.float32)
    middle = padded[reach : reach + columns]
    mean = 0.0
    noise = 0.0
    for y in range(rows):
        row_mean, row_noise = _converted(pattern[y], responses[0, y], responses[1, y], middle)
        mean += row_mean
        noise += row_noise
        if -beyond <= y < rows + beyond:
            for t in range(beyond):
                padded[reach - 1 - t] = middle[_reflected(-1 - t, columns)]
                padded[reach + columns + t] = middle[_reflected(columns + t, columns)]
            start = (y + beyond) * width
            _blurred(padded, reach + edge, 1, taps, along_x[start : start + width])
    for y in range(-beyond, rows + beyond):
        if not 0 <= y < rows:
            to, source = (y + beyond) * width, (_reflected(y, rows) + beyond) * width
            along_x[to : to + width] = along_x[source : source + width]
    energy = 0.0
    for y in range(height):
        row = out[y * width : (y + 1) * width]
        _blurred(along_x, (y + reach) * width, width, taps, row)
        energy += _weighted(row, np.float32(mean), weight[y + edge, edge : edge + width])
    return energy, noise


@kernel()
def blurred(patterns: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Blur every pattern, with reflecting edges.

    Parameters
    ----------
    patterns : (H, W, Qy, Qx)
        Any real dtype.
    taps : (T,) float32
        Half of the Gaussian, as from ``gaussian_taps``.

    Returns
    -------
    (H, W, Qy * Qx) float32
    """
    height, width, rows, columns = patterns.shape
    ones = np.ones((rows, columns), np.float32)
    nothing = np.zeros((2, rows, columns), np.float32)
    out = np.empty((height, width, rows * columns), np.float32)
    for y in range(height):
        for x in range(width):
            compared_pattern(patterns[y, x], taps, ones, nothing, 0, out[y, x])
    return out


# The inner loops are functions of slices. The compiler makes vector code only where it can
# tell at run time that what is read and what is written do not overlap, which it cannot for
# sums of indices. Four taps in one loop load and store the result a quarter as often: a
# pattern of 192 x 192 pixels takes 72 us with sigma 3, tap by tap 104, SciPy 520.


@kernel()
def _blurred(source: np.ndarray, start: int, step: int, taps: np.ndarray, out: np.ndarray) -> None:
    """Blur len(out) values from ``start`` on with neighbors ``step`` apart."""
    n = len(out)
    here = source[start : start + n]
    for i in range(n):
        out[i] = taps[0] * here[i]
    for t in range(1, len(taps), TAPS_AT_ONCE):
        before, after = start - t * step, start + t * step
        tap0, tap1, tap2, tap3 = taps[t], taps[t + 1], taps[t + 2], taps[t + 3]
        before0, after0 = source[before : before + n], source[after : after + n]
        before, after = before - step, after + step
        before1, after1 = source[before : before + n], source[after : after + n]
        before, after = before - step, after + step
        before2, after2 = source[before : before + n], source[after : after + n]
        before, after = before - step, after + step
        before3, after3 = source[before : before + n], source[after : after + n]
        for i in range(n):
            out[i] += (
                tap0 * (before0[i] + after0[i])
                + tap1 * (before1[i] + after1[i])
                + tap2 * (before2[i] + after2[i])
                + tap3 * (before3[i] + after3[i])
            )


@kernel()
def _converted(
    row: np.ndarray, mean_response: np.ndarray, noise_response: np.ndarray, out: np.ndarray
) -> tuple[float, float]:
    """Copy a row as float32; return its parts of the weighted mean and of the noise."""
    mean = np.float32(0)
    noise = np.float32(0)
    for i in range(len(row)):
        value = np.float32(row[i])
        out[i] = value
        mean += value * mean_response[i]
        noise += value * noise_response[i]
    return np.float64(mean), np.float64(noise)


@kernel()
def _weighted(row: np.ndarray, mean: np.float32, weight: np.ndarray) -> float:
    """Take the mean out of a row and weight it; return its energy."""
    energy = np.float32(0)
    for i in range(len(row)):
        value = (row[i] - mean) * weight[i]
        row[i] = value
        energy += value * value
    return np.float64(energy)


@kernel()
def _reflected(index: int, size: int) -> int:
    """Position in [0, size) of pixel ``index`` of a row mirrored over and over."""
    index = index % (2 * size)
    return index if index < size else 2 * size - 1 - index
