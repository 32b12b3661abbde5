"""Diffraction patterns of a simulated scan: disks, probe shares and electron counts."""

import math

import numpy as np
from numba import njit

# SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), with an odd increment of its own for each
# stream, so that the streams of two positions are different sequences, not two windows of one.
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S27 = np.uint64(27)
_S30 = np.uint64(30)
_S31 = np.uint64(31)
_S11 = np.uint64(11)
_ONE = np.uint64(1)
_TO_UNIT = 2.0**-53
_UINT16_MAX = 65535.0

# njit as it is, not `kernel`: sums whose order is the compiler's choice would let the bytes
# of a series depend on the processor.


@njit(nogil=True, cache=True)
def add_disks(
    pattern: np.ndarray, centers: np.ndarray, intensities: np.ndarray, radius_px: float
) -> None:
    """Add uniform disks with antialiased edges to a pattern, in place.

    Parameters
    ----------
    pattern : (Qy, Qx) float64
        Changed in place.
    centers : (K, 2) float64
        Row and column of each disk, in pixels; may lie outside the pattern.
    intensities : (K,) float64
        Sum over a whole disk, the part outside the detector included.
    radius_px
        At least 0.5, so that every disk covers some pixel.
    """
    reach = radius_px + 0.5
    for k in range(centers.shape[0]):
        row, column = centers[k, 0], centers[k, 1]
        y0, y1 = math.ceil(row - reach), math.floor(row + reach) + 1
        x0, x1 = math.ceil(column - reach), math.floor(column + reach) + 1
        area = 0.0
        for y in range(y0, y1):
            for x in range(x0, x1):
                area += _coverage(y - row, x - column, reach)
        for y in range(max(y0, 0), min(y1, pattern.shape[0])):
            for x in range(max(x0, 0), min(x1, pattern.shape[1])):
                covered = _coverage(y - row, x - column, reach)
                pattern[y, x] += intensities[k] * covered / area


@njit(nogil=True, cache=True)
def _coverage(dy: float, dx: float, reach: float) -> float:
    return min(1.0, max(0.0, reach - math.sqrt(dy * dy + dx * dx)))


@njit(nogil=True, cache=True)
def probe_shares(
    owner: np.ndarray, thickness: np.ndarray, probe: np.ndarray, per_step: int, n_owners: int
) -> tuple[np.ndarray, np.ndarray]:
    """Share of a separable probe that falls on each owner of the specimen, by position.

    Parameters
    ----------
    owner : (per_step * (Y - 1) + P, per_step * (X - 1) + P) int64
        Owner, in [0, n_owners), of every point of a grid ``per_step`` times finer than the
        scan, with the margin that the probe needs.
    thickness : like ``owner``, float64
        What the point's share is multiplied with in the second result.
    probe : (P,) float64
        Intensity profile of the probe on the fine grid, along either axis; sum 1.
    per_step
        Fine grid points in a scan step.
    n_owners
        Number of owners.

    Returns
    -------
    (Y, X, n_owners) float64, (Y, X, n_owners) float64
        The shares, of sum 1 at every position, and the shares weighted with thickness.
    """
    width = probe.shape[0]
    rows = (owner.shape[0] - width) // per_step + 1
    columns = (owner.shape[1] - width) // per_step + 1
    shares = np.zeros((rows, columns, n_owners))
    weighted = np.zeros((rows, columns, n_owners))
    for y in range(rows):
        for x in range(columns):
            for i in range(width):
                for j in range(width):
                    point = y * per_step + i, x * per_step + j
                    share = probe[i] * probe[j]
                    shares[y, x, owner[point]] += share
                    weighted[y, x, owner[point]] += share * thickness[point]
    return shares, weighted


@njit(nogil=True, cache=True)
def count_electrons(
    mixture: np.ndarray,
    patterns: np.ndarray,
    shifts: np.ndarray,
    streams: np.ndarray,
    extra: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Draw Poisson counts around a mixture of expected patterns, position by position.

    Parameters
    ----------
    mixture : (N, K) float64
        Amount of each expected pattern in each position's.
    patterns : (K, Qy + 2 * margin, Qx + 2 * margin) float64
        Expected counts, with a margin of detector pixels for the shifts.
    shifts : (N, 2) float64
        Where each pattern is moved to, rows and columns, in pixels; at most margin - 1, or
        zero. Fractions are interpolated bilinearly.
    streams : (N, 2) uint64
        Random stream of each position (see `random_streams`).
    extra : (Qy, Qx) uint16
        Added to every pattern; the sum saturates at 65535.
    counts : (N, Qy, Qx) uint16
        Overwritten with the result.
    """
    sizes = counts.shape[1], counts.shape[2]
    mixed = np.empty(patterns.shape[1:])
    expected = np.empty(sizes)
    for n in range(mixture.shape[0]):
        mixed[:] = 0.0
        for k in range(mixture.shape[1]):
            if mixture[n, k] > 0.0:
                _add_scaled(mixed, patterns[k], mixture[n, k])
        _shift_into(expected, mixed, shifts[n, 0], shifts[n, 1])
        state, gamma = streams[n, 0], streams[n, 1]
        for y in range(sizes[0]):
            for x in range(sizes[1]):
                state, drawn = _poisson(state, gamma, expected[y, x])
                counts[n, y, x] = np.uint16(min(drawn + float(extra[y, x]), _UINT16_MAX))


@njit(nogil=True, cache=True)
def _add_scaled(total: np.ndarray, pattern: np.ndarray, amount: float) -> None:
    # loops, since an array expression would allocate a pattern for every position
    for y in range(total.shape[0]):
        for x in range(total.shape[1]):
            total[y, x] += amount * pattern[y, x]


@njit(nogil=True, cache=True)
def _shift_into(out: np.ndarray, source: np.ndarray, dy: float, dx: float) -> None:
    margin_y = (source.shape[0] - out.shape[0]) // 2
    margin_x = (source.shape[1] - out.shape[1]) // 2
    if dy == 0.0 and dx == 0.0:
        inner = source[margin_y : margin_y + out.shape[0], margin_x : margin_x + out.shape[1]]
        out[:] = inner
        return
    y0, x0 = math.floor(-dy), math.floor(-dx)
    fy, fx = -dy - y0, -dx - x0
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            i, j = y + margin_y + y0, x + margin_x + x0
            upper = (1.0 - fx) * source[i, j] + fx * source[i, j + 1]
            lower = (1.0 - fx) * source[i + 1, j] + fx * source[i + 1, j + 1]
            out[y, x] = (1.0 - fy) * upper + fy * lower


@njit(nogil=True, cache=True)
def random_streams(indices: np.ndarray, seed: int) -> np.ndarray:
    """Return a random stream for each index, a function of seed and index alone.

    Parameters
    ----------
    indices : (N, M) int64
        What tells the streams apart, such as frame, row and column.
    seed
        Not negative.

    Returns
    -------
    (N, 2) uint64
        First state and odd increment of each stream.
    """
    streams = np.empty((indices.shape[0], 2), np.uint64)
    for n in range(indices.shape[0]):
        state = _mixed(np.uint64(seed) + _GOLDEN)
        for m in range(indices.shape[1]):
            state = _mixed((state ^ np.uint64(indices[n, m])) + _GOLDEN)
        streams[n, 0] = state
        streams[n, 1] = _mixed(state + _GOLDEN) | _ONE
    return streams


@njit(nogil=True, cache=True)
def _mixed(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@njit(nogil=True, cache=True)
def _unit(state: np.uint64) -> float:
    # in (0, 1): a zero would be a logarithm of zero below
    return (float(_mixed(state) >> _S11) + 0.5) * _TO_UNIT


@njit(nogil=True, cache=True)
def _poisson(state: np.uint64, gamma: np.uint64, mean: float) -> tuple[np.uint64, float]:
    if mean <= 0.0:
        return state, 0.0
    if mean < 10.0:
        state += gamma
        return state, _poisson_by_inversion(_unit(state), mean)
    return _poisson_by_rejection(state, gamma, mean)


@njit(nogil=True, cache=True)
def _poisson_by_inversion(uniform: float, mean: float) -> float:
    # exp(-m) > 1 - m: most pixels are empty, and are so without an exponential
    if uniform < 1.0 - mean:
        return 0.0
    probability = math.exp(-mean)
    count = 0.0
    # 100 is beyond 1e-60 in probability; the rest of a sum rounded below 1 never ends
    while uniform > probability and count < 100.0:
        uniform -= probability
        count += 1.0
        probability *= mean / count
    return count


@njit(nogil=True, cache=True)
def _poisson_by_rejection(
    state: np.uint64, gamma: np.uint64, mean: float
) -> tuple[np.uint64, float]:
    """Draw by Hörmann's PTRS, Insurance: Mathematics and Economics 12 (1993) 39; mean >= 10."""
    log_mean = math.log(mean)
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        state += gamma
        u = _unit(state) - 0.5
        state += gamma
        v = _unit(state)
        us = 0.5 - abs(u)
        count = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return state, float(count)
        if count < 0 or (us < 0.013 and v > us):
            continue
        left = math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if left <= count * log_mean - mean - math.lgamma(count + 1.0):
            return state, float(count)
